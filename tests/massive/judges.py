"""Judges rows that survived the decoders as a person who knows the market would, by rules of its own.

The numbers are written out here; the judge shares nothing with the decoders nor with their table of bounds.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = dt.date(2026, 7, 15)
SINCE, UNTIL = dt.date(2026, 6, 1), dt.date(2026, 7, 22)
AHEAD = dt.date(2028, 1, 1)  # no date that is kept lies further than that
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19}")


def problem(kind: str, rows: list[Any]) -> str | None:
    """Why one of *rows* must not be used; None where all are sound."""
    for row in rows:
        if (flaw := JUDGES[kind](row)) is not None:
            return f"{flaw}: {row!r}"
    return None


def _number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _text(value: Any, pattern: str, longest: int) -> bool:
    return value is None or (
        isinstance(value, str) and len(value) <= longest and re.fullmatch(pattern, value, re.DOTALL) is not None
    )


# What a reader of the page would accept for a line of text; a half surrogate is no character.
LINE = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+"


def _identity(row: Any) -> str | None:
    if SYMBOL.fullmatch(row.ticker) is None:
        return "symbol"
    if not all(_text(text, LINE, 500) for text in (row.name, row.type, row.primary_exchange, row.market, row.locale)):
        return "text"
    if not (_text(row.cik, "[0-9]+", 10) and _text(row.composite_figi, "[A-Za-z0-9]+", 12)):
        return "number of the issuer"
    gone = row.delisted_utc
    return None if gone is None or dt.date(1792, 1, 1) <= dt.date.fromisoformat(gone[:10]) < AHEAD else "delisted"


def _daily(row: Any) -> str | None:
    prices = (row.o, row.h, row.l, row.c)
    if SYMBOL.fullmatch(row.T) is None:
        return "symbol"
    if not all(isinstance(price, float) and 1e-6 <= price <= 1e7 for price in prices):
        return "price"
    if not (row.l <= min(row.o, row.c) and max(row.o, row.c) <= row.h):
        return "range"
    if not (row.vw is None or row.l <= row.vw <= row.h):
        return "mean price"
    if not (row.n is None or (isinstance(row.n, int) and 0 <= row.n <= 1_000_000_000)):
        return "trades"
    if not (row.v == 0 or 1e-6 <= row.v <= 1e12):
        return "volume"
    return None if dt.datetime.fromtimestamp(row.t / 1000, NEW_YORK).date() == DAY else "day"


def _range(row: tuple[int, float]) -> str | None:
    at = dt.datetime.fromtimestamp(row[0] / 1000, NEW_YORK)
    if at.date() != DAY or not 4 <= at.hour < 20:
        return "day"
    return None if row[1] == 0 or 1e-6 <= row[1] <= 1e12 else "volume"


def _details(row: Any) -> str | None:
    shares = (row.weighted_shares_outstanding, row.share_class_shares_outstanding)
    if not all(count is None or _number(count, 1, 1e13) for count in shares):
        return "shares"
    if not (_text(row.sic_code, "[0-9]+", 4) and _text(row.sic_description, LINE, 500)):
        return "industry"
    if not (row.list_date is None or dt.date(1792, 5, 17) <= row.list_date < AHEAD):
        return "list date"
    return _identity(row)


def _float(row: Any) -> str | None:
    if SYMBOL.fullmatch(row.ticker) is None:
        return "symbol"
    if not (row.free_float is None or (isinstance(row.free_float, int) and 0 <= row.free_float <= 10**13)):
        return "float"
    if not (row.free_float_percent is None or _number(row.free_float_percent, 0, 100)):
        return "percent"
    return None if row.effective_date is None or dt.date(1970, 1, 1) <= row.effective_date < AHEAD else "date"


def _split(row: Any) -> str | None:
    if SYMBOL.fullmatch(row.ticker) is None or not SINCE <= row.execution_date <= UNTIL:
        return "symbol or day"
    if not (_number(row.split_from, 1e-6, 1e6) and _number(row.split_to, 1e-6, 1e6)):
        return "shares"
    if not _text(row.adjustment_type, LINE, 50):
        return "kind"
    return None if 1e-6 <= row.split_from / row.split_to <= 1e6 else "ratio"


def _dividend(row: Any) -> str | None:
    if SYMBOL.fullmatch(row.ticker) is None or not SINCE <= row.ex_dividend_date <= UNTIL:
        return "symbol or day"
    if not _number(row.cash_amount, 1e-9, 1e7):
        return "amount"
    days = (row.declaration_date, row.record_date, row.pay_date)
    if not all(day is None or dt.date(1970, 1, 1) <= day < dt.date(2029, 8, 1) for day in days):
        return "date"
    if not (row.frequency is None or (isinstance(row.frequency, int) and 0 <= row.frequency <= 366)):
        return "payments a year"
    if not (_text(row.currency, "[A-Za-z]+", 3) and (row.currency is None or len(row.currency) == 3)):
        return "currency"
    return None if _text(row.distribution_type, LINE, 50) and _text(row.id, LINE, 200) else "text"


def _closure(row: Any) -> str | None:
    if not dt.date(2000, 1, 1) <= row.date < dt.date(2031, 1, 1):
        return "date"
    if row.close is not None and (row.close.tzinfo is None or not 2000 <= row.close.year < 2031):
        return "close"
    return None if _text(row.exchange, LINE, 50) and _text(row.status, LINE, 50) else "text"


JUDGES: dict[str, Callable[[Any], str | None]] = {
    "daily": _daily, "range": _range, "tickers": _identity, "details": _details, "floats": _float, "splits": _split,
    "dividends": _dividend, "closures": _closure,
}  # fmt: skip
