"""Holds neighbouring releases to: they work side by side, up and down; whoever is served no more stops."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer import service
from consumer.checks import start_up
from consumer.checks.start_up import StartRefused, through_restarts
from consumer.postgres import migrate as module
from consumer.postgres import packaged
from consumer.postgres.migrate import Upgrade, finish, migrate
from consumer.postgres.pool import CONNECTION_ERRORS, open_pool
from consumer.postgres.schema import read_schema
from consumer.postgres.schemas import BY_DEFAULT
from consumer.postgres.served import until_unserved
from consumer.postgres.versions import NotServed, Versions, Waiting, read_versions
from tests.former_release import leave_tables
from tests.next_release import AFTER, BEFORE, NEXT, next_release

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

LEASE = dt.timedelta(seconds=10)
OURS = NEXT - 1
GIVEN_UP_AFTER_S = 30.0  # what would otherwise hang
TAKEN_AWAY = (
    "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'vendor_capability'::regclass AND attname = 'of_next' "
    "AND NOT attisdropped)"
)


async def opened(dsn: str) -> Pool:
    return await open_pool(dsn, lease=LEASE, size=2)


async def versions(pool: Pool) -> Versions | None:
    return await read_versions(pool, BY_DEFAULT)


async def test_a_program_older_than_the_tables_starts_and_works_as_long_as_they_serve_it(
    migrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with next_release(monkeypatch):
        async with await opened(migrated_dsn) as pool:
            assert await migrate(pool) == [BEFORE.name], "what takes something away waits"
            assert (await read_schema(pool)).unfinished == (AFTER.name,)
    async with await opened(migrated_dsn) as pool:
        assert await migrate(pool) == []
        schema = await read_schema(pool)
        assert schema.fits
        assert schema.newer == (BEFORE.name,)
        assert schema.versions == Versions(version=NEXT, oldest_served=14)


async def test_an_older_program_leaves_the_readers_views_as_the_newer_one_made_them(
    migrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with next_release(monkeypatch):
        async with await opened(migrated_dsn) as pool:
            await migrate(pool)
            await pool.execute("UPDATE reader_view SET definition = 'of the next release'")
    async with await opened(migrated_dsn) as pool:
        await migrate(pool)
        assert await pool.fetchval("SELECT count(DISTINCT definition) FROM reader_view") == 1


async def test_finishing_has_programs_that_are_at_work_stop_and_refuses_their_next_start(
    migrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_EVERY_S", 0.01)
    async with await opened(migrated_dsn) as old:

        async def stop_when_told() -> str:
            told = await until_unserved(old, every_s=0.01)
            with pytest.raises(NotServed) as refused:  # as any session that it would open now
                async with await opened(migrated_dsn):
                    pass
            assert isinstance(refused.value, CONNECTION_ERRORS), "to its parts the database is away: nothing counts"
            await old.close()
            return str(told)

        working = asyncio.create_task(stop_when_told())
        with next_release(monkeypatch):
            # The sessions of the older program are opened; it is this one that now is the next.
            new = await opened(migrated_dsn)
            finishing = asyncio.create_task(finish(new))
            while (await versions(new)) != Versions(version=NEXT, oldest_served=NEXT):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert str(NEXT) in await working
        with next_release(monkeypatch):
            assert await finishing == [AFTER.name]
            assert not await new.fetchval(TAKEN_AWAY)
            await new.close()
    with pytest.raises(StartRefused, match=f"serve programs from version {NEXT} on.*run the release that made"):
        await through_restarts(lambda: opened(migrated_dsn))


async def test_what_an_older_program_still_reads_is_not_taken_away_while_it_is_at_work(
    migrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await opened(migrated_dsn) as old:
        with next_release(monkeypatch):
            async with await opened(migrated_dsn) as new:
                with pytest.raises(Waiting, match=rf"version before {NEXT} is at work.*maintenance/{OURS}@maintenance"):
                    await finish(new, patience_s=0.0)
                assert (await read_schema(new)).unfinished == (AFTER.name,)
        assert await old.fetchval(TAKEN_AWAY)


async def test_a_new_database_gets_both_halves_at_once(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with next_release(monkeypatch):
        async with await opened(postgres_dsn) as pool:
            assert (await migrate(pool))[-2:] == [BEFORE.name, AFTER.name]
            assert await versions(pool) == Versions(version=NEXT, oldest_served=NEXT)


async def test_tables_are_not_moved_while_a_program_of_the_release_before_is_at_work(postgres_dsn: str) -> None:
    await leave_tables(postgres_dsn)
    older = await asyncpg.connect(postgres_dsn, server_settings={"application_name": "maintenance"})
    async with await opened(postgres_dsn) as pool:
        with pytest.raises(Waiting, match="a program of a version before 14 is at work, with 1 sessions"):
            await migrate(pool)
        assert await older.fetchval("SELECT count(*) FROM market_data_daily") == 0, "nothing was moved"
        await older.close()
        assert await migrate(pool)


async def test_a_table_that_somebody_holds_is_not_waited_for_while_all_others_wait_behind(
    migrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TABLE_WITHIN_MS", 50)
    with next_release(monkeypatch):
        async with asyncio.timeout(GIVEN_UP_AFTER_S), await opened(migrated_dsn) as pool, pool.acquire() as holder:
            async with holder.transaction():
                await holder.execute("LOCK TABLE part IN ACCESS SHARE MODE")
                with pytest.raises(Waiting, match="somebody has held a table that is to be changed"):
                    await migrate(pool)
            assert await migrate(pool) == [BEFORE.name]


async def test_a_start_waits_until_older_programs_have_stopped_and_then_goes_on(
    logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_up, "FIRST_WAIT_S", 0.0)
    answers = [Waiting("a program of a version before 14 is at work"), None]

    async def step() -> str:
        if (answer := answers.pop(0)) is not None:
            raise answer
        return "started"

    assert await through_restarts(step) == "started"
    assert logged[0]["event"] == "schema_waited_for"


def test_a_program_says_its_version_by_its_newest_migration() -> None:
    assert packaged.version() == max(one.number for one in packaged.migrations())


async def test_a_worker_that_is_served_no_more_stops_as_if_it_were_told_to_and_says_why(
    migrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "until_unserved", functools.partial(until_unserved, every_s=0.01))
    handed_back = []

    class Working:
        async def run(self, stop: asyncio.Event) -> None:
            await pool.execute("UPDATE schema_version SET version = $1, oldest_served = $1", NEXT)
            await stop.wait()
            handed_back.append("all")

    async with asyncio.timeout(GIVEN_UP_AFTER_S), await opened(migrated_dsn) as pool:
        told = await service._run_while_served(Working(), pool, asyncio.Event())  # type: ignore[arg-type]
    assert f"serve programs from version {NEXT} on" in str(told)
    assert handed_back == ["all"]


async def test_a_worker_that_is_told_to_stop_says_nothing_of_the_sort(migrated_dsn: str) -> None:
    class Working:
        async def run(self, stop: asyncio.Event) -> None:
            stop.set()

    async with await opened(migrated_dsn) as pool:
        assert await service._run_while_served(Working(), pool, asyncio.Event()) is None  # type: ignore[arg-type]


async def test_a_start_that_may_not_migrate_waits_until_somebody_has(postgres_dsn: str) -> None:
    async with await opened(postgres_dsn) as pool:
        with pytest.raises(Waiting, match="MIGRATE_AT_START is off: run `maintenance migrate`"):
            await start_up.bring_up_to_date(pool, Upgrade(at_start=False))
        assert not (await read_schema(pool)).made
        await migrate(pool)
        await start_up.bring_up_to_date(pool, Upgrade(at_start=False))
