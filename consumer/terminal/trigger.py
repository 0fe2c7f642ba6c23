"""`maintenance trigger`: asks a running service for a cycle or a task, and follows it if told to."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.runtime import connect_redis, utc_now
from consumer.settings import build_calendar
from consumer.terminal.answers import Triggered, write_json
from consumer.terminal.progress import display_for
from consumer.terminal.reach import reach_tables
from consumer.terminal.refused import usage
from consumer.terminal.servers import locate
from consumer.terminal.summary import exit_code
from consumer.terminal.watch import LOOK_EVERY_S, CycleWatch, RequestRefused, View
from consumer.verdict import words
from consumer.verdict.options import expectations_set
from consumer.verdict.reading import judge_day
from contract.messages import ALL_TASKS, TaskName
from contract.reports import CycleState
from market.calendar_errors import CalendarError
from market.schedule import Schedule
from process.exit_codes import ExitCode
from producers.trigger import request_cycle

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from consumer.settings import Settings
    from consumer.verdict.ruler import Expectations
    from consumer.verdict.states import SessionVerdict


class TriggerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance trigger`."""

    day: dt.date | None
    task: TaskName
    force: bool
    wait: bool
    as_json: bool = False


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
        entry_id = await request_cycle(
            redis, trading_day=day, task=request.task, force=request.force, requested_by="maintenance trigger"
        )
        answer = Triggered(entry_id=entry_id, trading_day=day, task=request.task)
        if not request.as_json:
            sys.stdout.write(f"{entry_id}\n")
            sys.stdout.flush()
        elif pool is None:
            write_json(answer)
        if pool is None:
            return ExitCode.OK
        expectations = expectations_set(settings, Schedule(calendar, settings.rules))
        view, verdict = await _followed(pool, redis, answer, expectations)
        return _told(answer, view, verdict, as_json=request.as_json)


async def _followed(
    pool: Pool, redis: Redis, asked: Triggered, expectations: Expectations
) -> tuple[View, SessionVerdict]:
    """The cycle that serves it, at rest, and the verdict on its session. Raises CommandRefused."""
    watch, day = CycleWatch(pool, redis), asked.trading_day
    view: View | None = None
    with display_for(Console(stderr=True)) as display:
        try:
            while view is None or not view.at_rest:
                view = await watch.serving(asked.entry_id, day)
                if view is not None:
                    display.show(view)
                await asyncio.sleep(LOOK_EVERY_S)
        except RequestRefused as refused:
            raise usage(f"refused: {refused}") from refused
    return view, await judge_day(pool, expectations, day, now=utc_now())


def _told(asked: Triggered, view: View, verdict: SessionVerdict, *, as_json: bool) -> int:
    missing = list(dict.fromkeys([*words.missing_lines(verdict), *view.cycle.missing]))
    sentence = words.sentence(verdict)
    sys.stderr.write(f"cycle {view.cycle.cycle_id}: {view.cycle.state}\n{sentence}\n")
    sys.stderr.write("".join(f"missing {line}\n" for line in missing))
    if as_json:
        done = msgspec.structs.replace(
            asked,
            cycle=view.cycle.cycle_id,
            state=view.cycle.state,
            session=verdict.state,
            sentence=sentence,
            missing=missing,
        )
        write_json(done)
    if request_is_small(view):
        return ExitCode.OK if view.cycle.state is CycleState.COMPLETE else ExitCode.FINDING
    return exit_code(view, verdict)


def request_is_small(view: View) -> bool:
    """Whether only some tasks were asked for: they may be done on a day that lacks others."""
    return set(view.cycle.tasks) < {task.value for task in ALL_TASKS}
