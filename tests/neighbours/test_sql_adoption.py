"""Holds an adoption of the earlier service's database to: nothing is lost or mixed, and a night makes all as if new."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from consumer.checks.finding import Level
from consumer.checks.postgres_server import check_schema
from consumer.postgres import adoption as adopting
from consumer.postgres.adoption import EARLIER, Adopted, adoption_at, read_adopted
from consumer.postgres.migrate import SchemaMismatch, migrate
from consumer.postgres.pool import open_pool
from consumer.postgres.reader_view import Prices
from tests.conftest import finish
from tests.crash.fingerprint import of_caches, of_tables
from tests.cycle.stack import CALENDAR, DAY, EVENING, LEASE, Clock, market_of, stack_on, until
from tests.neighbours.sql_earlier import leave_earlier_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from tests.databases import Databases
    from tests.neighbours.sql_earlier import Bar

    Connection = asyncpg.Connection[asyncpg.Record]

ADOPTION = adoption_at(EVENING, CALENDAR)
DAYS = CALENDAR.last_trading_days(30, up_to=DAY)
OLD = DAYS[0]
TWO_TABLES = ("market_data_daily", "ticker_metadata", "ticker_universe", "volume_slots")


def bar(day: dt.date, symbol: str = "A", close: float = 10.0) -> Bar:
    return (day, symbol, close, close, close, close, 1000.0)


@pytest.fixture
def postgres_dsn(databases: Databases) -> Iterator[str]:
    """A database without a table in it: that of the other tests here has all."""
    yield finish(databases.lend())
    finish(databases.take_back())


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    async with await open_pool(postgres_dsn, lease=LEASE, size=2) as opened:
        yield opened


@pytest.fixture
async def reader(postgres_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def relations(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT n.nspname || '.' || c.relname AS name FROM pg_class AS c JOIN pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v') AND n.nspname IN ('public', 'maintenance')"
    )
    return {row["name"] for row in rows}


@pytest.mark.parametrize("unified", [False, True])
async def test_a_database_of_the_earlier_service_is_refused_with_both_cures_and_nothing_is_done_to_it(
    postgres_dsn: str, pool: Pool, reader: Connection, unified: bool
) -> None:
    """N2."""
    await leave_earlier_tables(postgres_dsn, bars=[bar(DAY)], unified=unified)
    before = await relations(reader)
    with pytest.raises(SchemaMismatch, match=r"public\.market_data_daily .owner") as refused:
        await migrate(pool)
    assert "set READERS_SCHEMA to another schema" in str(refused.value)
    assert "`maintenance migrate --adopt`" in str(refused.value)
    finding = await check_schema(pool)
    assert (finding.level, "`maintenance migrate --adopt`" in str(finding.cure)) == (Level.REFUSED, True)
    assert await relations(reader) == before


@pytest.mark.parametrize("unified", [False, True])
async def test_an_adoption_keeps_the_originals_and_takes_over_what_can_be_a_bar(
    postgres_dsn: str, pool: Pool, reader: Connection, unified: bool
) -> None:
    saturday = DAY - dt.timedelta(days=3)
    impossible = (DAY, "B", 10.0, 9.0, 11.0, 10.0, 5.0)  # its high below its low
    await leave_earlier_tables(
        postgres_dsn, bars=[bar(OLD), bar(DAY), bar(saturday), impossible], slots=[(DAY, "A", 5, 7.0)], unified=unified
    )
    await migrate(pool, adoption=ADOPTION)
    found = {one.name: one for one in await read_adopted(pool)}
    names = {*TWO_TABLES} - {"ticker_universe"} | {"tickers_unified"} if unified else {*TWO_TABLES}
    assert found.keys() == names
    assert found["market_data_daily"] == Adopted(
        "market_data_daily", "market_data_daily_before_adoption", 2, 2, EVENING
    )
    assert await reader.fetchval("SELECT count(*) FROM market_data_daily_before_adoption") == 4
    assert await reader.fetchval("SELECT count(*) FROM volume_slots_before_adoption") == 1
    assert await pool.fetchval("SELECT count(*) FROM daily_bar") == 0, "raw and adjusted are never in one table"
    rows = await reader.fetch("SELECT trading_date, symbol, close, load_id FROM market_data_daily ORDER BY 1")
    assert [tuple(row) for row in rows] == [(OLD, "A", 10.0, None), (DAY, "A", 10.0, None)]
    assert await migrate(pool, adoption=ADOPTION) == []
    assert {one.name: one for one in await read_adopted(pool)} == found, "a second one finds nothing to do"


async def test_whoever_read_their_tables_reads_the_views_and_their_owner_too(
    postgres_dsn: str, pool: Pool, reader: Connection
) -> None:
    await leave_earlier_tables(postgres_dsn)
    await reader.execute("DROP ROLE IF EXISTS their_owner; CREATE ROLE their_owner")
    try:
        await reader.execute(
            "ALTER TABLE volume_slots OWNER TO their_owner; ALTER TABLE ticker_universe OWNER TO their_owner"
        )
        await reader.execute("GRANT SELECT ON market_data_daily TO pg_monitor")
        await migrate(pool, adoption=ADOPTION)
        may = "SELECT has_table_privilege($1, $2, $3)"
        assert await reader.fetchval(may, "pg_monitor", "market_data_daily", "SELECT")
        assert await reader.fetchval(may, "their_owner", "volume_slots", "SELECT")
        assert not await reader.fetchval(may, "their_owner", "volume_slots", "INSERT")
        assert await reader.fetchval(may, "their_owner", "ticker_universe", "INSERT")
        assert not await reader.fetchval(may, "their_owner", "ticker_metadata", "SELECT")
    finally:
        await reader.execute("DROP OWNED BY their_owner; DROP ROLE their_owner")


async def test_an_adopted_bar_is_shown_while_it_can_be_true_and_never_beside_a_loaded_session(
    postgres_dsn: str, pool: Pool, reader: Connection
) -> None:
    """Splits: of SPLIT before the adoption, of LATER after it, of neither in the bars of A."""
    symbols = ("A", "LATER", "SPLIT")
    await leave_earlier_tables(postgres_dsn, bars=[bar(day, symbol) for day in DAYS[-3:] for symbol in symbols])
    await migrate(pool, adoption=ADOPTION)
    later = CALENDAR.next_trading_day(DAY)
    await pool.execute(
        "INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id) "
        "VALUES ('SPLIT', $1, 1, 2, 'split', 1), ('LATER', $2, 1, 2, 'split', 1)",
        DAY,
        later,
    )
    covered = (
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id) "
        "VALUES ('daily_bars', $1, 1, now(), 1)"
    )
    await pool.execute(covered, later)
    shown = "SELECT trading_date, symbol, close FROM market_data_daily ORDER BY trading_date, symbol"
    before, own = [], []
    for row in await reader.fetch(shown):
        (own if row["trading_date"] == DAY else before).append((row["symbol"], row["close"]))
    assert own == [("A", 10.0), ("LATER", 5.0), ("SPLIT", 10.0)], "on its day the split is in the bar"
    assert before == [("A", 10.0), ("LATER", 5.0)] * 2, "SPLIT may have been adjusted or not: nobody knows"

    await pool.execute(covered, DAY)
    await pool.execute("INSERT INTO daily_bar VALUES ($1, 'A', 20, 20, 20, 20, 5, 20, 3, 1)", DAY)
    of_day = await reader.fetch("SELECT symbol, close FROM market_data_daily WHERE trading_date = $1", DAY)
    assert [tuple(row) for row in of_day] == [("A", 20.0)]
    await migrate(pool, prices=Prices.RAW)
    assert [tuple(row)[1:3] for row in await reader.fetch(shown)] == [("A", 20.0)], "raw is what we loaded alone"


async def test_another_relation_of_such_a_name_is_not_taken_for_theirs(
    postgres_dsn: str, pool: Pool, reader: Connection
) -> None:
    await leave_earlier_tables(postgres_dsn)
    await reader.execute("CREATE TABLE coverage (x integer)")
    with pytest.raises(SchemaMismatch, match=r"public\.coverage") as refused:
        await migrate(pool, adoption=ADOPTION)
    assert "--adopt" not in str(refused.value)
    await reader.execute("DROP TABLE coverage; CREATE TABLE market_data_daily_before_adoption (x integer)")
    with pytest.raises(SchemaMismatch, match="market_data_daily_before_adoption is there already"):
        await migrate(pool, adoption=ADOPTION)


@pytest.mark.parametrize("held", TWO_TABLES)
async def test_an_adoption_that_is_killed_at_any_table_has_done_nothing_and_the_next_one_does_it_all(
    postgres_dsn: str, redis_url: str, pool: Pool, reader: Connection, held: str
) -> None:
    """The command waits for the table that the test holds, the ones before it renamed by then."""
    await leave_earlier_tables(postgres_dsn, bars=[bar(DAY)])
    before = await relations(reader)
    holding = reader.transaction()
    await holding.start()
    await reader.execute(f"LOCK TABLE {held} IN ACCESS SHARE MODE")
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer.terminal", "migrate", "--adopt",
        env={**os.environ, "DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url}, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def waits() -> bool:
        sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)"
        return bool(await pool.fetchval(sql, f"public.{held}"))

    await until(waits, what="the command at the table")
    command.send_signal(signal.SIGKILL)
    await command.wait()
    await holding.rollback()

    async def gone() -> bool:
        sql = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'maintenance command%')"
        return bool(await pool.fetchval(sql))

    await until(gone, what="the end of its session")
    assert await relations(reader) == before
    await migrate(pool, adoption=ADOPTION)
    assert {one.name for one in await read_adopted(pool)} == {*TWO_TABLES}


async def test_an_adoption_that_fails_after_its_last_row_has_done_nothing(
    postgres_dsn: str, pool: Pool, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_earlier_tables(postgres_dsn, bars=[bar(DAY)])
    before = await relations(reader)

    async def fails(connection: Any, *_: object) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(adopting, "_tell", fails)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await migrate(pool, adoption=ADOPTION)
    assert await relations(reader) == before


async def test_the_way_back_of_the_page_leads_back_and_an_adoption_can_come_again(
    postgres_dsn: str, pool: Pool, reader: Connection
) -> None:
    await leave_earlier_tables(postgres_dsn, bars=[bar(DAY)], slots=[(DAY, "A", 5, 7.0)])
    every = (
        "SELECT count(*) FROM market_data_daily NATURAL FULL JOIN (SELECT symbol, slot_number FROM volume_slots) AS s"
    )
    before = await reader.fetchval(every)
    await migrate(pool, adoption=ADOPTION)
    page = (Path(__file__).parents[2] / "docs" / "adoption.md").read_text("utf-8")
    await reader.execute(page.partition("## Way back")[2].partition("```sql")[2].partition("```")[0])
    assert await reader.fetchval(every) == before == 1
    await migrate(pool, adoption=ADOPTION)
    assert {one.name: one.rows_taken for one in await read_adopted(pool)}["market_data_daily"] == 1
    with pytest.raises(asyncpg.RaiseError):
        await reader.execute("DELETE FROM market_data_daily")


def with_holes(rows: list[Any], *, every: int) -> list[Any]:
    """As the earlier service left them: a day of 14 rows that counts as loaded, and single rows that failed."""
    thin = rows[0][0]
    return [row for at, row in enumerate(rows) if at % every and (row[0] != thin or at < 14)]


async def test_after_an_adoption_and_one_night_every_table_and_cache_equals_that_of_a_fresh_start(
    postgres_dsn: str, migrated_dsn: str, redis_url: str, redis: Redis
) -> None:
    """Thirty days of adjusted rows with holes, of which the plan's window holds sixteen."""
    clock = Clock(EVENING)
    shown = "SELECT * FROM public.market_data_daily WHERE trading_date >= $1 ORDER BY trading_date, symbol"
    first = DAYS[-16]
    async with market_of(60, clock) as market:
        async with stack_on(migrated_dsn, redis_url, market, clock) as fresh:
            assert (await fresh.run_cycle()).state == "complete"
            async with fresh.pool.acquire() as connection:
                tables, caches = await of_tables(connection), await of_caches(redis)
                bars = [tuple(row)[:7] for row in await connection.fetch(shown, first)]
                readers = [tuple(row)[:-1] for row in await connection.fetch(shown, first)]
                slots = [
                    tuple(row)
                    for row in await connection.fetch(
                        "SELECT date, symbol, slot_number, volume_accumulated FROM public.volume_slots ORDER BY 1, 2, 3"
                    )
                ]
        await redis.flushall()
        older = [(day, *one[1:]) for day in DAYS[:-16] for one in bars if one[0] == first]
        await leave_earlier_tables(
            postgres_dsn, bars=with_holes(older + bars, every=9), slots=with_holes(slots, every=7)
        )
        async with await open_pool(postgres_dsn, lease=LEASE, size=1) as pool:
            await migrate(pool, adoption=ADOPTION)
        async with stack_on(postgres_dsn, redis_url, market, clock) as adopted:
            assert (await adopted.run_cycle()).state == "complete"
            async with adopted.pool.acquire() as connection:
                assert await of_tables(connection) == tables
                assert await of_caches(redis) == caches
                assert [tuple(row)[:-1] for row in await connection.fetch(shown, first)] == readers
                kept = "SELECT count(*), count(load_id) FROM public.market_data_daily WHERE trading_date < $1"
                rows, loaded = await connection.fetchrow(kept, first)
                assert (rows > 0, loaded) == (True, 0), "older sessions are theirs, and said to be"


def test_what_is_adopted_has_a_view_of_ours_in_its_place() -> None:
    from consumer.postgres.reader_views import views

    assert EARLIER.keys() <= {view.name for view in views()}
