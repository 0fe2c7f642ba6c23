"""Weighs what a listing says of a symbol, or that it says nothing, against what the bars and the ledger prove.

Pure. The vendor's listing can come short and tidy, and one field of a row can be wrong: neither takes a symbol out of
the market while its bars show that it trades. docs/evidence.md has the rules as a table.
"""

from __future__ import annotations

import datetime as dt
from enum import Enum

import msgspec

from market.symbols import is_test_issue

#: So many further listings, on later days, must lack a symbol before they outweigh that it trades.
FURTHER_LISTINGS = 3


class Place(Enum):
    """Where a row of the listing puts its symbol."""

    LISTED = "listed"
    OVER_THE_COUNTER = "otc"
    TEST = "test"
    NOT_LISTED = "not listed"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What decides of a row of the listing."""

    symbol: str
    name: str | None = None
    type: str | None = None
    has_code: bool = False  # a FIGI or a CIK
    market: str | None = None
    active: bool | None = None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of its symbol: a company with a type or a code, a bar with volume in the newest session."""

    is_company: bool = False
    trades: bool = False


def is_doubtful(row: Row) -> bool:
    """Whether what is stored has to be asked before the row can be placed."""
    return row.active is False or row.market == "otc" or is_test_issue(row.symbol)


def place(row: Row, stored: Stored) -> tuple[Place, str]:
    """Say where *row* puts its symbol, and what speaks against a field of it, if something does."""
    if is_test_issue(row.symbol) and _is_test(row) and not stored.is_company:
        return Place.TEST, ""
    if row.active is False:
        return (Place.LISTED, "active: false") if stored.trades else (Place.NOT_LISTED, "")
    if row.market == "otc":
        return (Place.LISTED, "market: otc") if stored.trades else (Place.OVER_THE_COUNTER, "")
    return Place.LISTED, ""


def _is_test(row: Row) -> bool:
    """A name on a list of test issues is no proof: a symbol with a type or a code is a company's."""
    return not row.has_code and (row.type is None or "TEST" in (row.name or "").upper().split())


class Absence(Enum):
    """What an absence from a complete listing means."""

    DELISTED = "delisted"
    UNLISTED = "unlisted"
    RENAMED = "renamed"
    KEPT = "kept"


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """An active symbol that a complete listing lacks.

    *newest_session* is the newest stored one, *last_traded* the last with volume of it, *delisted_on* what the vendor
    says of the same company, *missed* how many listings of later days lacked it after the first.
    """

    symbol: str
    last_traded: dt.date | None
    newest_session: dt.date | None
    delisted_on: dt.date | None = None
    missed: int = 0


def weigh_absence(absent: Absent, *, day: dt.date) -> Absence:
    """Say whether *absent*, which a listing of *day* lacks, has left the market."""
    traded = absent.last_traded
    if absent.delisted_on is not None and absent.delisted_on <= day and (traded or dt.date.min) <= absent.delisted_on:
        return Absence.DELISTED
    trades = traded is not None and absent.newest_session is not None and traded >= absent.newest_session
    if trades and absent.missed < FURTHER_LISTINGS:
        return Absence.KEPT
    return Absence.UNLISTED


def delisting_day(text: str | None) -> dt.date | None:
    """Read `delisted_utc`; what cannot be read says nothing."""
    try:
        return None if text is None else dt.date.fromisoformat(text[:10])
    except ValueError:
        return None
