"""What stands, as one value: all that a plan, a verdict and a forecast need of the database.

It is read by holdings_reader.py; what it means is said by consumer/data_sets and consumer/verdict, without a server.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of one data set on one session.

    Of rows a session *expected* are those that were loaded, *loaded* those that stand. Of slots they are (session,
    symbol) pairs: expected are the symbols that were listed on that session, loaded those that traded, *empty* those
    proven not to have; they are *kept* of a session on which any row of them stands. Of their trades expected are the
    symbols that traded, loaded those of whose every slot they are known, *unproven* those of which the source left some
    or all unsaid, *missing* those whose row nobody has fetched since trades are kept.
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


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a data set on the day in question; *standing*: how many of its rows are there still.

    *standing* is None where rows are not counted.
    """

    row_count: int
    fetched_at: dt.datetime
    detail: Mapping[str, Any] = {}
    standing: int | None = None
    retired: bool = False

    @property
    def lost_rows(self) -> bool:
        """Whether somebody has deleted rows since."""
        return not self.retired and self.standing is not None and self.standing < self.row_count


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest load of a data set that describes the present, or is computed of the newest day.

    *lost* rows stood there and do not any more; of ATR, *broken* symbols have none because of the hole that ended with
    the session *unbroken_since*. *since*: of a list of events, the day from which on they were asked for.
    """

    trading_day: dt.date
    fetched_at: dt.datetime
    rows: int
    lost: int = 0
    broken: int = 0
    unbroken_since: dt.date | None = None
    since: dt.date | None = None


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

    *sessions* has by data set what stands of a session: of those in question, and of the covered ones around them;
    *first* the oldest covered day. *on_day* is the coverage of the day in question, *changed_at* when each set was last
    loaded for any day up to it; *rechecks* are the sessions up to it with an open finding, and when the least recent of
    those was last held against other evidence (None: never). *reasons* says by data set why the newest cycle did not
    bring it. *facts* is what a data set's own plan wants to know beside (see DataSet.reads). *began_at*: when this
    database was first maintained. *version*: see `read_version`.
    """

    sessions: Mapping[str, Mapping[dt.date, Held]] = {}
    first: Mapping[str, dt.date] = {}
    on_day: Mapping[str, Covered] = {}
    changed_at: Mapping[str, dt.datetime] = {}
    rechecks: Mapping[dt.date, dt.datetime | None] = {}
    newest: Mapping[str, Newest] = {}
    details: tuple[LastAsked, ...] = ()
    symbols: int = 0
    findings: Mapping[tuple[dt.date, str], tuple[str, ...]] = {}
    reasons: Mapping[tuple[dt.date, str], str] = {}
    capabilities: Mapping[str, bool] = {}
    unended: tuple[Unended, ...] = ()
    facts: Mapping[str, Any] = {}
    began_at: dt.datetime | None = None
    version: str = ""

    def of(self, data_set: str) -> Mapping[dt.date, Held]:
        """What stands of *data_set*, by session."""
        return self.sessions.get(data_set, {})

    def first_day(self, data_set: str) -> dt.date | None:
        """The oldest session of *data_set*."""
        return self.first.get(data_set, min(self.of(data_set), default=None))


class CountedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table with rows by session; *day_column* has the session."""

    table: str
    day_column: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions, and what the data sets are: the reader knows none of them by name.

    *by_session* has the sets that cover sessions with a load each, and the table whose rows are counted; *by_symbol*
    the one whose rows say themselves what there is of each symbol and session, None where nobody asks; *beside* is what
    those rows have besides. *by_fetch*: those that describe the present, the newest fetch counts. *by_day*: those
    computed of the newest day. *counted*: the tables of computed sets, whose rows are counted. *day*, if any, is the
    one that a plan is for, from *first_day* on.
    """

    days: tuple[dt.date, ...]
    by_session: Mapping[str, CountedTable | None]
    by_symbol: str | None = None
    beside: str | None = None
    by_fetch: tuple[str, ...] = ()
    by_day: tuple[str, ...] = ()
    counted: Mapping[str, CountedTable] = {}
    tasks: tuple[str, ...] = ()
    day: dt.date | None = None
    first_day: dt.date | None = None

    @property
    def every_set(self) -> list[str]:
        """The names of all of them."""
        return sorted({*self.by_session, *self.by_fetch, *self.by_day})
