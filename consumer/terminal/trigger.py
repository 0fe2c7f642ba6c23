"""`maintenance trigger`: asks a running service for a cycle or a task, and follows it if told to."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.postgres.decisions import COMMAND_LINE
from consumer.runtime import connect_redis, utc_now
from consumer.settings import build_calendar
from consumer.terminal.cancel import operator
from consumer.terminal.parameters import NOBODY, Who
from consumer.terminal.progress import display_for
from consumer.terminal.reach import reach_tables
from consumer.terminal.refused import usage
from consumer.terminal.servers import locate
from consumer.terminal.summary import exit_code
from consumer.terminal.watch import LOOK_EVERY_S, CycleWatch, RequestRefused, View
from consumer.verdict import words
from consumer.verdict.options import expectations_set
from consumer.verdict.reading import judge_day
from contract.messages import ALL_TASKS, TaskMessage, TaskName
from contract.reports import CycleState
from market.calendar_errors import CalendarError
from market.schedule import Schedule
from process.exit_codes import ExitCode
from producers.trigger import request as request_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from consumer.settings import Settings
    from consumer.verdict.ruler import Expectations


class TriggerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance trigger`."""

    day: dt.date | None
    task: TaskName
    force: bool
    wait: bool
    who: Who = NOBODY


async def send(settings: Settings, request: TriggerRequest) -> int:
    """Send the request and say where it went; with `wait` follow it to its end."""
    calendar = build_calendar(settings)
    try:
        day = request.day or calendar.last_completed(utc_now())
        calendar.session(day)
    except CalendarError as error:
        raise usage(error) from error
    servers = locate(settings)
    async with contextlib.AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect_redis(servers.redis_url))
        pool: Pool | None = None
        if request.wait:  # before it is sent: what cannot be followed is not asked for by halves
            pool = await stack.enter_async_context(await reach_tables(settings, servers.database_url))
        entry_id = await request_of(redis, _message(request, day))
        sys.stdout.write(f"{entry_id}\n")
        if pool is None:
            return ExitCode.OK
        expectations = expectations_set(settings, Schedule(calendar, settings.rules))
        return await _follow(pool, redis, entry_id, day, expectations)


def _message(request: TriggerRequest, day: dt.date) -> TaskMessage:
    return TaskMessage(
        task=request.task,
        trading_day=day,
        force=request.force,
        requested_by=request.who.by or operator(),
        reason=request.who.reason,
        via=COMMAND_LINE,
    )


async def _follow(pool: Pool, redis: Redis, entry_id: str, day: dt.date, expectations: Expectations) -> int:
    watch = CycleWatch(pool, redis)
    view: View | None = None
    with display_for(Console(stderr=True)) as display:
        try:
            while view is None or not view.at_rest:
                view = await watch.serving(entry_id, day)
                if view is not None:
                    display.show(view)
                await asyncio.sleep(LOOK_EVERY_S)
        except RequestRefused as refused:
            sys.stderr.write(f"refused: {refused}\n")
            return ExitCode.USAGE
    verdict = await judge_day(pool, expectations, day, now=utc_now())
    sys.stderr.write(f"cycle {view.cycle.cycle_id}: {view.cycle.state}\n{words.sentence(verdict)}\n")
    for line in dict.fromkeys([*words.missing_lines(verdict), *view.cycle.missing]):
        sys.stderr.write(f"missing {line}\n")
    if request_is_small(view):
        return ExitCode.OK if view.cycle.state is CycleState.COMPLETE else ExitCode.FINDING
    return exit_code(view, verdict)


def request_is_small(view: View) -> bool:
    """Whether only some tasks were asked for: they may be done on a day that lacks others."""
    return set(view.cycle.tasks) < {task.value for task in ALL_TASKS}
