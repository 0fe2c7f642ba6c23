"""`maintenance status`: one screen on the current and the last cycle, from the ledger."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.cycle.day_status import human_duration
from consumer.postgres.pool import CONNECTION_ERRORS
from consumer.runtime import connect_redis, utc_now
from consumer.settings import build_calendar
from consumer.terminal.reach import reach_postgres
from consumer.terminal.servers import NotRunning, locate
from consumer.web.monitor import Monitor
from market.schedule import Schedule
from producers.reports import CycleStatus

if TYPE_CHECKING:
    from consumer.settings import Settings

EXIT_FINDING, EXIT_UNREACHABLE = 3, 4


async def show(settings: Settings, *, as_json: bool) -> int:
    """Print the status; 0 when the newest due day is complete or on its way, 3 when not, 4 when unreachable."""
    try:
        servers = locate(settings)
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNREACHABLE
    calendar = build_calendar(settings)
    schedule = Schedule(calendar, settings.rules)
    try:
        pool = await reach_postgres(servers.database_url)
    except CONNECTION_ERRORS as error:
        sys.stderr.write(f"PostgreSQL does not answer ({error}): is `maintenance run` up, or DATABASE_URL right?\n")
        return EXIT_UNREACHABLE
    async with pool, connect_redis(servers.redis_url) as redis:
        monitor = Monitor(pool=pool, redis=redis, schedule=schedule, calendar=calendar, now=utc_now)
        answer = await monitor.status()
        due = schedule.latest_due(utc_now())
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
    else:
        _print(Console(), answer)
    last_complete = answer["last_complete_day"]
    fresh = last_complete is not None and last_complete >= due.trading_day
    return 0 if fresh or (answer["current"] and answer["current"].state == "running") else EXIT_FINDING


def _print(console: Console, answer: dict[str, object]) -> None:
    for title in ("current", "last"):
        status = answer[title]
        if isinstance(status, CycleStatus):
            _print_cycle(console, title, status)
    due = answer["next_due"]
    console.print(f"last complete day: {answer['last_complete_day'] or 'none yet'}", highlight=False)
    if isinstance(due, dict):
        console.print(f"next: {due['reason']} at {due['at']:%Y-%m-%d %H:%M} UTC", highlight=False)
    streams = answer["streams"]
    words = "Redis does not answer" if streams is None else ", ".join(f"{k} {v}" for k, v in dict(streams).items())  # type: ignore[call-overload]
    console.print(f"streams: {words}", highlight=False)
    if letters := answer["dead_letters"]:
        console.print(f"[red]dead letters: {letters}[/], see `maintenance dead-letters list`", highlight=False)


def _print_cycle(console: Console, title: str, status: CycleStatus) -> None:
    seconds = human_duration(status.duration_seconds or 0.0)
    console.print(f"[bold]{title}[/]: {status.date} cycle {status.cycle} {status.state} {seconds}", highlight=False)
    for task, state in status.tasks.items():
        parts = status.parts.get(task)
        counted = "" if parts is None else f"{parts.done}/{parts.total} parts, {status.rows.get(task, 0):,} rows"
        console.print(f"  {task:<16} {state.value:<12} {counted}", highlight=False)
    for line in status.missing:
        console.print(f"  [red]missing[/] {line}", highlight=False)
    for line in status.warnings:
        console.print(f"  [yellow]note[/]    {line}", highlight=False)
    if status.next_try_at is not None:
        console.print(f"  tries again at {status.next_try_at:%Y-%m-%d %H:%M} UTC", highlight=False)
