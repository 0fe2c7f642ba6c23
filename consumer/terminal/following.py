"""Follows cycles on the terminal: a progress bar while one runs, and what it has left when it is at rest.

A server that goes away ends nothing here: embedded ones come back by themselves, and one's own are waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
from typing import TYPE_CHECKING, TypeVar

import msgspec
from loguru import logger
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console

from consumer.cycle.reporting import Reporter
from consumer.postgres.cycles import cycle_of_occasion
from consumer.postgres.pool import BUSY_ERRORS, Pool
from consumer.runtime import Stopped, utc_now
from consumer.terminal.answers import write_json
from consumer.terminal.progress import display_for
from consumer.terminal.servers import Servers
from consumer.terminal.summary import Left, exit_code, print_summary, print_where_to_look, ran, read_left
from consumer.terminal.watch import LOOK_EVERY_S, CycleWatch, View
from consumer.verdict.reading import judge_day
from consumer.verdict.ruler import Expectations
from consumer.web.monitor import next_due, next_words
from contract import keys
from market.calendar_errors import CalendarError
from market.schedule import Schedule
from process.exit_codes import ExitCode
from producers.trigger import request_cycle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.verdict.states import SessionVerdict

SETTLED_WITHIN_S = 10.0
AGAIN_AFTER_S = 0.5
T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is for: *once*: it ends with the cycle of *trading_day* (None: the newest that is due)."""

    once: bool
    trading_day: dt.date | None


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has once everything is up."""

    servers: Servers
    pool: Pool
    redis: Redis
    schedule: Schedule
    expectations: Expectations
    status_url: str | None
    console: Console
    as_json: bool = False


async def follow(running: Running, wanted: Wanted, stop: asyncio.Event) -> int:
    """Show cycles and their summaries until *stop*, or until the wanted one is at rest; return the exit code."""
    watch = CycleWatch(running.pool, running.redis)
    stopped = asyncio.create_task(stop.wait())
    try:
        if wanted.once or wanted.trading_day is not None:
            return await _serve_request(running, wanted, watch, stopped)
        return await _serve_for_ever(running, watch, stopped)
    except Stopped:  # while a server was away
        return ExitCode.FAILED if wanted.once else ExitCode.OK
    finally:
        stopped.cancel()


async def _answered(ask: Callable[[], Awaitable[T]], stopped: asyncio.Task[bool]) -> T:
    """What *ask* gives, asked again until the servers answer. Raises Stopped."""
    logged = False
    while True:
        try:
            return await ask()
        except (RedisError, *BUSY_ERRORS) as error:
            if not logged:
                logger.warning("servers_do_not_answer", reason=f"{type(error).__name__}: {error}")
            logged = True
            await asyncio.wait({stopped}, timeout=AGAIN_AFTER_S)
            if stopped.done():
                raise Stopped from error


async def _serve_request(running: Running, wanted: Wanted, watch: CycleWatch, stopped: asyncio.Task[bool]) -> int:
    day = wanted.trading_day or running.schedule.latest_due(utc_now()).trading_day
    # Sent again where its answer is lost: asking twice does no work twice.
    asking = functools.partial(request_cycle, running.redis, trading_day=day, requested_by="maintenance run")
    entry_id = await _answered(asking, stopped)
    view: View | None = None
    with display_for(running.console) as display:
        while not stopped.done():
            view = await _answered(functools.partial(watch.serving, entry_id, day), stopped)
            if view is not None:
                display.show(view)
                if view.at_rest and view.cycle.finished_at is None and wanted.once:
                    break
                if view.at_rest and view.cycle.finished_at is not None:
                    break
            await asyncio.wait({stopped}, timeout=LOOK_EVERY_S)
    if view is None or not view.at_rest:
        running.console.print("stopped before the cycle had ended; starting again continues it")
        return ExitCode.FAILED
    verdict = await _answered(functools.partial(_published, running, view.cycle.trading_day, stopped), stopped)
    left = await _answered(functools.partial(read_left, running, view.cycle.cycle_id), stopped)
    url = None if wanted.once else running.status_url
    _tell(running, view, verdict, left, once=wanted.once)
    print_where_to_look(running.console, running.servers, status_url=url)
    if wanted.once:
        return exit_code(view, verdict)
    return await _serve_for_ever(running, watch, stopped, summarised=view.cycle.cycle_id)


def _tell(running: Running, view: View, verdict: SessionVerdict, left: Left, *, once: bool = False) -> None:
    """Print what a cycle has left; with --json on standard error, and here as a document, a line where more follow."""
    print_summary(running.console, view, verdict, left)
    if running.as_json:
        write_json(ran(view, verdict, left), line=not once)


async def _published(running: Running, day: dt.date, stopped: asyncio.Task[bool]) -> SessionVerdict:
    """Publish the verdict on *day* and return it, once the cycle's last message is settled.

    The ledger calls a cycle complete a moment before its end is told and acknowledged; a run that ended in that moment
    would stop the worker amid it. Others may send messages too: their end is not waited for longer than this.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.suppress(TimeoutError))
        await stack.enter_async_context(asyncio.timeout(SETTLED_WITHIN_S))
        while await running.redis.xlen(keys.TASKS.name) and not stopped.done():
            await asyncio.wait({stopped}, timeout=LOOK_EVERY_S)
    reporter = Reporter(running.pool, running.redis, running.expectations, now=utc_now)
    published = await reporter.judge(day)
    if published is not None:
        return published.judged.verdicts[day]
    return await judge_day(running.pool, running.expectations, day, now=utc_now())


