"""Separates sound daily bars from garbage.

The vendor has sent NUL-prefixed tickers with prices of 1e12, one ticker twice, bars of another day.  Such rows are set
aside with the reason counted; the others are the day's bars.  Pure.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec

from consumer.massive.rows import DailyRow, Flaw, SetAside
from market.symbols import is_well_formed

NEW_YORK = ZoneInfo("America/New_York")

# Berkshire A, the dearest share there is, stands below 1e6.
HIGHEST_PRICE = 1e7
# All are counted; of a flood of garbage the first rows show what it is.
MOST_EVIDENCE = 200


def instant_ms(day: dt.date, time: dt.time) -> int:
    """That New York wall-clock time in milliseconds since 1970."""
    return int(dt.datetime.combine(day, time, NEW_YORK).timestamp()) * 1000


def sound_rows(
    rows: Iterable[DailyRow], day: dt.date, *, evidence: list[SetAside] | None = None
) -> tuple[list[DailyRow], Counter[Flaw]]:
    """The rows that are bars of *day*, one a ticker, and how many were set aside for which flaw.

    The first MOST_EVIDENCE of those go into *evidence*, as they came.
    """
    kept_aside = [] if evidence is None else evidence
    start_ms = instant_ms(day, dt.time())
    end_ms = instant_ms(day + dt.timedelta(days=1), dt.time())
    kept: dict[str, DailyRow] = {}
    rejected: Counter[Flaw] = Counter()
    for row in rows:
        flaw = _flaw(row, start_ms, end_ms)
        if flaw is not None:
            rejected[flaw] += 1
            _set_aside(kept_aside, flaw, row)
            continue
        known = kept.get(row.T)
        if known is not None:
            rejected[Flaw.DUPLICATE] += 1
            _set_aside(kept_aside, Flaw.DUPLICATE, min(row, known, key=lambda each: each.v))
        if known is None or row.v > known.v:
            kept[row.T] = row
    return list(kept.values()), rejected


def _set_aside(evidence: list[SetAside], flaw: Flaw, row: DailyRow) -> None:
    if len(evidence) < MOST_EVIDENCE:
        evidence.append(SetAside(flaw=flaw, row=msgspec.structs.asdict(row)))


def _flaw(row: DailyRow, start_ms: int, end_ms: int) -> Flaw | None:
    if not is_well_formed(row.T):
        return Flaw.SYMBOL
    if not start_ms <= row.t < end_ms:
        return Flaw.FOREIGN_DAY
    # Written so that NaN, which compares false with everything, fails too.
    if not all(0.0 < price <= HIGHEST_PRICE for price in (row.o, row.h, row.l, row.c)):
        return Flaw.PRICE
    if row.h < row.l:
        return Flaw.HIGH_BELOW_LOW
    if not 0.0 <= row.v < math.inf:
        return Flaw.VOLUME
    return None
