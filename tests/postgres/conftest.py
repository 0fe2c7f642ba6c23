"""Gives storage tests a migrated, empty database; to make one anew for each test would take most of their time."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from tests.conftest import execute, finish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.embedded.postgres_server import EmbeddedPostgres
    from consumer.postgres.pool import Connection, Pool

LEASE = dt.timedelta(seconds=10)


async def set_up(dsn: str) -> None:
    async with await open_pool(dsn, lease=LEASE, size=1) as pool:
        await migrate(pool)


async def empty(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migration'"
        )
        await connection.execute("TRUNCATE " + ", ".join(row["tablename"] for row in tables) + " RESTART IDENTITY")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def migrated_dsn(postgres_server: EmbeddedPostgres) -> str:
    name = f"storage_{uuid.uuid4().hex[:12]}"
    finish(execute(postgres_server.dsn, f"CREATE DATABASE {name} TEMPLATE template0"))
    dsn = postgres_server.dsn.replace("/postgres?", f"/{name}?", 1)
    finish(set_up(dsn))
    return dsn


@pytest.fixture
async def pool(migrated_dsn: str) -> AsyncIterator[Pool]:
    await empty(migrated_dsn)
    async with await open_pool(migrated_dsn, lease=LEASE, size=4) as opened:
        yield opened


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as acquired:
        yield acquired
