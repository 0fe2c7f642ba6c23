"""Holds an upgrade to schemas of our own to: every row stays, readers read on, and neighbours are left alone."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from consumer.postgres.migrate import SchemaMismatch, migrate
from consumer.postgres.moving_in import TABLES
from consumer.postgres.pool import Client, open_pool
from consumer.postgres.reader_view import Prices
from consumer.postgres.reader_views import views
from consumer.postgres.schema import read_schema
from consumer.postgres.schemas import Schemas
from tests.former_release import leave_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.pool import Pool

LEASE = dt.timedelta(seconds=10)
NAMES_OF_OUR_OWN = {
    "market_data_daily": "daily_bar",
    "volume_slots_daily": "session_slots",
    "ticker_universe": "listed_ticker",
    "ticker_metadata": "ticker_profile",
}
# Views of tables that such a release did not have.
OF_LATER_TABLES = {"ticker_universe_history", "ticker_metadata_history", "ticker_universe_daily"}
ROW_IN_EVERY_TABLE = """
    INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, state, opened_at, pass_started_at,
                       give_up_at)
        VALUES ('2025-11-11', 'CLOSED+15m', true, now(), 'rule', '{ohlc_daily}', 'complete', now(), now(), now());
    INSERT INTO part (cycle_id, task, part, stage, state, pass) VALUES (1, 'ohlc_daily', 'bars', 'bars', 'done', 1);
    INSERT INTO data_load (cycle_id, task, part, fence, source, fetched_at, row_count)
        VALUES (1, 'ohlc_daily', 'bars', 1, 'massive:rest', now(), 1);
    INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id)
        VALUES ('daily_bars', '2025-11-12', 1, now(), 1);
    INSERT INTO market_data_daily VALUES ('2025-11-11', 'A', 10, 12, 9, 11, 5, 10, 3, 1);
    INSERT INTO volume_slots_daily
        VALUES ('2025-11-11', 'A', 'traded', array_fill(0::float8, ARRAY[191]) || ARRAY[7::float8], now(), 1);
    INSERT INTO ticker_universe (symbol, is_active, last_seen, added_at, changed_at)
        VALUES ('A', true, '2025-11-11', now(), now());
    INSERT INTO ticker_metadata (symbol, company_name, created_at, updated_at) VALUES ('A', 'Agilent', now(), now());
    INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id)
        VALUES ('A', '2025-11-12', 1, 2, 'split', 1);
    INSERT INTO ticker_atr VALUES ('2025-11-11', 'A', 1, 2, 30, 1);
    INSERT INTO dead_letter (stream, entry_id, reason, fingerprint, deliveries, dead_at, fields)
        VALUES ('maintenance:tasks', '1-1', 'r', 'f', 5, now(), '{}');
    INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence)
        VALUES (1, 'd', '2025-11-11', 'bounds', '{}');
    INSERT INTO restatement (data_set, trading_day, symbol, change, load_id, found_at)
        VALUES ('daily_bars', '2025-11-11', 'A', 'added', 1, now());
    INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, found_at)
        VALUES ('OLD', '2025-11-11', 'renamed', 'A', now());
    INSERT INTO session_condition (trading_day, condition, state, reason, state_since, judged_at, data_sets)
        VALUES ('2025-11-11', 'available', 'final', 'r', now(), now(), '{}');
    INSERT INTO vendor_capability VALUES ('floats', true, now(), 'e');
    INSERT INTO data_source VALUES (true, 'vendor', 'massive', '', now(), 'first load');
    INSERT INTO session_finding (trading_day, data_set, kind, reason, load_id, found_at)
        VALUES ('2025-11-11', 'daily_bars', 'k', 'r', 1, now());
    INSERT INTO dead_letter_cause VALUES ('maintenance:tasks', 'f', 1, 0, now(), now());
