"""`maintenance status`: one screen on the newest session, how it is served, what is being done, and the calendar.

It is the page's first answer in words: both are read by consumer/page/overview.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
from typing import TYPE_CHECKING

import msgspec
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape

from consumer.completeness.caches import changed_keys
from consumer.cycle.run_report import human_duration
from consumer.page.overview import Desk
from consumer.runtime import connect_blocking_redis, stop_signals, utc_now
from consumer.settings import build_calendar
from consumer.terminal.answers import write_json
from consumer.terminal.calendar_table import calendar_table
from consumer.terminal.reach import looking
from consumer.verdict import words
from consumer.verdict.options import expectations_set
from consumer.verdict.service import Service
from consumer.web.monitor import Monitor, Status
from market.schedule import Schedule
from market.trading_calendar import NEW_YORK
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from consumer.page.overview import Overview
    from consumer.settings import Settings
    from contract.reports import DayStatus, RunReport

_SHOWN = 3
LOOK_EVERY_S = 2.0
_COLOURS = {
    Service.SERVED: "green",
    Service.UNDER_WAY: "yellow",
    Service.SUSPECT: "red",
    Service.LATE: "red",
}


async def show(settings: Settings, *, watch: bool, as_json: bool) -> int:
    """Print the status; 0 while the newest due time is served, or under way before its deadline, 3 when not.

    4 when Redis does not answer, which holds what readers read. With *watch* again whenever something is otherwise,
    until it is told to stop. Raises CommandRefused.
    """
    expectations = expectations_set(settings, Schedule(build_calendar(settings), settings.rules))
    async with looking(settings) as service:
        monitor = Monitor(pool=service.pool, redis=service.redis, expectations=expectations, now=utc_now)
        desk = Desk(monitor, settings)
        if not watch:
            overview = await _look(desk, service.servers.redis_url)
            _tell(overview, as_json=as_json)
            return exit_code(overview.status)
        return await _watch(desk, service.servers.redis_url, as_json=as_json)


async def _look(desk: Desk, redis_url: str) -> Overview:
    """The page's answer, and of the caches also what a look at every key of theirs shows."""
    overview = await desk.read()
    changed = await _changed(redis_url) if overview.status.caches else []
    if not changed:
        return overview
    status = msgspec.structs.replace(overview.status, caches=False, caches_changed=changed)
    return msgspec.structs.replace(overview, status=status)


