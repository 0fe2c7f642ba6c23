"""Defines what this service writes for others to read: the day's status, events and dead letters.

The status is a superset of the JSON that readers of the earlier service know. Readers may rely on these
fields as streams.md lists them; nobody steers the service by writing them.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from contract.messages import TaskName, UndecodableMessage, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_DETAIL = 1_000
ORIGINAL_FIELD = "field:"


class CycleState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class TaskState(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAITING = "waiting"


class PartCount(msgspec.Struct, frozen=True, kw_only=True):
    done: int
    failed: int
    total: int


class SessionState(StrEnum):
    """What stands of a session."""

    MISSING = "missing"  # nothing
    PARTIAL = "partial"  # symbols or data sets lack
    PROVISIONAL = "provisional"  # whole, fetched before its final instant
    FINAL = "final"  # whole, fetched since
    SUSPECT = "suspect"  # whole, but the market in it is implausible
    RETIRED = "retired"  # once whole, deleted by retention


class Condition(StrEnum):
    """The same in the four words that users of market data know."""

    AVAILABLE = "available"
    PENDING = "pending"  # not due, provisional, or published later by this plan
    DEGRADED = "degraded"  # partial or suspect
    MISSING = "missing"


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one cycle did about a day; the day itself may be whole or not whatever it did."""

    cycle: int
    trading_day: dt.date
    state: CycleState
    tasks: dict[str, TaskState]
    rule: str | None = None
    requested_by: str | None = None
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    duration_seconds: float | None = None
    reason: str | None = None
    parts: dict[str, PartCount] = {}
    missing: list[str] = []
    warnings: list[str] = []
    rows: dict[str, int] = {}
    requests: dict[str, int] = {}
    next_try_at: dt.datetime | None = None


class DataSetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of one data set of the day: bars in rows, slots in symbols."""

    state: SessionState
    condition: Condition
    due_at: dt.datetime
    expected: int = 0
    loaded: int = 0
    empty: int = 0
    unproven: int = 0
    missing: int = 0
    since: dt.datetime | None = None
    later: bool = False
    deadline: dt.datetime | None = None
    deadline_missed: bool = False
    source: str | None = None
    why: str | None = None


class DayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of one trading day, and what was last done about it, as `maintenance:status:{day}` shows it.

    The first six fields are those of the earlier service. *tasks* and *all_success* say what the day's data are; what
    a cycle did is in *run*.
    """

    date: dt.date
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    duration_seconds: float | None = None
    all_success: bool = False
    tasks: dict[str, TaskState]
    state: SessionState
    condition: Condition
    summary: str
    since: dt.datetime | None = None
    due_at: dt.datetime
    final_at: dt.datetime
    last_modified_at: dt.datetime | None = None
    missing: list[str] = []
    later: list[str] = []
    deadlines_missed: list[str] = []
    not_in_plan: list[str] = []
    data_sets: dict[str, DataSetReport] = {}
    run: RunReport | None = None
    updated_at: dt.datetime


class EventName(StrEnum):
    CYCLE_PLANNED = "cycle_planned"
    CYCLE_WAITING = "cycle_waiting"
    CYCLE_FINISHED = "cycle_finished"
    CYCLE_SUPERSEDED = "cycle_superseded"
    CYCLE_CANCELLED = "cycle_cancelled"
    TASK_FINISHED = "task_finished"
    PART_FAILED = "part_failed"
    DEAD_LETTERED = "dead_lettered"
    RECLAIMED = "reclaimed"
    SESSION_JUDGED = "session_judged"
    DEADLINE_MISSED = "deadline_missed"
    DEADLINE_MADE_GOOD = "deadline_made_good"


class MaintenanceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened that an observer may want to know; nothing in the service waits for it."""

    event: EventName
    at: dt.datetime
    trading_day: dt.date | None = None
    cycle: int | None = None
    task: TaskName | None = None
    part: str | None = None
    detail: str | None = None

    def __post_init__(self) -> None:
        _keep_to_one_line(self, "detail")


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A stream entry that was given up: where it stood, why, and its own fields as they were."""

    stream: str
    entry_id: str
    reason: str
    deliveries: int
    at: dt.datetime
    fields: dict[str, str] = {}

    def __post_init__(self) -> None:
        _keep_to_one_line(self, "reason")


class _DeadLetterHead(msgspec.Struct, frozen=True, kw_only=True):
    stream: str
    entry_id: str
    reason: str
    deliveries: int
    at: dt.datetime


def encode_status(status: DayStatus) -> str:
    return msgspec.json.encode(status).decode()


def decode_status(text: str | bytes) -> DayStatus:
    try:
        return msgspec.json.decode(text, type=DayStatus)
    except msgspec.DecodeError as error:
        raise UndecodableMessage(f"the status is not the JSON of streams.md: {error}") from error


def decode_event(fields: Mapping[str, str]) -> MaintenanceEvent:
    return decode(MaintenanceEvent, fields)


def encode_dead_letter(letter: DeadLetter) -> dict[str, str]:
    head = _DeadLetterHead(**{name: getattr(letter, name) for name in _DeadLetterHead.__struct_fields__})
    return encode(head) | {ORIGINAL_FIELD + name: value for name, value in letter.fields.items()}


def decode_dead_letter(fields: Mapping[str, str]) -> DeadLetter:
    head = decode(_DeadLetterHead, fields)
    original = {
        name.removeprefix(ORIGINAL_FIELD): value for name, value in fields.items() if name.startswith(ORIGINAL_FIELD)
    }
    return DeadLetter(**msgspec.structs.asdict(head), fields=original)


def _keep_to_one_line(record: msgspec.Struct, name: str) -> None:
    """An error's text may hold line breaks, megabytes of HTML, bytes that UTF-8 has no form for, and a NUL, which
    PostgreSQL refuses."""
    text = getattr(record, name)
    if text is None:
        return
    encodable = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    msgspec.structs.force_setattr(record, name, " ".join(encodable.split())[:LONGEST_DETAIL].strip() or "-")
