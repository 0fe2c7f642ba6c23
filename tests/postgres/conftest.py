"""Gives storage tests a pool and a connection to a migrated, empty database."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.postgres.pool import open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Connection, Pool

LEASE = dt.timedelta(seconds=10)


@pytest.fixture
async def pool(migrated_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(migrated_dsn, lease=LEASE, size=4) as opened:
        yield opened


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as acquired:
        yield acquired
