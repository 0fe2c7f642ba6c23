"""Holds the shapes of a session's bars against what happens: volumes there, prices apart, ranges and opens as ever.

A day of panic has four times the range of a calm one, and some names in a hundred move by most of their price; a range
eight times the neighbours', or one name in twenty as wide as its price, has not happened.  Opens are seldom closes, but
of names that hardly trade.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from market.findings import Finding, Kind
from market.session_bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Flags, Floats

if TYPE_CHECKING:
    from market.market_table import Pair

MINIMUM = 100
WELL_TRADED = 10_000.0  # shares: below it one price a day is nothing strange
MOST_WITHOUT_VOLUME = 0.50
MOST_FLAT = 0.50
NARROWEST, WIDEST = 1 / 8, 8.0  # times the neighbour's, the median
WIDE = 0.75  # of the close
MOST_WIDE, FEWEST_WIDE = 0.05, 20
MOST_OPENS_THAT_CLOSE = 0.40
OFTENER = 3.0  # than in the neighbour: some markets have many such bars every day


def without_volume(own: Floats) -> Finding | None:
    """Say whether most of the rows have no volume."""
    share = float(np.mean(own[:, VOLUME] <= 0))
    if share <= MOST_WITHOUT_VOLUME:
        return None
    return Finding(
        kind=Kind.NO_VOLUME,
        reason=f"{share:.0%} of {len(own)} rows say that nothing was traded",
        evidence={"rows": len(own), "without_volume": share},
    )


def flat(own: Floats) -> Finding | None:
    """Say whether most of the bars are one price."""
    traded = own[own[:, VOLUME] >= WELL_TRADED]
    if len(traded) < MINIMUM:
        return None
    prices = traded[:, [OPEN, HIGH, LOW, CLOSE]]
    share = float(np.mean(prices.max(axis=1) == prices.min(axis=1)))
    if share <= MOST_FLAT:
        return None
    return Finding(
        kind=Kind.FLAT,
        reason=f"{share:.0%} of {len(traded)} well traded symbols have one price for open, high, low and close",
        evidence={"rows": len(traded), "flat": share},
    )


def ranges_off(pair: Pair, _of_an_exchange: bool) -> Finding | None:
    """Say whether highs and lows lie apart as they do not: the median against the neighbour's, or far too many bars."""
    there = _well_traded(pair)
    own, other = (_ranges(figures[there]) for figures in (pair.own, pair.other))
    if len(own) < MINIMUM:
        return None
    median, usual = float(np.median(own)), float(np.median(other))
    wide, usually_wide = float(np.mean(own > WIDE)), float(np.mean(other > WIDE))
    many = len(own) * wide >= FEWEST_WIDE and wide > max(MOST_WIDE, OFTENER * usually_wide)
    ratio = median / usual if usual > 0 and median > 0 else 1.0  # one price a bar is another finding
    if not many and NARROWEST <= ratio <= WIDEST:
        return None
    return Finding(
        kind=Kind.RANGES,
        reason=f"the median range from low to high is {ratio:.3g} times that of {pair.neighbour}, and {wide:.0%} of "
        f"{len(own)} are wider than {WIDE:.0%} of the close",
        evidence={"compared_with": str(pair.neighbour), "rows": len(own), "range_ratio": ratio, "wide": wide},
    )


def opens_off(pair: Pair, _of_an_exchange: bool) -> Finding | None:
    """Say whether too many bars open where they close."""
    there = _well_traded(pair)
    if np.count_nonzero(there) < MINIMUM:
        return None
    share, usual = (_opened_at_the_close(figures[there]) for figures in (pair.own, pair.other))
    if share <= max(MOST_OPENS_THAT_CLOSE, OFTENER * usual):
        return None
    return Finding(
        kind=Kind.OPENS,
        reason=f"{share:.0%} of {np.count_nonzero(there)} well traded symbols opened where they closed; "
        f"{usual:.0%} on {pair.neighbour}",
        evidence={"compared_with": str(pair.neighbour), "opens_that_close": share, "usual": usual},
    )


def _well_traded(pair: Pair) -> Flags:
    """Volumes of either: where the session's own are wrong, those of the neighbour tell who trades."""
    there: Flags = pair.common & (np.fmax(pair.own[:, VOLUME], pair.other[:, VOLUME]) >= WELL_TRADED)
    return there


def _opened_at_the_close(figures: Floats) -> float:
    """The share of bars that did and moved in between: those of one price are another finding."""
    return float(np.mean((figures[:, OPEN] == figures[:, CLOSE]) & (figures[:, HIGH] > figures[:, LOW])))


def _ranges(figures: Floats) -> Floats:
    ranges: Floats = (figures[:, HIGH] - figures[:, LOW]) / figures[:, CLOSE]
    return ranges
