"""Gives the tests of the stamps a database as an earlier release left it, and a look at everything that was written."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
import redis as redis_client

from consumer.postgres.pool import open_pool
from tests.former_release import leave_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

LEASE = dt.timedelta(seconds=10)
DAY = dt.date(2025, 11, 11)
STAMPED_SINCE = "0009_source.sql"


class Place:
    """One database and one Redis."""

    def __init__(self, dsn: str, pool: Pool, redis: Redis) -> None:
        self.dsn, self.pool, self.redis = dsn, pool, redis
        self.schema = "maintenance"

    async def as_before_the_stamp(self) -> None:
        """Make the tables of the release before the stamp."""
        await leave_tables(self.dsn, before=STAMPED_SINCE)
        self.schema = "public"

    async def loaded(self, part: str, *, request_id: str | None, source: str = "massive:rest") -> None:
        """A load of an earlier run."""
        await self.pool.execute(
            f"INSERT INTO {self.schema}.data_load "
            "(cycle_id, task, part, fence, source, request_id, fetched_at, row_count) "
            "VALUES (1, 'ohlc_daily', $1, 1, $2, $3, now(), 10)",
            part, source, request_id,
        )  # fmt: skip

    async def everything(self) -> dict[str, Any]:
        """Every table with its number of rows, and every key: what a refused run must leave as it was."""
        names = await self.pool.fetch(
            "SELECT schemaname || '.' || tablename FROM pg_tables "
            "WHERE schemaname IN ('public', 'maintenance') ORDER BY 1"
        )
        tables = {name: await self.pool.fetchval(f"SELECT count(*) FROM {name}") for (name,) in names}
        return {"tables": tables, "keys": sorted(await self.redis.keys("*"))}


@pytest.fixture
async def place(postgres_dsn: str, redis: Redis) -> AsyncIterator[Place]:
    async with await open_pool(postgres_dsn, lease=LEASE, size=4) as pool:
        yield Place(postgres_dsn, pool, redis)


@pytest.fixture
def cache(redis_url: str) -> Iterator[redis_client.Redis]:
    with redis_client.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client
