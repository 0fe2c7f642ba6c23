"""Measures what one symbol's slots cost to read: from the view of array rows, and from a plain table of slots.

    .venv/bin/python -m bench.slot_readers [--symbols 11000] [--dsn postgresql://…]

Ten sessions of made-up volumes: one symbol in a hundred is thin (2 % of its slots traded), the others trade in 47 %.
The plain table has the earlier service's key (date, symbol, slot_number), once without and once with its index (symbol,
date). Asked are all slots of a symbol, and the volumes of which "historical" makes a mean of five days. The questions
take turns, so that all have the same machine; the least and the median of them are printed. --dsn: an empty database of
your own (TimescaleDB, say) in the place of an embedded server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.postgres.price_views import BY_PRICES
from consumer.postgres.reader_view import Prices

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROUNDS = 60
WARM_UP = 10
VIEWS = ("volume_slots", "raw_slots")
PLAIN = ("plain_with_key", "plain_with_key_and_index")
QUESTIONS = {
    "all slots": "SELECT date, slot_number, volume_accumulated FROM {} WHERE symbol = $1 ORDER BY date, slot_number",
    "five days": "SELECT date, slot_number, volume_accumulated FROM {0} WHERE symbol = $1 AND date IN ("
    "SELECT DISTINCT date FROM {0} WHERE symbol = $1 ORDER BY date DESC LIMIT 5)",
}
FILL = """
    INSERT INTO maintenance.listed_ticker (symbol, is_active, last_seen)
    SELECT 'T' || n, true, '2025-11-11' FROM generate_series(1, {symbols}) AS n;
    INSERT INTO maintenance.ticker_change (symbol, changed_on, kind, new_symbol, found_at)
    SELECT 'OLD' || n, '2025-11-05', 'renamed', 'T' || n, now() FROM generate_series(1, 60) AS n;
    INSERT INTO maintenance.coverage (data_set, trading_day, row_count, fetched_at, load_id)
    VALUES ('daily_bars', '2025-11-11', 1, now(), 1);
    INSERT INTO maintenance.stock_split (symbol, execution_day, split_from, split_to, kind, load_id)
    SELECT 'T' || n * 7, date '2025-10-01' + n % 40, 1, 2, 'split', 1 FROM generate_series(1, 400) AS n;
    INSERT INTO maintenance.session_slots (trading_date, symbol, outcome, volumes, fetched_at, load_id)
    SELECT date '2025-11-01' + d, 'T' || n, 'traded', v, now(), 1
    FROM generate_series(1, 10) AS d, generate_series(1, {symbols}) AS n, LATERAL (
        SELECT array_agg(CASE WHEN hashint8(n * 7919 + d * 193 + i) & 1023 < CASE WHEN n % 100 = 0 THEN 20 ELSE 480 END
                              THEN 1.0 + (hashint8(n + i) & 4095) ELSE 0 END::float8 ORDER BY i) AS v
        FROM generate_series(1, 192) AS i) AS of_day;
    CREATE VIEW raw_slots AS SELECT {raw.columns} FROM {raw.source};
    CREATE TABLE plain_with_key (
        date date, symbol varchar(10), slot_number integer, slot_time time, volume_accumulated bigint,
        trades_count integer, avg_price numeric(12, 4), PRIMARY KEY (date, symbol, slot_number));
    INSERT INTO plain_with_key SELECT date, symbol, slot_number, slot_time, volume_accumulated FROM volume_slots
    ORDER BY date, symbol, slot_number;
    CREATE TABLE plain_with_key_and_index (LIKE plain_with_key INCLUDING INDEXES);
    INSERT INTO plain_with_key_and_index SELECT * FROM plain_with_key;
    CREATE INDEX ON plain_with_key_and_index (symbol, date DESC);
"""


@contextlib.asynccontextmanager
async def server(dsn: str | None) -> AsyncIterator[str]:
    """The database of *dsn*, or that of an embedded server until the block ends."""
    if dsn is not None:
        yield dsn
        return
    with tempfile.TemporaryDirectory(prefix="slot-readers-") as folder:
        Path(folder).chmod(0o711)  # noqa: ASYNC240  (nothing else runs)
        embedded = EmbeddedPostgres(Path(folder))
        await embedded.start()
        try:
            yield embedded.dsn
        finally:
            await embedded.stop()


async def measure(connection: asyncpg.Connection[asyncpg.Record], question: str, symbol: str) -> None:
    """Ask all relations in turn, and print a line each."""
    took: dict[str, list[float]] = {name: [] for name in (*VIEWS, *PLAIN)}
    rows = 0
    for _ in range(ROUNDS):
        for name, times in took.items():
            began = time.perf_counter()
            rows = len(await connection.fetch(QUESTIONS[question].format(name), symbol))
            times.append((time.perf_counter() - began) * 1000)
    for name, times in took.items():
        kept = times[WARM_UP:]
        print(f"| {question} | {rows} | `{name}` | {min(kept):.2f} | {statistics.median(kept):.2f} |")


async def run(symbols: int, dsn: str | None) -> None:
    async with server(dsn) as where:
        async with await open_pool(where, lease=dt.timedelta(minutes=1), size=1) as pool:
            await migrate(pool)
        connection = await asyncpg.connect(where)
        try:
            raw = BY_PRICES[Prices.RAW][1]
            await connection.execute("SET search_path = public, maintenance")
            await connection.execute(FILL.format(symbols=symbols, raw=raw), timeout=3600)
            await connection.execute("VACUUM ANALYZE", timeout=3600)
            print(f"{await connection.fetchval('SHOW server_version')}, {symbols} symbols\n")
            print("| question | rows | from | least ms | median ms |\n|---|---|---|---|---|")
            for symbol in ("T100", "T101"):
                for question in QUESTIONS:
                    await measure(connection, question, symbol)
        finally:
            await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=11_000)
    parser.add_argument("--dsn")
    given = parser.parse_args()
    asyncio.run(run(given.symbols, given.dsn))


if __name__ == "__main__":
    main()