async def _serve_for_ever(
    running: Running, watch: CycleWatch, stopped: asyncio.Task[bool], *, summarised: int | None = None
) -> int:
    """Show every cycle as it runs and its summary when it is at rest, until told to stop."""
    shown: tuple[int, int] | None = None if summarised is None else (summarised, 1)
    first = summarised is None
    while not stopped.done():
        view = await _answered(watch.newest, stopped)
        if view is None or (view.cycle.cycle_id, view.cycle.run_pass) == shown:
            await asyncio.wait({stopped}, timeout=1.0)
            continue
        if view.at_rest and first and not await _answered(functools.partial(_something_is_due, running), stopped):
            running.console.print("everything that was due is done; the last cycle:")
        if not view.at_rest:
            view = await _show_until_at_rest(running, watch, stopped)
        first = False
        if view is None or not view.at_rest:
            continue
        shown = (view.cycle.cycle_id, view.cycle.run_pass)
        day = view.cycle.trading_day
        judging = functools.partial(judge_day, running.pool, running.expectations, day, now=utc_now())
        verdict = await _answered(judging, stopped)
        left = await _answered(functools.partial(read_left, running, view.cycle.cycle_id), stopped)
        _tell(running, view, verdict, left)
        print_where_to_look(running.console, running.servers, status_url=running.status_url)
        due = next_due(running.schedule, running.schedule.calendar, utc_now())
        running.console.print(f"{next_words(due)} · Ctrl-C stops", highlight=False)
    running.console.print("stopping")
    return ExitCode.OK


async def _something_is_due(running: Running) -> bool:
    try:
        due = running.schedule.latest_due(utc_now())
    except CalendarError as error:
        running.console.print(f"nothing is due: {error}", highlight=False)
        return False
    return await cycle_of_occasion(running.pool, due.trading_day, due.rule.text) is None


async def _show_until_at_rest(running: Running, watch: CycleWatch, stopped: asyncio.Task[bool]) -> View | None:
    with display_for(running.console) as display:
        while not stopped.done():
            view = await _answered(watch.newest, stopped)
            if view is not None:
                display.show(view)
                if view.at_rest:
                    return view
            await asyncio.wait({stopped}, timeout=LOOK_EVERY_S)
    return None
