"""Defines the two messages that make this service work, and reads and writes them as flat strings.

Twin of streams.md, where people find the same fields. Known fields are strict and all their faults are
told together; unknown ones are ignored, so that a producer may be deployed before its readers. What we
write for others to read (status, events, dead letters) is in contract/reports.py.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from contract.flat_fields import BadField, quote, read_field, write_field
from contract.plain_text import require_plain, require_reason
from market.session import SessionPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Of task messages. A writer says it only where it is above 1: what every worker knows needs no version.
TASK_VERSION = 1
SESSION_CHANGED = "SESSION_CHANGED"

# Names that a person means trading_day by. Ignored as unknown fields they would start the wrong day.
MISTAKEN_DAY_NAMES = ("date", "day", "trading_date")


class UndecodableMessage(Exception):
    """A stream entry that is no message of ours; the text names each bad field, its value and the cure."""


class NewerMessage(UndecodableMessage):
    """A message that says a version that this reader does not know; the text says both. No fault of its sender."""

    def __init__(self, version: int, *, known: int) -> None:
        super().__init__(f"version {version}, and {known} is known here")
        self.version = version


class TaskName(StrEnum):
    CYCLE = "cycle"
    OHLC_DAILY = "ohlc_daily"
    VOLUME_SLOTS = "volume_slots"
    METADATA_ENRICH = "metadata_enrich"
    REDIS_SYNC = "redis_sync"


#: What a whole cycle consists of.
ALL_TASKS = tuple(task for task in TaskName if task is not TaskName.CYCLE)


class SessionChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The market went from one session phase to another at the scheduled instant `timestamp`."""

    event: str = SESSION_CHANGED
    from_session: SessionPhase
    to_session: SessionPhase
    trading_date: dt.date
    timestamp: dt.datetime
    regular_close: dt.datetime
    early_close: bool
    source: str

    def __post_init__(self) -> None:
        if self.event != SESSION_CHANGED:
            raise BadField(f"event {quote(self.event)} is unknown: this stream carries {SESSION_CHANGED}")
        if self.from_session == self.to_session:
            raise BadField(f"from_session and to_session are both {self.to_session}: a change has two phases")
        _refuse_naive(timestamp=self.timestamp, regular_close=self.regular_close)
        _refuse_untidy(source=self.source)


class TaskMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work. Without a trading day the cycle takes the last completed one.

    With a first day it is a backfill: the gaps of the sessions from there to the trading day, behind all other work.
    """

    task: TaskName
    trading_day: dt.date | None = None
    first_day: dt.date | None = None
    rule: str | None = None
    part: str | None = None
    cycle: int | None = None
    attempt: int = 1
    waits: int = 0
    force: bool = False
    request: str | None = None
    requested_by: str = "operator"
    reason: str | None = None
    via: str | None = None
    deliveries: int | None = None
    clear_caches: bool | None = None
    traceparent: str | None = None
    version: int | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.version < 1:
            raise BadField(f"version '{self.version}' is no version: the first is 1, leave it out")
        if self.attempt < 1:
            raise BadField(f"attempt '{self.attempt}' is too small: the first attempt is 1")
        if self.cycle is not None and self.cycle < 1:
            raise BadField(f"cycle '{self.cycle}' is no cycle: ids start at 1, leave it out if unknown")
        _refuse_untidy(rule=self.rule, part=self.part, request=self.request)
        _refuse_untidy(requested_by=self.requested_by, via=self.via, traceparent=self.traceparent)
        if self.reason is not None:
            require_reason("reason", self.reason)


def encode(message: msgspec.Struct) -> dict[str, str]:
    """The flat fields for XADD, in the order of the Struct; what is None is left out."""
    values = ((name, getattr(message, name)) for name in message.__struct_fields__)
    return {name: write_field(value) for name, value in values if value is not None}


def decode_session_changed(fields: Mapping[str, str]) -> SessionChanged:
    return decode(SessionChanged, fields)


def decode_task(fields: Mapping[str, str], *, version: int = TASK_VERSION) -> TaskMessage:
    """Read a task message of *version* at most. Raises NewerMessage before anything else of it is looked at."""
    _refuse_newer(fields, known=version)
    for name in MISTAKEN_DAY_NAMES:
        if fields.get(name, "").strip():
            raise UndecodableMessage(f"{name} {quote(fields[name])} is not a field of a task: write trading_day")
    return decode(TaskMessage, fields)


def _refuse_newer(fields: Mapping[str, str], *, known: int) -> None:
    text = fields.get("version", "").strip()
    try:
        wanted = int(read_field("version", text, int)) if text else 1
    except BadField:
        return  # told together with the other faults
    if wanted > known:
        raise NewerMessage(wanted, known=known)


M = TypeVar("M", bound=msgspec.Struct)


def decode(wanted: type[M], fields: Mapping[str, str]) -> M:
    """The message of type *wanted* in *fields*; a blank value counts as absent."""
    values: dict[str, object] = {}
    problems: list[str] = []
    for field in _fields_of(wanted):
        text = fields.get(field.name, "").strip()
        try:
            if text:
                values[field.name] = read_field(field.name, text, field.type)
            elif field.required:
                problems.append(f"{field.name} is missing")
        except BadField as error:
            problems.append(str(error))
    if problems:
        raise UndecodableMessage("; ".join(problems))
    try:
        return wanted(**values)
    except BadField as error:
        raise UndecodableMessage(str(error)) from error


@cache
def _fields_of(wanted: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Resolving the annotations costs far more than reading a message does."""
    return msgspec.structs.fields(wanted)


def _refuse_naive(**instants: dt.datetime) -> None:
    for name, instant in instants.items():
        if instant.tzinfo is None:
            raise BadField(f"{name} '{instant.isoformat()}' has no offset: an instant needs one")


def _refuse_untidy(**texts: str | None) -> None:
    for name, text in texts.items():
        if text is not None:
            require_plain(name, text)
