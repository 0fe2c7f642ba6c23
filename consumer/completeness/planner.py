"""Gives whoever asks what a part of a cycle is given, so that it can ask the plan what it would do; it runs nothing.

The commands and the page make a forecast of the same value, so neither can promise another thing than the other.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

import msgspec
import redis as blocking_redis
from redis.asyncio import Redis

from consumer.completeness.forecast import Pace
from consumer.completeness.reading_context import reading_context
from consumer.options import task_options
from consumer.postgres.pool import Pool
from consumer.settings import Settings
from consumer.tasks.part import Services
from consumer.vendor.protocol import FlatFileStore
from consumer.verdict.options import expectations_set
from contract.messages import ALL_TASKS
from market.data_source import VENDOR, DataSource
from market.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.tasks.part import PartContext
    from consumer.vendor.protocol import MarketDataVendor
    from consumer.verdict.ruler import Expectations


_EVERY_TASK = tuple(task.value for task in ALL_TASKS)


class Planner(msgspec.Struct, frozen=True, kw_only=True):
    """The service's ledger and settings, as its own plan sees them, at the instant `now`."""

    pool: Pool
    redis: Redis
    settings: Settings
    schedule: Schedule
    cache: blocking_redis.Redis
    now: dt.datetime
    source: DataSource
    flat_files: FlatFileStore | None = None

    @property
    def expectations(self) -> Expectations:
        return expectations_set(self.settings, self.schedule)

    @property
    def pace(self) -> Pace:
        unlimited = not self.source.is_same(VENDOR)
        return Pace(
            per_second=None if unlimited else self.settings.requests_per_second,
            per_minute=self.settings.requests_per_minute,
        )

    def context(
        self,
        day: dt.date,
        *,
        first_day: dt.date | None = None,
        tasks: Sequence[str] = _EVERY_TASK,
        now: dt.datetime | None = None,
    ) -> PartContext:
        """A context for *day* as if a cycle had been opened at *now*."""
        at = now or self.now
        return reading_context(self._services(at), day, first_day=first_day, tasks=tasks)

    def _services(self, at: dt.datetime) -> Services:
        return Services(
            pool=self.pool,
            cache=self.cache,
            vendor=cast("MarketDataVendor", None),  # a forecast asks nobody
            calendar=self.schedule.calendar,
            schedule=self.schedule,
            options=task_options(self.settings),
            now=lambda: at,
            flat_files=self.flat_files,
            source=self.source,
        )