"""
#: Views of what no release before 14 had.
SINCE_THEN = {"daily_total_return", "dividend_factor", "stock_dividend"}
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


async def open_for(dsn: str, **schemas: str) -> Pool:
    return await open_pool(dsn, lease=LEASE, size=2, client=Client(schemas=Schemas(**schemas)))


async def contents(connection: Any, relation: str) -> tuple[list[Any], list[Any]]:
    """Columns with their types, and rows."""
    columns = [tuple(row) for row in await connection.fetch(_COLUMNS, relation)]
    return columns, [tuple(row) for row in await connection.fetch(f"SELECT * FROM {relation} ORDER BY 1")]


#: Views that have got columns since, behind those that they had.
GROWN = ("slot_history", "ticker_metadata", "volume_slots_adjusted", "volume_slots_daily")


@pytest.fixture
async def reader(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Somebody's session as the server opens it, without our settings."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def test_an_upgrade_keeps_every_row_and_shows_readers_what_they_read_before(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]
) -> None:
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE)
    names = [view.name for view in views() if view.name not in OF_LATER_TABLES | SINCE_THEN]
    before = {name: await contents(reader, name) for name in (*TABLES, *names)}
    assert all(rows for _, rows in before.values()), "a row in every table, and through every view"
    async with await open_for(postgres_dsn) as pool:
        missing = (await read_schema(pool)).missing
        assert missing[0] == "0014_names_of_our_own.before.sql"
        assert tuple(await migrate(pool)) == missing
        assert await migrate(pool) == []
        noted = await pool.execute("DELETE FROM coverage WHERE data_set = 'ticker_history'")
        assert noted == "DELETE 1", "that a history begins is all that is added"
    before["schema_migration"] = await contents(reader, "maintenance.schema_migration")
    for name in TABLES:
        columns, rows = await contents(reader, f"maintenance.{NAMES_OF_OUR_OWN.get(name, name)}")
        of_old = len(before[name][0])  # later halves only add columns
        assert (columns[:of_old], [row[:of_old] for row in rows]) == before[name], name
    for name in names:
        columns, rows = await contents(reader, name)
        of_old = len(before[name][0]) if name in GROWN else None
        assert (columns[:of_old], [row[:of_old] for row in rows]) == before[name], name
        assert await reader.fetchval("SELECT obj_description($1::text::regclass, 'pg_class')", name), name


async def test_an_upgrade_writes_no_row_anew(postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]) -> None:
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE)
    files = "SELECT relfilenode FROM pg_class WHERE oid = $1::oid"
    oids = {name: await reader.fetchval("SELECT $1::text::regclass::oid", name) for name in TABLES}
    before = {name: await reader.fetchval(files, oid) for name, oid in oids.items()}
    async with await open_for(postgres_dsn) as pool:
        await migrate(pool)
    assert {name: await reader.fetchval(files, oid) for name, oid in oids.items()} == before


async def test_whoever_might_read_a_table_may_read_the_view_and_what_was_built_on_it_still_stands(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]
) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    await leave_tables(
        postgres_dsn,
        ROW_IN_EVERY_TABLE,
        f"CREATE ROLE {role}; GRANT SELECT ON market_data_daily, volume_slots, daily_history TO {role}; "
        f"GRANT SELECT (symbol, company_name) ON ticker_metadata TO {role}; GRANT SELECT ON stock_split TO PUBLIC",
        f"CREATE VIEW theirs AS SELECT symbol, close FROM market_data_daily; GRANT SELECT ON theirs TO {role}",
    )
    try:
        async with await open_for(postgres_dsn) as pool:
            await migrate(pool)
        await reader.execute(f"SET SESSION AUTHORIZATION {role}")
        for query in (
            "market_data_daily", "volume_slots", "daily_history", "stock_split", "theirs",
            "(SELECT symbol, company_name FROM ticker_metadata) AS m",
        ):  # fmt: skip
            assert await reader.fetchval(f"SELECT count(*) FROM {query}") == 1, query
        for query in ("ticker_metadata", "ticker_universe", "maintenance.daily_bar"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.fetch(f"SELECT * FROM {query}")
    finally:
        await reader.execute("RESET SESSION AUTHORIZATION")
        await reader.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_program_of_the_release_before_finds_that_it_is_too_old(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]
) -> None:
    """It makes its table of migrations where there is none, and finds there what it does not know."""
    await leave_tables(postgres_dsn)
    async with await open_for(postgres_dsn) as pool:
        await migrate(pool)
    await reader.execute("CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, checksum text NOT NULL)")
    rows = await reader.fetch("SELECT name, checksum FROM schema_migration")
    assert max(row["name"] for row in rows) > "0014"


async def test_tables_of_an_earlier_release_in_another_schema_are_told_and_left(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]
) -> None:
    await reader.execute("CREATE SCHEMA prices")
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE, schema="prices")
    async with await open_for(postgres_dsn) as pool:
        with pytest.raises(SchemaMismatch, match="stand in schema prices: set READERS_SCHEMA=prices"):
            await migrate(pool)
    async with await open_for(postgres_dsn, readers="prices") as pool:
        await migrate(pool)
        assert await pool.fetchval("SELECT count(*) FROM daily_bar") == 1
    assert await reader.fetchval("SELECT count(*) FROM prices.market_data_daily") == 1
    assert await reader.fetchval("SELECT to_regclass('public.market_data_daily')") is None


async def test_tables_of_an_earlier_release_in_the_schema_that_is_to_be_ours_stay_where_their_readers_look(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]
) -> None:
    await reader.execute("CREATE SCHEMA maintenance")
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE, schema="maintenance")
    async with await open_for(postgres_dsn) as pool:
        with pytest.raises(SchemaMismatch, match="schema maintenance itself: set READERS_SCHEMA=maintenance"):
            await migrate(pool)
    async with await open_for(postgres_dsn, tables="ours", readers="maintenance") as pool:
        await migrate(pool)
    assert await reader.fetchval("SELECT count(*) FROM maintenance.market_data_daily") == 1


@pytest.mark.parametrize("relation", ["TABLE market_data_daily (x int)", "VIEW volume_slots AS SELECT 1 AS x"])
async def test_a_neighbours_relation_of_a_name_that_readers_know_is_left_and_told_with_the_cure(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record], relation: str
) -> None:
    await reader.execute(f"CREATE {relation}")
    name = relation.split()[1]
    async with await open_for(postgres_dsn) as pool:
        with pytest.raises(SchemaMismatch, match=f"public.{name} .owner postgres.: set READERS_SCHEMA to another"):
            await migrate(pool)
        assert not (await read_schema(pool)).made
    async with await open_for(postgres_dsn, readers="maintenance_views") as pool:
        await migrate(pool)
    assert await reader.fetch(f"SELECT * FROM maintenance_views.{name}") == []
    assert (await contents(reader, name))[0] == [("x", "integer")]


async def test_two_deployments_live_in_one_database_each_with_schemas_of_its_own(postgres_dsn: str) -> None:
    async with (
        await open_for(postgres_dsn) as one,
        await open_for(postgres_dsn, tables="second", readers="second_views") as other,
    ):
        await migrate(one)
        await migrate(other)
        await other.execute("INSERT INTO daily_bar VALUES ('2025-11-11', 'A', 10, 12, 9, 11, 5, 10, 3, 1)")
        assert await other.fetchval("SELECT count(*) FROM second_views.market_data_daily") == 1
        assert await one.fetchval("SELECT count(*) FROM public.market_data_daily") == 0
    async with await open_for(postgres_dsn, tables="third") as third:
        with pytest.raises(SchemaMismatch, match="and DATABASE_SCHEMA too"):
            await migrate(third)


async def test_a_name_of_ours_never_resolves_to_what_stands_elsewhere(postgres_dsn: str) -> None:
    async with await open_for(postgres_dsn) as pool:
        await pool.execute("CREATE TABLE public.daily_bar (x int)")
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetch("SELECT x FROM daily_bar")
        await migrate(pool)
        assert await pool.fetch("SELECT trading_date FROM daily_bar") == []


async def test_readers_see_raw_prices_until_it_is_said_otherwise_and_then_all_processes_agree(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record]
) -> None:
    """A split of one for two comes after the one bar; the columns are the same either way."""
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE)
    bars = "SELECT close, volume FROM market_data_daily"
    slots = "SELECT volume, volume_accumulated FROM volume_slots"
    raw = {name: await contents(reader, name) for name in ("market_data_daily", "volume_slots")}
    async with await open_for(postgres_dsn) as pool:
        await migrate(pool)
        assert tuple(await reader.fetchrow(bars)) == (11, 5)
        await migrate(pool, prices=Prices.ADJUSTED)
        for _ in range(2):
            assert tuple(await reader.fetchrow(bars)) == (5.5, 10)
            assert tuple(await reader.fetchrow(slots)) == (14, 14)
            await migrate(pool)  # another process, which has no word of its own
        for name, (columns, _) in raw.items():
            assert (await contents(reader, name))[0] == columns
        assert "adjusted for its splits" in await reader.fetchval(
            "SELECT obj_description('market_data_daily'::regclass, 'pg_class')"
        )
        await migrate(pool, prices=Prices.RAW)
    assert {name: await contents(reader, name) for name in raw} == raw


@pytest.mark.parametrize(
    "written",
    [
        "UPDATE part SET state = 'running'", "INSERT INTO coverage SELECT * FROM coverage", "DELETE FROM cycle",
        "UPDATE volume_slots SET volume = 0",
    ],
)  # fmt: skip
async def test_a_worker_of_the_release_before_that_comes_back_writes_nothing_and_is_told_why(
    postgres_dsn: str, reader: asyncpg.Connection[asyncpg.Record], written: str
) -> None:
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE)
    async with await open_for(postgres_dsn) as pool:
        await migrate(pool)
    with pytest.raises(asyncpg.RaiseError, match="is a view for readers") as refused:
        await reader.execute(written)
    assert "of a release before 14: stop it" in str(refused.value.hint)
