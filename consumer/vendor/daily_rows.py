"""Separates sound daily bars from garbage.

The vendor has sent NUL-prefixed tickers with prices of 1e12, one ticker twice, bars of another day.  Such rows are set
aside with their reason, a doubtful mean price or count of trades alone; the others are the day's bars.  Pure.
"""

import datetime as dt
from collections.abc import Iterable

import msgspec

from consumer.vendor.rows import DailyRow, Flaw
from consumer.vendor.sieve import Sieve
from market.bounded_fields import PRICE, TRADES, VOLUME
from market.symbols import is_well_formed
from market.trading_calendar import NEW_YORK

_LEAST_PRICE, _MOST_PRICE = PRICE.least, PRICE.most
_LEAST_VOLUME, _MOST_VOLUME = VOLUME.least, VOLUME.most
_FEWEST_TRADES, _MOST_TRADES = TRADES.least, TRADES.most


def instant_ms(day: dt.date, time: dt.time) -> int:
    """That New York wall-clock time in milliseconds since 1970."""
    return int(dt.datetime.combine(day, time, NEW_YORK).timestamp()) * 1000


def sound_rows(rows: Iterable[DailyRow], day: dt.date, sieve: Sieve) -> list[DailyRow]:
    """The rows that are bars of *day*, one a ticker; what is lost of the others goes into *sieve*."""
    start_ms = instant_ms(day, dt.time())
    end_ms = instant_ms(day + dt.timedelta(days=1), dt.time())
    kept: dict[str, DailyRow] = {}
    for row in rows:
        flaw = _flaw(row, start_ms, end_ms)
        if flaw is not None:
            sieve.drop_row(flaw, row, row.T)
            continue
        known = kept.get(row.T)
        if known is not None:
            sieve.drop_row(Flaw.DUPLICATE, min(row, known, key=lambda each: each.v), row.T)
        if known is None or row.v > known.v:
            kept[row.T] = row
    return [row if _is_whole(row) else _without_doubtful(row, sieve) for row in kept.values()]


# Comparisons are written so that NaN, which compares false with everything, fails.


def _flaw(row: DailyRow, start_ms: int, end_ms: int) -> Flaw | None:
    if not is_well_formed(row.T):
        return Flaw.SYMBOL
    if not start_ms <= row.t < end_ms:
        return Flaw.FOREIGN_DAY
    low, high, open_, close = row.l, row.h, row.o, row.c
    if not (_LEAST_PRICE <= low <= _MOST_PRICE and _LEAST_PRICE <= high <= _MOST_PRICE):
        return Flaw.PRICE
    if not (_LEAST_PRICE <= open_ <= _MOST_PRICE and _LEAST_PRICE <= close <= _MOST_PRICE):
        return Flaw.PRICE
    if high < low:
        return Flaw.HIGH_BELOW_LOW
    if not (low <= open_ <= high and low <= close <= high):
        return Flaw.OUTSIDE_RANGE
    if not (_LEAST_VOLUME <= row.v <= _MOST_VOLUME or row.v == 0.0):
        return Flaw.VOLUME
    return None


def _is_whole(row: DailyRow) -> bool:
    return (row.vw is None or row.l <= row.vw <= row.h) and (row.n is None or _FEWEST_TRADES <= row.n <= _MOST_TRADES)


def _without_doubtful(row: DailyRow, sieve: Sieve) -> DailyRow:
    """The bar without the mean price or the count of trades that cannot be."""
    left_out: dict[str, None] = {}
    if row.vw is not None and not row.l <= row.vw <= row.h:
        flaw = Flaw.OUTSIDE_RANGE if _LEAST_PRICE <= row.vw <= _MOST_PRICE else Flaw.BOUNDS
        sieve.drop_field(flaw, "vw", row.vw, row.T)
        left_out["vw"] = None
    if row.n is not None and not _FEWEST_TRADES <= row.n <= _MOST_TRADES:
        sieve.drop_field(Flaw.BOUNDS, "n", row.n, row.T)
        left_out["n"] = None
    return msgspec.structs.replace(row, **left_out)


def as_listed(rows: Iterable[DailyRow], spellings: dict[str, str], sieve: Sieve) -> list[DailyRow]:
    """Give bars the symbols of the listing where they spell them otherwise; one a symbol, the larger volume."""
    kept: dict[str, DailyRow] = {}
    for row in rows:
        named = msgspec.structs.replace(row, T=spellings[row.T]) if row.T in spellings else row
        known = kept.get(named.T)
        if known is not None:
            sieve.drop_row(Flaw.DUPLICATE, min(named, known, key=lambda each: each.v), named.T)
        if known is None or named.v > known.v:
            kept[named.T] = named
    return list(kept.values())
