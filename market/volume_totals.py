"""Holds a session's total volume against that of the sessions near it, for the market and by exchange.

Expiries and rebalancings trade two to four times the usual, half days a third of it: neither is a finding.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from market.findings import Finding, Kind

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

LEAST, MOST = 0.15, 8.0
LEAST_OF_AN_EXCHANGE, MOST_OF_AN_EXCHANGE = 0.10, 10.0
# Where no other early close is near, one is held against ordinary days, of which it trades a third to a half.
EARLY_CLOSE_SHARE = 0.4
NEAREST = 20
FEWEST = 3
# Sessions of another population (a market that grew at once) are no measure; too few rows are another finding.
LIKE_MANY_ROWS = 1.5
WHOLE_MARKET = ""
ALL = "all"  # as the whole market is called in evidence


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """By exchange, and for WHOLE_MARKET: shares traded and number of rows."""

    volume: Mapping[str, float]
    rows: Mapping[str, int]
    early_close: bool = False


def volume_finding(
    totals: Mapping[dt.date, Totals], day: dt.date, excluded: Collection[dt.date], *, minimum: int
) -> Finding | None:
    """Say whether the volume of *day* is beyond what happens; sessions of *excluded* are no measure."""
    own = totals.get(day)
    if own is None:
        return None
    others = [totals[other] for other in _nearest(totals, day, excluded)]
    lines: list[str] = []
    shares: dict[str, float] = {}
    for scope in sorted(own.volume):
        if own.rows[scope] < minimum:
            continue
        usual = _usual(_of_like_size(others, own, scope), scope, early_close=own.early_close)
        if usual is None:
            continue
        share = own.volume[scope] / usual
        least, most = (LEAST, MOST) if scope == WHOLE_MARKET else (LEAST_OF_AN_EXCHANGE, MOST_OF_AN_EXCHANGE)
        if not least <= share <= most:
            lines.append(f"{scope or 'the market'} traded {share:.3g} times its usual volume")
            shares[scope or ALL] = share
        if lines and scope == WHOLE_MARKET:
            break  # the exchanges would only say the same once more
    if not lines:
        return None
    return Finding(kind=Kind.VOLUME, reason="; ".join(lines), evidence={"times_usual": shares})


def _nearest(totals: Mapping[dt.date, Totals], day: dt.date, excluded: Collection[dt.date]) -> list[dt.date]:
    """The sessions before, nearest first; those after count only where too few are before."""
    usable = [other for other in totals if other != day and other not in excluded]
    before = sorted((other for other in usable if other < day), reverse=True)[:NEAREST]
    if len(before) >= FEWEST:
        return before
    return sorted(usable, key=lambda other: abs((other - day).days))[:NEAREST]


def _of_like_size(others: Collection[Totals], own: Totals, scope: str) -> list[Totals]:
    rows = own.rows[scope]
    return [one for one in others if rows / LIKE_MANY_ROWS <= one.rows.get(scope, 0) <= rows * LIKE_MANY_ROWS]


def _usual(others: Collection[Totals], scope: str, *, early_close: bool) -> float | None:
    """The median volume of sessions of the same kind; None where they are too few to say."""
    known = [one for one in others if one.volume[scope] > 0]
    same = [one.volume[scope] for one in known if one.early_close == early_close]
    if len(same) >= FEWEST:
        return median(same)
    ordinary = [one.volume[scope] for one in known if not one.early_close]
    if not early_close or len(ordinary) < FEWEST:
        return None
    return EARLY_CLOSE_SHARE * median(ordinary)
