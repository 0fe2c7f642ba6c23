"""What stands of the sessions, as one value: all that a verdict needs of the database.

It is read by holdings_reader.py; what it means is said by consumer/verdict, without a server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of one data set on one session.

    Of bars *expected* are the rows that were loaded, *loaded* those that stand. Of slots they are (session, symbol)
    pairs: expected are the symbols that were listed on that session, loaded those that traded, *empty* those proven
    not to have; they are *kept* of a session on which any row of them stands.
    """

    expected: int
    loaded: int
    empty: int = 0
    unproven: int = 0
    missing: int = 0
    set_aside: int = 0
    restated: int = 0
    oldest: dt.datetime | None = None
    newest: dt.datetime | None = None
    why: str | None = None
    source: str | None = None
    request_id: str | None = None
    cycle: int | None = None
    fence: int | None = None
    accepted_short: bool = False
    retired: bool = False
    kept: bool = False


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest load of a data set that describes the present, or is computed of the newest day.

    Of ATR, *lost* rows stood there and do not any more; *broken* symbols have none because of the hole that ended
    with the session *unbroken_since*.
    """

    trading_day: dt.date
    fetched_at: dt.datetime
    rows: int
    lost: int = 0
    broken: int = 0
    unbroken_since: dt.date | None = None


class LastAsked(msgspec.Struct, frozen=True, kw_only=True):
    """How many active symbols, listed *since* a session (None: always), were last asked for details on *asked_on*."""

    since: dt.date | None
    asked_on: dt.date | None
    symbols: int


class Unended(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that runs or waits; of a backfill *first_day* is set."""

    trading_day: dt.date
    tasks: tuple[str, ...]
    first_day: dt.date | None


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger holds, at one instant.

    *bars* has every covered session, *slots* those asked about. *reasons* says by data set why the newest cycle did
    not bring it. *began_at*: when this database was first maintained. *version*: see `read_version`.
    """

    bars: Mapping[dt.date, Held] = {}
    slots: Mapping[dt.date, Held] = {}
    newest: Mapping[str, Newest] = {}
    details: tuple[LastAsked, ...] = ()
    symbols: int = 0
    findings: Mapping[tuple[dt.date, str], tuple[str, ...]] = {}
    reasons: Mapping[tuple[dt.date, str], str] = {}
    capabilities: Mapping[str, bool] = {}
    unended: tuple[Unended, ...] = ()
    began_at: dt.datetime | None = None
    version: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions, and how the data sets are called."""

    days: tuple[dt.date, ...]
    bars: str
    slots: str
    atr: str
    present: tuple[str, ...]
    computed: tuple[str, ...]
    tasks: tuple[str, ...]
