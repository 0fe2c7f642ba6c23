"""Puts a request for a cycle or a task into the stream: in our words, or in those of the earlier service."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.web.bodies import BadRequest, read_body
from consumer.web.idempotency import request_name
from consumer.web.said import VIA, Said
from contract.messages import TaskMessage, TaskName
from market.calendar_errors import CalendarError
from producers.trigger import request as request_of

if TYPE_CHECKING:
    from aiohttp import web

    from consumer.web.monitor import Monitor

#: What a request for maintenance that names them comes to: which of the two, the settings of the worker decide.
PASSED_ON = (
    "clear_caches deletes nothing of this service, whose caches each night replaces whole; neighbours are told to "
    "clear theirs (trading:new_day) where PUBLISH_NEW_DAY is on, else it is ignored"
)
#: What a request to clear caches alone comes to.
NOT_CLEARED = (
    "clear_caches is ignored: the caches of this service are replaced whole by each night and never emptied before, "
    "and those of other services are theirs to clear"
)


class TriggerBody(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What POST /trigger may name; *target_date* is what the earlier service called *trading_day*."""

    trading_day: dt.date | None = None
    target_date: dt.date | None = None
    task: TaskName = TaskName.CYCLE
    force: bool = False
    clear_caches: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if None not in (self.trading_day, self.target_date) and self.trading_day != self.target_date:
            raise ValueError("trading_day and target_date name two days: they mean the same, leave one of them out")


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that stands in the stream; the first five fields are those of the earlier services."""

    status: str
    message: str
    target_date: dt.date
    caches_cleared: bool = False
    triggered_at: dt.datetime
    notes: list[str]
    accepted: bool = True
    entry_id: str
    look_at: str


async def accept(request: web.Request, monitor: Monitor, *, status: str, message: str) -> Accepted:
    """Put what the body of *request* asks for into the stream. Raises BadRequest."""
    wanted = await read_body(request, TriggerBody, example='{"trading_day": "2025-11-11"}')
    named = wanted.trading_day or wanted.target_date
    if named is not None and (refusal := _refusal(named, monitor)) is not None:
        raise BadRequest(refusal, status=422)
    # Pinned: delivered again after the next close it must still mean the day on which it was asked.
    now = monitor.now()
    day = named or monitor.calendar.last_completed(now)
    asked = TaskMessage(
        task=wanted.task,
        trading_day=day,
        force=wanted.force,
        request=request_name(request),
        requested_by=wanted.by,
        reason=wanted.reason,
        via=VIA,
        clear_caches=wanted.clear_caches or None,
    )
    entry_id = await request_of(monitor.redis, asked)
    notes = [PASSED_ON] if wanted.clear_caches else []
    return Accepted(
        status=status,
        message=message,
        target_date=day,
        triggered_at=now,
        notes=notes,
        entry_id=str(entry_id),
        look_at=f"/cycles/{day}",
    )


def _refusal(day: dt.date, monitor: Monitor) -> str | None:
    try:
        session = monitor.calendar.session(day)
    except CalendarError as error:
        return str(error)
    if session.closes_at > monitor.now():
        return f"trading_day {day} has not closed yet: ask after {session.closes_at:%H:%M} UTC"
    return None
