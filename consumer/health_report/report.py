"""Holds the report on a month: the schema of what `maintenance report --json` prints.

A section that is null has no records to be made of: `records` says why, and no section stands there with zeros instead.
Days are New York's, instants UTC, spans of time seconds.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

from contract.reports import Condition, SessionState


class Standing(StrEnum):
    """What a session is counted as: the state of its verdict, but for what is not due and for what was never kept."""

    FINAL = "final"
    PROVISIONAL = "provisional"
    PARTIAL = "partial"
    MISSING = "missing"
    SUSPECT = "suspect"
    RETIRED = "retired"
    NOT_YET_DUE = "not_yet_due"
    BEFORE_THE_DATA = "before_the_data"


class Records(StrEnum):
    """Whether the working records of a month stand: those of its cycles, restatements, findings, letters, samples."""

    WHOLE = "whole"
    IN_PART = "in_part"  # from `records_since` on; what was before is gone, or was before the first cycle
    GONE = "gone"  # deleted by retention
    NEVER = "never"  # the month was over before the first cycle


class WhyLate(StrEnum):
    """What made a session whole after its deadline, where that is known."""

    BACKFILL = "backfill"
    FINDING_SETTLED = "finding_settled"  # it had been suspect until then


class DayHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A weekday: its session's verdict, or why there was none (*closed*: the holiday).

    *early_close*: when regular trading ended, New York time. *gaps*: the data sets that somebody should see to.
    """

    day: dt.date
    closed: str | None = None
    early_close: str | None = None
    standing: Standing | None = None
    state: SessionState | None = None
    condition: Condition | None = None
    sentence: str | None = None
    gaps: tuple[str, ...] = ()


class LateSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is whole, and has been so only since after the *deadline*."""

    day: dt.date
    state: SessionState
    deadline: dt.datetime
    since: dt.datetime
    late_by_seconds: float
    why: WhyLate | None = None


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """The late ones; *unknown*: whole sessions of which nobody noted since when they are so."""

    sessions: tuple[LateSession, ...] = ()
    unknown: int = 0


class RestatedRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of final sessions that the vendor gave otherwise later on, by how many days after the session."""

    data_set: str
    sessions: int
    within_1_day: int
    after_2_to_5_days: int
    after_6_to_30_days: int
    later: int
    rows: int


class BroughtSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the month whose bars stand as a backfill brought them."""

    day: dt.date
    cycle: int
    requested_by: str


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """A backfill that was opened in the month, for sessions of whatever month."""

    cycle: int
    first_day: dt.date
    last_day: dt.date
    requested_by: str
    state: str
    opened_at: dt.datetime


class Settlements(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that were settled in the month: *cleared* by evidence, *accepted* by a person."""

    state: str
    by: str
    findings: int


class SettledOne(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    day: dt.date
    data_set: str
    kind: str
    state: str
    by: str
    reason: str
    settled_at: dt.datetime


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """What did not come by itself in time; of *backfills* and *findings* the newest are named, all are counted."""

    sessions: tuple[BroughtSession, ...] = ()
    backfills_opened: int = 0
    backfills: tuple[Backfill, ...] = ()
    settled: tuple[Settlements, ...] = ()
    findings: tuple[SettledOne, ...] = ()


class Cycles(msgspec.Struct, frozen=True, kw_only=True):
    """Cycles that were opened in the month, by kind and state; *seconds* from opening to end."""

    kind: str
    state: str
    cycles: int
    seconds: float


class TaskWork(msgspec.Struct, frozen=True, kw_only=True):
    """Their parts by task; *seconds* of work, though many parts run at once."""

    task: str
    parts: int
    failed: int
    rows: int
    seconds: float


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of the month, and what has become of them by now."""

    given_up: int = 0
    open: int = 0
    replayed: int = 0
    dropped: int = 0


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What the month cost."""

    requests: dict[str, int] = {}
    cycles: tuple[Cycles, ...] = ()
    tasks: tuple[TaskWork, ...] = ()
    letters: Letters = Letters()


class SampledRows(msgspec.Struct, frozen=True, kw_only=True):
    """Stored rows that were fetched again and compared, by how old their session was then; *share* differed."""

    data_set: str
    age: str
    sessions: int
    compared: int
    differed: int
    share: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A month's health at one instant."""

    month: str
    title: str
    as_of: dt.datetime
    is_over: bool
    is_whole: bool
    data_since: dt.date | None
    source: str | None
    counts: dict[Standing, int]
    days: tuple[DayHealth, ...]
    late: Lateness
    records: Records
    records_since: dt.datetime | None
    restated: tuple[RestatedRows, ...] | None
    repaired: Repaired | None
    spent: Spent | None
    sampled: tuple[SampledRows, ...] | None
