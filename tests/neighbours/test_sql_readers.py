"""Holds what SQL readers of the earlier service find to what they had: names, types, adjusted prices, and its cost."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.postgres.reader_view import Prices
from tests.conftest import finish
from tests.cycle.stack import DAY, EVENING, LEASE, Clock, market_of, stack_on
from tests.former_release import leave_tables
from tests.neighbours import sql_clients as neighbours
from tests.postgres.test_moving_in import ROW_IN_EVERY_TABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis

    from tests.databases import Databases

    Connection = asyncpg.Connection[asyncpg.Record]

NEXT_DAY = DAY + dt.timedelta(days=1)


@pytest.fixture
def postgres_dsn(databases: Databases) -> Iterator[str]:
    """A database without a table in it: that of the other tests here has all."""
    yield finish(databases.lend())
    finish(databases.take_back())


@pytest.fixture
async def reader(migrated_dsn: str) -> AsyncIterator[Connection]:
    """A neighbour's session: without our settings, in the schema where it always looked."""
    connection = await asyncpg.connect(migrated_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def night(migrated_dsn: str, redis_url: str) -> None:
    """One whole night of a market of sixty tickers."""
    clock = Clock(EVENING)
    async with market_of(60, clock) as market, stack_on(migrated_dsn, redis_url, market, clock) as stack:
        assert (await stack.run_cycle()).state == "complete"


@pytest.mark.usefixtures("night")
async def test_a_night_answers_every_reader_of_the_earlier_service(reader: Connection, redis: Redis) -> None:
    """N3, N5 and N6: types into their models, adjusted closes, and their RVOL equal to ours."""
    for relation in ("ticker_metadata", "tickers_unified"):
        found = await neighbours.tickers(reader, relation)
        assert len(found) == await reader.fetchval("SELECT count(*) FROM ticker_metadata") > 50
        assert any(one.list_date for one in found), relation
        assert all(one.list_date is None or dt.date.fromisoformat(one.list_date) for one in found), relation
    sectors = {one.sector for one in await neighbours.tickers(reader, "tickers_unified")} - {None}
    assert sectors
    assert sectors <= neighbours.SECTORS
    listed = await reader.fetch("SELECT symbol FROM tickers_unified WHERE is_actively_trading AND is_active")
    assert len(listed) == await redis.scard("ticker:universe")
    for row in await reader.fetch(f"SELECT {neighbours.NAMED} FROM tickers_unified"):
        neighbours.as_ticker(row)

    split = await reader.fetch("SELECT DISTINCT symbol FROM stock_split WHERE execution_day <= $1", DAY)
    largest: dict[str, float] = {}
    for relation in ("market_data_daily", "daily_history"):
        series = [await neighbours.closes(reader, row["symbol"], relation=relation) for row in split]
        steps = [pair for closes in series for pair in itertools.pairwise(closes)]
        largest[relation] = max(max(one / other, other / one) for other, one in steps)
    assert largest["market_data_daily"] < 1.5 < largest["daily_history"], "raw, a split is seen as a move"

    every_day = await reader.fetch(
        "SELECT symbol FROM volume_slots WHERE slot_number <= 66 GROUP BY 1 HAVING count(DISTINCT date) = 5 "
        "AND NOT EXISTS (SELECT FROM stock_split AS s WHERE s.symbol = volume_slots.symbol)"
    )  # they leave out a day that had not begun, we count it as nothing
    assert every_day
    for row in every_day[:10]:
        for slot in (66, 100, 191):
            theirs = await neighbours.mean_accumulated(reader, row["symbol"], slot, before=NEXT_DAY)
            ours = await redis.hget(f"rvol:hist:avg:{row['symbol']}:5", str(slot))
            assert theirs == pytest.approx(int(ours or 0), abs=1), (row["symbol"], slot)
    assert await neighbours.slot_before(reader, every_day[0]["symbol"], DAY, 191) > 0


async def test_their_loaders_of_names_write_as_they_did_without_naming_our_instants(reader: Connection) -> None:
    """N7, what may be written: a ticker that they add has the instants that they did not name."""
    for _ in range(2):
        await neighbours.list_in_universe(reader, "NEW", EVENING)
        await neighbours.put_metadata(reader, "NEW", "New Inc.", EVENING)
        await neighbours.put_unified(reader, "NEW", "Newer Inc.")
    assert await reader.fetchval("SELECT is_active FROM ticker_universe WHERE added_at <= now() AND symbol = 'NEW'")
    (row,) = await reader.fetch("SELECT company_name, type, is_active, created_at FROM tickers_unified")
    assert (row["company_name"], row["type"], row["is_active"]) == ("Newer Inc.", "CS", True)
    assert row["created_at"] is not None


@pytest.mark.parametrize(
    "written",
    [
        "INSERT INTO volume_slots (date, symbol, slot_number, slot_time) VALUES ('2025-11-11', 'A', 1, '04:05')",
        "INSERT INTO market_data_daily (trading_date, symbol, open, high, low, close, volume) "
        "VALUES ('2025-11-11', 'A', 1, 1, 1, 1, 1)",
        "INSERT INTO volume_slots (date, symbol, slot_number, slot_time) VALUES ('2025-11-11', 'A', 1, '04:05') "
        "ON CONFLICT DO NOTHING",
    ],
)
async def test_what_this_service_loads_is_not_written_by_others_and_they_are_told_the_cure(
    reader: Connection, written: str
) -> None:
    """N7, what may not be."""
    with pytest.raises(asyncpg.RaiseError, match=r"is a view for readers.*this service loads what it shows") as refused:
        await reader.execute(written)
    assert "switch off whoever loaded it before" in str(refused.value.hint)


async def test_a_new_database_shows_adjusted_prices_and_one_that_was_read_raw_stays_as_it_was(
    postgres_dsn: str, migrated_dsn: str
) -> None:
    """N3: what a name has meant to somebody changes by READER_PRICES alone."""
    await leave_tables(postgres_dsn)
    for dsn, shown in ((postgres_dsn, Prices.RAW), (migrated_dsn, Prices.ADJUSTED)):
        async with await open_pool(dsn, lease=LEASE, size=1) as pool:
            await migrate(pool)
            assert await pool.fetchval("SELECT prices FROM reader_prices") == shown


async def test_a_view_whose_column_has_another_type_by_now_keeps_who_may_read_it(postgres_dsn: str) -> None:
    """N6, in a database of the release before: list_date was a date there."""
    await leave_tables(postgres_dsn, ROW_IN_EVERY_TABLE)
    reader = await asyncpg.connect(postgres_dsn)
    try:
        async with await open_pool(postgres_dsn, lease=LEASE, size=1) as pool:
            await migrate(pool)
            former = "CREATE VIEW public.ticker_metadata AS SELECT symbol, list_date FROM maintenance.ticker_profile"
            await pool.execute(f"DROP VIEW public.ticker_metadata; {former}")
            await pool.execute("GRANT SELECT ON public.ticker_metadata TO pg_monitor")
            await pool.execute("UPDATE reader_view SET definition = 'former' WHERE name = 'ticker_metadata'")
            await pool.execute("CREATE VIEW public.built AS SELECT list_date FROM public.ticker_metadata")
            await migrate(pool)
            kind = "SELECT pg_typeof(list_date)::text FROM ticker_metadata"
            assert await reader.fetchval(kind) == "date", "what is built on it is not taken away"
            await pool.execute("DROP VIEW public.built")
            await migrate(pool)
            assert await reader.fetchval(kind) == "text"
            may = "SELECT has_table_privilege('pg_monitor', 'ticker_metadata', 'SELECT')"
            assert await reader.fetchval(may)
    finally:
        await reader.close()


SESSIONS, SYMBOLS = 10, 400
_FILL = f"""
    INSERT INTO maintenance.listed_ticker (symbol, is_active, last_seen)
    SELECT 'T' || n, true, '2025-11-11' FROM generate_series(1, {SYMBOLS}) AS n;
    INSERT INTO maintenance.ticker_change (symbol, changed_on, kind, new_symbol, found_at)
    SELECT 'OLD' || n, '2025-11-05', 'renamed', 'T' || n, now() FROM generate_series(1, 40) AS n;
    INSERT INTO maintenance.session_slots (trading_date, symbol, outcome, volumes, fetched_at, load_id)
    SELECT date '2025-11-01' + d, 'T' || n, 'traded', v, now(), 1
    FROM generate_series(1, {SESSIONS}) AS d, generate_series(1, {SYMBOLS}) AS n,
         LATERAL (SELECT array_agg(CASE WHEN n = 7 AND i % 64 > 0 THEN 0 ELSE i END::float8) AS v
                  FROM generate_series(1, 192) AS i) AS of_day;
    CREATE TABLE slots_as_they_had_them (
        date date, symbol varchar(10), slot_number integer, slot_time time, volume_accumulated bigint,
        trades_count integer, avg_price numeric(12, 4), PRIMARY KEY (date, symbol, slot_number));
    INSERT INTO slots_as_they_had_them
    SELECT date, symbol, slot_number, slot_time, volume_accumulated FROM volume_slots ORDER BY 1, 2, 3;
    CREATE INDEX ON slots_as_they_had_them (symbol, date DESC);
    ANALYZE;
"""


async def pages_read(connection: Connection, relation: str) -> int:
    """How many pages of tables and indexes the history of one thin symbol is read from."""
    query = f"SELECT * FROM {relation} WHERE symbol = 'T7' ORDER BY date, slot_number"
    await connection.fetch(query)
    plan = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {query}")
    (first, *_) = [row[0] for row in plan if "Buffers" in row[0]]
    if relation == "volume_slots":
        assert any("using session_slots_by_symbol" in row[0] for row in plan)
        assert not any("Seq Scan on session_slots" in row[0] for row in plan)
    return sum(int(count) for count in re.findall(r"(?:hit|read)=(\d+)", first))


async def test_a_thin_symbols_history_is_read_from_a_few_pages_however_many_symbols_there_are(
    reader: Connection,
) -> None:
    """N15, without a clock: a row a session and a page of index for each renamed symbol, of some four thousand rows."""
    await reader.execute(_FILL)
    same = "SELECT date, slot_number, volume_accumulated FROM {} WHERE symbol = 'T7' ORDER BY 1, 2"
    assert await reader.fetch(same.format("volume_slots")) == await reader.fetch(same.format("slots_as_they_had_them"))
    plain = await pages_read(reader, "slots_as_they_had_them")
    pages = "SELECT relpages FROM pg_class WHERE oid = 'maintenance.session_slots'::regclass"
    of_view = await pages_read(reader, "volume_slots")
    assert of_view < 30 + SESSIONS + 2 * 40 < await reader.fetchval(pages), (of_view, plain)