async def _watch(desk: Desk, redis_url: str, *, as_json: bool) -> int:
    told = ""
    async with stop_signals() as stop:
        while True:
            overview = await _look(desk, redis_url)
            if (words_now := _text(overview)) != told:
                told = words_now
                _tell(overview, as_json=as_json, again=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
            if stop.is_set():
                return exit_code(overview.status)


def _text(overview: Overview) -> str:
    """All that is said, without the time at which it was."""
    written = io.StringIO()
    _print(Console(file=written, width=200, no_color=True), overview)
    return written.getvalue()


def _tell(overview: Overview, *, as_json: bool, again: bool = False) -> None:
    if as_json:
        write_json(overview.status, line=again)
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    if again and sys.stdout.isatty():
        console.clear()
    elif again:
        console.print(f"at {overview.status.now.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} ET", highlight=False)
    _print(console, overview)


async def _changed(redis_url: str) -> list[str]:
    """The keys that somebody else wrote over; none where Redis goes away meanwhile."""
    try:
        with connect_blocking_redis(redis_url) as cache:
            return await asyncio.to_thread(changed_keys, cache)
    except RedisError:
        return []


def _print_caches(console: Console, status: Status) -> None:
    for line in status.caches_contested:
        console.print(f"[red]caches:[/] {escape(line)}", highlight=False)
    if changed := status.caches_changed:
        more = f" and {len(changed) - _SHOWN:,} more" if len(changed) > _SHOWN else ""
        names = escape(", ".join(changed[:_SHOWN]) + more)
        console.print(f"[red]caches:[/] not as written, a running consumer mends them: {names}", highlight=False)
    if status.caches is False and not (status.caches_contested or status.caches_changed):
        console.print("[red]caches: Redis has lost them[/]; a running consumer writes them again", highlight=False)


def exit_code(status: Status) -> int:
    """Return what a script is to make of *status*."""
    if status.streams is None:
        return ExitCode.UNREACHABLE
    return ExitCode.OK if status.serving.is_fine and status.caches else ExitCode.FINDING


def _print(console: Console, overview: Overview) -> None:
    status = overview.status
    serving = status.serving
    colour = _COLOURS[serving.service]
    console.print(f"[bold {colour}]{status.session.summary}[/]", highlight=False)
    console.print(words.serving_words(serving), highlight=False)
    _print_data_sets(console, status.session)
    _print_missed(console, status)
    for line in status.behind.values():
        console.print(f"[yellow]behind[/] {line}; see `maintenance gaps`", highlight=False)
    for title, run in (("current", status.current), ("last", status.last)):
        if run is not None:
            _print_run(console, title, run)
    console.print(
        f"last whole session: {status.last_run or 'none yet'} · last final: {status.last_final or 'none yet'}",
        highlight=False,
    )
    console.print(overview.next, highlight=False)
    for wait in overview.waits:
        until = "" if wait.until is None else f", until {wait.until:%Y-%m-%d %H:%M} UTC"
        console.print(f"waits for {wait.what}: {wait.evidence}{until}", highlight=False, markup=False)
    console.print(calendar_table(overview.calendar))
    if status.source is not None:
        console.print(f"source: {status.source.words}", highlight=False, markup=False)
    _print_servers(console, status)


def _print_missed(console: Console, status: Status) -> None:
    for line in words.missed_in_words(status.deadlines_missed):
        console.print(f"[red]deadline missed[/] {escape(line)}", highlight=False)


def _print_data_sets(console: Console, session: DayStatus) -> None:
    for name, one in session.data_sets.items():
        counted = f"{one.loaded:,} of {one.expected:,}" if one.expected else ""
        extra = f", {one.empty:,} without trades" if one.empty else ""
        later = f" by {words.new_york(one.due_at, session.date)}" if one.later else ""
        console.print(f"  {name:<16} {one.state.value + later:<24} {counted}{extra}", highlight=False)
    for line in session.missing:
        console.print(f"  [red]missing[/] {line}", highlight=False)
    for name in session.not_in_plan:
        console.print(f"  [yellow]note[/]    {name}: not part of the plan behind this key", highlight=False)


def _print_run(console: Console, title: str, run: RunReport) -> None:
    seconds = human_duration(run.duration_seconds or 0.0)
    console.print(
        f"[bold]{title} run[/]: cycle {run.cycle} for {run.trading_day} {run.state} {seconds}", highlight=False
    )
    for task, state in run.tasks.items():
        parts = run.parts.get(task)
        counted = "" if parts is None else f"{parts.done}/{parts.total} parts, {run.rows.get(task, 0):,} rows"
        console.print(f"  {task:<16} {state.value:<12} {counted}", highlight=False)
    for line in run.warnings:
        console.print(f"  [yellow]note[/]    {line}", highlight=False)
    if run.next_try_at is not None:
        console.print(f"  tries again at {run.next_try_at:%Y-%m-%d %H:%M} UTC", highlight=False)


def _print_servers(console: Console, status: Status) -> None:
    if status.streams is None:
        console.print("[red]streams: Redis does not answer[/]", highlight=False)
    else:
        counts = ", ".join(f"{name} {count}" for name, count in status.streams.items())
        console.print(f"streams: {counts}", highlight=False)
    for work in status.for_newer_workers or []:
        asked = escape(" ".join(word for word in (work.task, work.part, work.note) if word))
        console.print(f"[yellow]parked[/]  {asked}", highlight=False)
    _print_caches(console, status)
    if status.dead_letters:
        more = status.dead_letters_only_counted
        beyond = f" and {more:,} more that were only counted" if more else ""
        console.print(
            f"[red]dead letters: {status.dead_letters}{beyond}[/], see `maintenance dead-letters list`", highlight=False
        )
