"""Connects a command to the service, and gives it the plan to ask."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from consumer.completeness.planner import Planner
from consumer.postgres.source_stamp import read_stamp
from consumer.runtime import connect_blocking_redis, utc_now
from consumer.settings import build_calendar
from consumer.terminal.reach import looking, reached
from consumer.vendors import flat_file_store
from market.data_source import VENDOR
from market.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.settings import Settings


@contextlib.asynccontextmanager
async def planner(settings: Settings, *, look: bool = True) -> AsyncIterator[Planner]:
    """Connect to the service until the block ends; *look*: nothing is asked of it. Raises CommandRefused."""
    schedule = Schedule(build_calendar(settings), settings.rules)
    async with (looking if look else reached)(settings) as found:
        with connect_blocking_redis(found.servers.redis_url) as cache:
            held = await read_stamp(found.pool) or VENDOR
            yield Planner(
                pool=found.pool,
                redis=found.redis,
                settings=settings,
                schedule=schedule,
                cache=cache,
                now=utc_now(),
                source=held,
                flat_files=flat_file_store(settings, held),
            )
