"""Separates sound reference rows (listing, details, floats, splits, dividends, closures) from duplicates and garbage.

What is lost of them goes into the sieve of the question.  Pure.
"""

import datetime as dt
import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from consumer.vendor.questions import Question
from consumer.vendor.rows import (
    Address,
    Branding,
    ClosureRow,
    DividendRow,
    Flaw,
    FloatRow,
    SplitRow,
    TickerDetails,
    TickerListing,
    TickerRow,
)
from consumer.vendor.sieve import FieldChecks, Sieve
from market.bounded_fields import SPLIT_SHARES
from market.dividends import NO_CURRENCY, UNNAMED_KIND

Row = TypeVar("Row", bound=msgspec.Struct)

_LISTING = FieldChecks(Question.TICKERS, TickerRow)
_DETAILS = FieldChecks(Question.TICKER_DETAILS, TickerDetails)
_ADDRESS = FieldChecks("ticker_address", Address)
_BRANDING = FieldChecks("ticker_branding", Branding)
_FLOATS = FieldChecks(Question.FLOATS, FloatRow)
_SPLITS = FieldChecks(Question.SPLITS, SplitRow)
_DIVIDENDS = FieldChecks(Question.DIVIDENDS, DividendRow)
_CLOSURES = FieldChecks(Question.MARKET_HOLIDAYS, ClosureRow)


def newest_listing(rows: Iterable[TickerRow], sieve: Sieve, *, pages: int = 1) -> TickerListing:
    """One row a ticker; of duplicates the one updated last, with the others beside it."""
    kept: dict[str, TickerRow] = {}
    others: list[TickerRow] = []
    for row in _sound(rows, _LISTING, sieve):
        known = kept.get(row.ticker)
        newer = known is None or (row.last_updated_utc or "") > (known.last_updated_utc or "")
        if known is not None:
            other = known if newer else row
            others.append(other)
            sieve.drop_row(Flaw.DUPLICATE, other, row.ticker)
        if newer:
            kept[row.ticker] = row
    rejected = dict(sieve.rejected)
    return TickerListing(rows=list(kept.values()), pages=pages, others=tuple(others), rejected=rejected)


def sound_details(rows: Iterable[TickerDetails], sieve: Sieve) -> list[TickerDetails]:
    """The details without what cannot be, nested ones included."""
    return [_sound_nested(row, sieve) for row in _sound(rows, _DETAILS, sieve)]


def _sound_nested(row: TickerDetails, sieve: Sieve) -> TickerDetails:
    address = row.address and _ADDRESS.sound(row.address, sieve, of=row.ticker)
    branding = row.branding and _BRANDING.sound(row.branding, sieve, of=row.ticker)
    if address is row.address and branding is row.branding:
        return row
    return msgspec.structs.replace(row, address=address, branding=branding)


def sound_floats(rows: Iterable[FloatRow], sieve: Sieve) -> list[FloatRow]:
    """One row a ticker; of duplicates the one with the latest effective date, of those that say how many shares."""

    def rank(row: FloatRow) -> tuple[bool, dt.date]:
        return bool(row.free_float), row.effective_date or dt.date.min

    kept: dict[str, FloatRow] = {}
    for row in _sound(rows, _FLOATS, sieve):
        known = kept.get(row.ticker)
        newer = known is None or rank(row) > rank(known)
        if known is not None:
            sieve.drop_row(Flaw.DUPLICATE, known if newer else row, row.ticker)
        if newer:
            kept[row.ticker] = row
    return list(kept.values())


def sound_splits(rows: Iterable[SplitRow], since: dt.date, until: dt.date, sieve: Sieve) -> list[SplitRow]:
    """One split a ticker, day and ratio: the vendor repeats some, also as 1:7 and 10:70, and a factor counts once.

    Different ratios on one day are all kept: which of them is true, the prices say (market/split_check.py).
    """
    kept: dict[tuple[str, dt.date, float], SplitRow] = {}
    for row in _sound(rows, _SPLITS, sieve):
        ratio = row.split_from / row.split_to
        if not since <= row.execution_date <= until:
            sieve.drop_row(Flaw.FOREIGN_DAY, row, row.ticker)
        elif not SPLIT_SHARES.least <= ratio <= SPLIT_SHARES.most:
            sieve.drop_row(Flaw.RATIO, row, row.ticker)
        elif (key := (row.ticker, row.execution_date, round(math.log(ratio), 9))) in kept:
            sieve.drop_row(Flaw.DUPLICATE, row, row.ticker)
        else:
            kept[key] = row
    return list(kept.values())


def sound_dividends(rows: Iterable[DividendRow], since: dt.date, until: dt.date, sieve: Sieve) -> list[DividendRow]:
    """One row a ticker, ex-day and payment: the same id, or the same amount of the same kind, is one payment.

    Different amounts of one day are all kept: an ordinary dividend and a special one may share their ex-day.
    """
    kept: list[DividendRow] = []
    known: set[tuple[object, ...]] = set()
    for row in _sound(rows, _DIVIDENDS, sieve):
        day = (row.ticker, row.ex_dividend_date)
        # What a row does not name is what it is stored as: two rows of one stored key would refuse the whole list.
        kind = row.distribution_type or UNNAMED_KIND
        keys: set[tuple[object, ...]] = {
            (*day, row.cash_amount, (row.currency or NO_CURRENCY).upper(), kind),
            *([(*day, row.id)] if row.id is not None else []),
        }
        if not since <= row.ex_dividend_date <= until:
            sieve.drop_row(Flaw.FOREIGN_DAY, row, row.ticker)
        elif known & keys:
            sieve.drop_row(Flaw.DUPLICATE, row, row.ticker)
        else:
            kept.append(row)
            known |= keys
    return kept


def sound_closures(rows: Iterable[ClosureRow], sieve: Sieve) -> list[ClosureRow]:
    """The closures ahead without what cannot be."""
    return list(_sound(rows, _CLOSURES, sieve))


def _sound(rows: Iterable[Row], checks: FieldChecks, sieve: Sieve) -> Iterator[Row]:
    for row in rows:
        if (sound := checks.sound(row, sieve)) is not None:
            yield sound
