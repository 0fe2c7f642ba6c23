"""A database with our tables, and a receiver."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.postgres.pool import open_pool
from tests.alerts.receiving import Receiving, receiving
from tests.cycle.conftest import clock, market, postgres_dsn, stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Connection, Pool

__all__ = ["clock", "market", "postgres_dsn", "stack"]


@pytest.fixture
async def pool(migrated_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(migrated_dsn, lease=dt.timedelta(seconds=10), size=4) as found:
        yield found


@pytest.fixture
async def receiver() -> AsyncIterator[Receiving]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as found:
        yield found
