"""Finds two symbols that have each other's bars: prices and volumes both ways.

A jump alone is nothing: dozens of symbols jump every day.  Only a pair is named whose opens and closes are both the
other's close before, and whose volumes fit the other one, all as closely as ordinary nights have it.  Pairs of like
price are beyond it: neither has jumped.
"""

from __future__ import annotations

import numpy as np

from market.session_bars import CLOSE, OPEN, VOLUME, Floats

JUMPED = float(np.log(1.5))
# How much a night usually moves a price and a volume, in logarithms; the six distances of a pair are taken together.
USUAL_MOVE = 0.03
USUAL_VOLUME = 0.65
# Of true pairs, 19 in 20 lie within. The more symbols jump, the more pairs fit by chance: from FEW jumpers on a pair
# must fit the closer, so that a day names one by chance as rarely (tests/market/plausibility_year.py).
FARTHEST = 12.6
FEW = 5
# Two that trade alike fit each other and themselves: then volumes need not prefer the other, only not deny it.
UNDECIDED = float(np.log(2.0))
WELL_TRADED = 10_000.0
# Beyond this many jumpers the market itself is in question, and another finding says so.
MOST_JUMPERS = 400


def swapped_pairs(own: Floats, before: Floats) -> list[tuple[int, int]]:
    """Return the pairs of rows that changed places; both are [symbols, FIGURES] of the same symbols, without NaN."""
    night = np.log(own[:, CLOSE]) - np.log(before[:, CLOSE])
    known = np.log(before[:, CLOSE]) + np.median(night)  # what the market did is no jump
    closes, opens = np.log(own[:, CLOSE]), np.log(own[:, OPEN])
    well_traded = (own[:, VOLUME] >= WELL_TRADED) & (before[:, VOLUME] >= WELL_TRADED)
    jumpers = np.flatnonzero((np.abs(closes - known) > JUMPED) & well_traded)
    if not 2 <= len(jumpers) <= MOST_JUMPERS:
        return []
    volumes, volumes_before = np.log(own[jumpers, VOLUME]), np.log(before[jumpers, VOLUME])
    # [i, j]: how far i is from what j was.
    apart = ((closes[jumpers, None] - known[None, jumpers]) / USUAL_MOVE) ** 2
    apart += ((opens[jumpers, None] - known[None, jumpers]) / USUAL_MOVE) ** 2
    by_volume = np.abs(volumes[:, None] - volumes_before[None, :])
    apart += (by_volume / USUAL_VOLUME) ** 2
    own_volume = np.abs(volumes - volumes_before)
    # Pairs grow with the square of the jumpers, what fits by chance with the third power of the squared distance.
    both = apart + apart.T <= FARTHEST * min(1.0, FEW / len(jumpers)) ** (2 / 3)
    both &= by_volume + by_volume.T <= own_volume[:, None] + own_volume[None, :] + UNDECIDED
    return [(int(jumpers[i]), int(jumpers[j])) for i, j in np.argwhere(np.triu(both, 1))]
