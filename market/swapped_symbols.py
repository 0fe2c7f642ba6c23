"""Finds two symbols that have each other's bars: prices and volumes both ways.

A jump alone is nothing: hundreds of symbols jump in a year.  Only a pair whose opens and closes are both the other's
close before, and whose volumes fit the other one and not itself, is named; by chance that happens in decades.
"""

from __future__ import annotations

import numpy as np

from market.session_bars import CLOSE, OPEN, VOLUME, Floats

JUMPED = float(np.log(1.5))
SAME_PRICE = float(np.log(1.08))
SAME_VOLUME = float(np.log(3.0))
# Beyond this many jumpers the market itself is in question, and another finding says so.
MOST_JUMPERS = 400


def swapped_pairs(own: Floats, before: Floats) -> list[tuple[int, int]]:
    """Return the pairs of rows that changed places; both are [symbols, FIGURES] of the same symbols, without NaN."""
    closes, opens, known = np.log(own[:, CLOSE]), np.log(own[:, OPEN]), np.log(before[:, CLOSE])
    jumpers = np.flatnonzero((np.abs(closes - known) > JUMPED) & (own[:, VOLUME] > 0) & (before[:, VOLUME] > 0))
    if not 2 <= len(jumpers) <= MOST_JUMPERS:
        return []
    volumes, volumes_before = np.log(own[jumpers, VOLUME]), np.log(before[jumpers, VOLUME])
    # [i, j]: whether i looks like what j was.
    price_fits = np.abs(closes[jumpers, None] - known[None, jumpers]) < SAME_PRICE
    price_fits &= np.abs(opens[jumpers, None] - known[None, jumpers]) < SAME_PRICE
    distance = np.abs(volumes[:, None] - volumes_before[None, :])
    fits = price_fits & (distance < SAME_VOLUME)
    both = fits & fits.T
    own_distance = np.abs(volumes - volumes_before)
    # Volumes must not speak for themselves: where both trade alike they say nothing, and prices alone decide.
    both &= distance + distance.T <= own_distance[:, None] + own_distance[None, :] + SAME_PRICE
    return [(int(jumpers[i]), int(jumpers[j])) for i, j in np.argwhere(np.triu(both, 1))]
