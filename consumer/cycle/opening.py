"""Opens a cycle, joins one that already does the work, or makes the request wait its turn.

One cycle runs at a time. A scheduled cycle takes over from an older one (its plan contains what that one lacked); a
person's request joins a running cycle that covers it, and otherwise waits until that one has ended.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from consumer.delivery.errors import Busy, DataRejected
from consumer.postgres import cycle_changes, cycles, ledger, part_outcomes
from consumer.postgres.cycle_changes import Request
from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId, PartPlan
from contract.messages import ALL_TASKS, TaskMessage, TaskName
from contract.reports import CycleState
from market.calendar_errors import CalendarError
from market.schedule import BadRule, due_time, parse_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool
    from market.schedule import Schedule
    from market.session import TradingSession
    from market.trading_calendar import TradingCalendar

PLAN = PartPlan(task=TaskName.CYCLE, part="plan", stage="cycle/plan")
_ENTRY_ID = re.compile(r"(\d{1,14})-\d+")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NO_CLOCK_BEFORE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)  # nobody ran this service then
BUSY_DELAY = dt.timedelta(seconds=3)
BACKFILL_TASKS = (TaskName.OHLC_DAILY, TaskName.VOLUME_SLOTS)
BACKFILL_PATIENCE = dt.timedelta(days=7)
LONGEST_BACKFILL = 520  # sessions: two years


def request_from(
    message: TaskMessage, origin: str, *, calendar: TradingCalendar, schedule: Schedule, now: dt.datetime
) -> Request:
    """Return the request that *message* makes; *origin* is the stream entry. Raises DataRejected with the cure.

    Without a trading day it means the last one completed when it was made, however late it is delivered, or again.
    """
    try:
        day = message.trading_day or calendar.last_completed(made_at(origin, now=now))
        session = calendar.session(day)
    except CalendarError as error:
        raise DataRejected(str(error)) from error
    if session.closes_at > now:
        raise DataRejected(f"trading_day {day} has not closed yet: ask again after {session.closes_at:%H:%M} UTC")
    if message.first_day is not None:
        return _backfill(message, origin, calendar=calendar, last_day=day, now=now)
    due_at = now if message.rule is None else _due_at(message.rule, session, now=now)
    return Request(
        trading_day=day,
        occasion=message.rule or f"request:{origin}",
        scheduled=message.rule is not None,
        due_at=due_at,
        requested_by=message.requested_by,
        tasks=tasks_of(message.task),
        force=message.force,
        give_up_at=schedule.give_up_at(day, now),
    )


def made_at(origin: str, *, now: dt.datetime) -> dt.datetime:
    """Return when the entry *origin* was made: an id begins with Redis' clock, unless somebody wrote it by hand.

    An id that is no instant of our time, or one still to come (Redis' clock may be ahead), means the present.
    """
    milliseconds = _ENTRY_ID.match(origin)
    if milliseconds is None:
        return now
    instant = _EPOCH + dt.timedelta(milliseconds=int(milliseconds[1]))
    return instant if _NO_CLOCK_BEFORE <= instant < now else now


def _backfill(
    message: TaskMessage, origin: str, *, calendar: TradingCalendar, last_day: dt.date, now: dt.datetime
) -> Request:
    first_day = message.first_day
    assert first_day is not None, "only a backfill has a first day"
    try:
        sessions = calendar.trading_days(first_day, last_day)
    except CalendarError as error:
        raise DataRejected(str(error)) from error
    if not sessions:
        raise DataRejected(f"first_day {first_day} is after trading_day {last_day}: give the earlier one first")
    if len(sessions) > LONGEST_BACKFILL:
        raise DataRejected(f"{len(sessions)} sessions in one backfill: at most {LONGEST_BACKFILL}, ask for parts of it")
    if message.task is not TaskName.CYCLE and message.task not in BACKFILL_TASKS:
        raise DataRejected(f"task {message.task.value} has no past to fill: use ohlc_daily, volume_slots or cycle")
    wanted = BACKFILL_TASKS if message.task is TaskName.CYCLE else (message.task,)
    return Request(
        trading_day=last_day,
        occasion=f"request:{origin}",
        scheduled=False,
        due_at=now,
        requested_by=message.requested_by,
        tasks=tuple(task.value for task in wanted),
        force=message.force,
        give_up_at=now + BACKFILL_PATIENCE,
        first_day=sessions[0],
    )


def _due_at(text: str, session: TradingSession, *, now: dt.datetime) -> dt.datetime:
    """When the rule falls due on that day. Raises Busy before: a cycle opened early would count as the rule's own,
    and what the rule is for would never be fetched. Redis' clock may well be a second ahead of ours."""
    try:
        rules = parse_rules(text)
    except BadRule as error:
        raise DataRejected(f"rule {error}") from error
    if len(rules) > 1:
        raise DataRejected(f"rule '{text}' is {len(rules)} rules: send a message for each")
    due_at = due_time(rules[0], session)
    if due_at > now:
        raise Busy(f"{text} of {session.day} is due at {due_at:%H:%M} UTC", delay=due_at - now)
    return due_at


def tasks_of(task: TaskName) -> tuple[str, ...]:
    """Return the tasks a request means: a cycle all of them, one task itself and the caches made from it."""
    if task is TaskName.CYCLE:
        return tuple(name.value for name in ALL_TASKS)
    return tuple(dict.fromkeys((task.value, TaskName.REDIS_SYNC.value)))


class Served(Enum):
    """How a request was served."""

    OPENED = "opened"  # by a cycle of its own
    JOINED = "joined"  # by one that runs and does the same
    KNOWN = "known"  # by the one that it was served by before


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: the cycle that serves it, those it replaced, and the parts to send."""

    cycle: Cycle
    served: Served
    superseded: tuple[Cycle, ...] = ()
    suspended: tuple[Cycle, ...] = ()
    parts: tuple[PartId, ...] = ()


async def open_cycle(pool: Pool, request: Request, *, now: dt.datetime) -> Opened:
    """Open, join or find the cycle for *request*. Raises Busy while another one has to end first."""
    async with pool.acquire() as connection, connection.transaction():
        await cycle_changes.take_turn(connection)
        known = await cycles.cycle_of_occasion(connection, request.trading_day, request.occasion)
        # Its entry comes again where a commit was not acknowledged: the cycle is there, its parts perhaps not sent.
        if known is not None:
            parts = await ledger.dispatchable(connection, known.cycle_id)
            return Opened(cycle=known, served=Served.KNOWN, parts=tuple(parts))
        unended = await cycles.unended_cycles(connection)
        suspended: tuple[Cycle, ...] = ()
        if request.first_day is None:
            suspended = await suspend_backfills(connection, unended, now=now)
            unended = [other for other in unended if other.first_day is None]
        replaced = [other for other in unended if replaces(request, other)]
        running = next((one for one in unended if one.state is CycleState.RUNNING and one not in replaced), None)
        if running is not None:
            return await _join(connection, request, running, suspended)
        # First the old, then the new: an index on the running one allows no second.
        await cycle_changes.end_cycles(connection, replaced, CycleState.SUPERSEDED, now=now)
        cycle = await _insert(connection, request, now)
        return Opened(
            cycle=cycle,
            served=Served.OPENED,
            superseded=tuple(replaced),
            suspended=suspended,
            parts=tuple(await ledger.dispatchable(connection, cycle.cycle_id)),
        )


async def _join(connection: Connection, request: Request, running: Cycle, suspended: tuple[Cycle, ...]) -> Opened:
    """Let *running* serve the request. Raises Busy where it does not do the same, or has given a part of it up."""
    if not joins(request, running) or await part_outcomes.has_failed_part(connection, running):
        raise Busy(f"cycle {running.cycle_id} for {running.trading_day} is running", delay=BUSY_DELAY)
    # Whoever opened it may have died before it sent the first part, and its request may be gone.
    parts = await ledger.dispatchable(connection, running.cycle_id)
    return Opened(cycle=running, served=Served.JOINED, suspended=suspended, parts=tuple(parts))


async def suspend_backfills(connection: Connection, unended: Sequence[Cycle], *, now: dt.datetime) -> tuple[Cycle, ...]:
    """Let the running backfill wait: it goes on with what it still lacks when nothing else runs."""
    running = tuple(other for other in unended if other.first_day is not None and other.state is CycleState.RUNNING)
    await cycle_changes.suspend(connection, running, now=now, reason="the day's own cycle goes first")
    return running


def replaces(request: Request, other: Cycle) -> bool:
    """Whether *request* does all that *other* still wants, and should do it instead; a backfill never does."""
    if request.first_day is not None or other.first_day is not None:
        return False
    if not set(other.tasks) <= set(request.tasks) or other.trading_day > request.trading_day:
        return False
    if other.force and not request.force:
        return False  # what was asked for by force is not brought by a plan of what is missing
    if request.scheduled and other.scheduled:
        return other.due_at <= request.due_at
    if request.scheduled:
        return other.trading_day == request.trading_day
    return other.state is CycleState.WAITING and other.trading_day == request.trading_day


def joins(request: Request, running: Cycle) -> bool:
    """Whether *running* is already doing what *request* asks for."""
    return (
        running.trading_day == request.trading_day
        and running.first_day == request.first_day
        and set(request.tasks) <= set(running.tasks)
        and (running.force or not request.force)
    )


async def _insert(connection: Connection, request: Request, now: dt.datetime) -> Cycle:
    cycle = await cycle_changes.insert_cycle(connection, request, now)
    await ledger.insert_parts(connection, cycle.cycle_id, 1, [PLAN])
    await ledger.unblock(connection, cycle.cycle_id)
    return cycle
