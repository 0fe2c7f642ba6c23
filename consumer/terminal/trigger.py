"""`maintenance trigger`: asks a running service for a cycle or a task, and follows it if told to."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from redis.exceptions import RedisError
from rich.console import Console

from consumer.postgres.pool import CONNECTION_ERRORS
from consumer.runtime import connect_redis, utc_now
from consumer.settings import build_calendar
from consumer.terminal.progress import display_for
from consumer.terminal.reach import reach_postgres
from consumer.terminal.servers import NotRunning, locate
from consumer.terminal.watch import LOOK_EVERY_S, CycleWatch, RequestRefused, View
from market.calendar_errors import CalendarError
from producers.messages import TaskName
from producers.trigger import request_cycle

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.settings import Settings
    from consumer.terminal.servers import Servers

EXIT_USAGE, EXIT_FINDING, EXIT_UNREACHABLE = 2, 3, 4


class TriggerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance trigger`."""

    day: dt.date | None
    task: TaskName
    force: bool
    wait: bool


async def send(settings: Settings, request: TriggerRequest) -> int:
    """Send the request and say where it went; with `wait` follow it to its end."""
    calendar = build_calendar(settings)
    try:
        servers = locate(settings)
        day = request.day or calendar.last_completed(utc_now())
        calendar.session(day)
    except CalendarError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except NotRunning as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNREACHABLE
    try:
        async with connect_redis(servers.redis_url) as redis:
            entry_id = await request_cycle(
                redis, trading_day=day, task=request.task, force=request.force, requested_by="maintenance trigger"
            )
            sys.stdout.write(f"{entry_id}\n")
            return await _follow(servers, redis, entry_id, day) if request.wait else 0
    except (RedisError, *CONNECTION_ERRORS) as error:
        sys.stderr.write(f"the service does not answer ({error}): is `maintenance run` up, are REDIS_URL and "
                         "DATABASE_URL right?\n")  # fmt: skip
        return EXIT_UNREACHABLE


async def _follow(servers: Servers, redis: Redis, entry_id: str, day: dt.date) -> int:
    console = Console(stderr=True)
    async with await reach_postgres(servers.database_url) as pool:
        watch = CycleWatch(pool, redis)
        view: View | None = None
        with display_for(console) as display:
            try:
                while view is None or not view.at_rest:
                    view = await watch.serving(entry_id, day)
                    if view is not None:
                        display.show(view)
                    await asyncio.sleep(LOOK_EVERY_S)
            except RequestRefused as refused:
                sys.stderr.write(f"refused: {refused}\n")
                return EXIT_USAGE
    sys.stderr.write(f"cycle {view.cycle.cycle_id}: {view.cycle.state}\n")
    for line in view.cycle.missing:
        sys.stderr.write(f"missing {line}\n")
    return 0 if view.cycle.state == "complete" else EXIT_FINDING
