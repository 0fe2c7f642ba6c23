"""Holds migrations to: each once, however many start together, and never two schemas under one name."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.postgres import packaged
from consumer.postgres.migrate import SchemaMismatch, migrate
from consumer.postgres.packaged import Migration, migrations
from consumer.postgres.pool import open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Pool

STARTS = """
import asyncio, datetime as dt, sys
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool

async def main():
    pool = await open_pool(sys.argv[1], lease=dt.timedelta(seconds=1), size=2)
    print(*await migrate(pool))
    await pool.close()

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


async def test_five_processes_that_start_together_apply_each_migration_once(postgres_dsn: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", STARTS, postgres_dsn, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        )
        for _ in range(5)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * 5
    applied = [name for out, _ in answers for name in out.decode().split()]
    assert applied == [migration.name for migration in migrations()]


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """A database of the test's own: these tests change what is known of it."""
    async with await open_pool(postgres_dsn, lease=dt.timedelta(seconds=10), size=2) as opened:
        await migrate(opened)
        yield opened


async def test_a_second_start_applies_nothing(pool: Pool) -> None:
    assert await migrate(pool) == []


async def test_a_file_changed_after_it_was_applied_is_refused(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = migrations()
    changed = Migration(name=first.name, sql=first.sql + "\n-- afterthought")
    monkeypatch.setattr(packaged, "migrations", lambda: [changed, *others])
    with pytest.raises(SchemaMismatch, match=first.name):
        await migrate(pool)


async def test_a_database_with_another_line_of_migrations_is_refused(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, newest = migrations()
    another = Migration(name=newest.name.replace(".", "_otherwise."), sql=newest.sql)
    monkeypatch.setattr(packaged, "migrations", lambda: [*others, another])
    with pytest.raises(SchemaMismatch, match=newest.name):
        await migrate(pool)


async def test_a_failing_migration_leaves_nothing_behind(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrations()
    good = Migration(name="9001_good.before.sql", sql="CREATE TABLE half (x integer)")
    bad = Migration(name="9002_bad.before.sql", sql="CREATE TABLE half (x integer)")
    monkeypatch.setattr(packaged, "migrations", lambda: [*known, good, bad])
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(pool)
    assert await pool.fetchval("SELECT to_regclass('half')") is None
    monkeypatch.setattr(packaged, "migrations", lambda: [*known, good])
    assert await migrate(pool) == ["9001_good.before.sql"]
