"""Measures what the operator page costs: CPU of the service and of PostgreSQL for its first answer, and for many pages.

    .venv/bin/python -m bench.page [--tickers 11000] [--sessions 750] [--pages 50]

One consumer on embedded servers. A small simulated market is loaded, three years of sessions are put under it by SQL,
and its symbols are multiplied within the window, of which every answer is made. The first line is of a service that has
not published yet, and counts the window's rows; the second of one that has.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger

from bench.growth import own_cpu, postgres_cpu
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.page.overview import Desk
from consumer.tasks.terms import TaskOptions
from tests.cycle.stack import CALENDAR, DAY, EVENING, Clock, market_of, stack_on
from tests.cycle.three_years import put_three_years
from tests.page.serving import monitor_of, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cycle.stack import Stack

OPTIONS = TaskOptions(ohlc_sessions=30, slot_sessions=10, batch=20, requests_at_once=8)
LOADED = 60
#: By symbol and, but for what describes the present, by session.
TABLES = {
    "listed_ticker": None,
    "ticker_profile": None,
    "daily_bar": "trading_date",
    "session_slots": "trading_date",
    "ticker_atr": "trading_date",
}


async def multiply(stack: Stack, times: int) -> None:
    """Give every symbol of the window so many namesakes, and tell the ledger."""
    first = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=DAY)[0]
    for table, day in TABLES.items():
        names = await stack.pool.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped "
            "AND attgenerated = '' AND attname <> 'symbol'",
            table,
        )
        others = ", ".join(row["attname"] for row in names)
        within = "" if day is None else f"WHERE {day} >= '{first}'"
        await stack.pool.execute(
            f"INSERT INTO {table} (symbol, {others}) SELECT symbol || '.' || n, {others} "
            f"FROM {table}, generate_series(2, {times}) AS n {within}"
        )
    await stack.pool.execute("UPDATE coverage SET row_count = row_count * $1 WHERE trading_day >= $2", times, first)
    await stack.pool.execute("ANALYZE")


async def cost(postgres: int, work: Any) -> tuple[float, float, float]:
    """Milliseconds of the service's CPU, of PostgreSQL's, and of the clock."""
    server, own, began = postgres_cpu(postgres), own_cpu(), time.perf_counter()
    await work
    return tuple(
        round(1000 * one, 1) for one in (own_cpu() - own, postgres_cpu(postgres) - server, time.perf_counter() - began)
    )  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Stack, int, str]]:
    """A stack on servers of its own, the server's process id, and where its Redis is."""
    postgres, redis = EmbeddedPostgres(folder), EmbeddedRedis(folder)
    await postgres.start()
    await redis.start()
    clock = Clock(EVENING)
    try:
        async with (
            market_of(LOADED, clock) as market,
            stack_on(postgres.dsn, redis.url, market, clock, options=OPTIONS) as stack,
        ):
            yield stack, postgres.pid, redis.url
    finally:
        await redis.stop()
        await postgres.stop()


async def measure(wanted: argparse.Namespace, folder: Path) -> None:
    async with served(folder) as (stack, postgres, redis_url):
        await stack.run_cycle()
        await put_three_years(stack.pool, DAY, newest_window=OPTIONS.ohlc_sessions, sessions=wanted.sessions)
        await multiply(stack, wanted.tickers // LOADED)
        settings = msgspec.structs.replace(settings_of(redis_url), ohlc_sessions=30, slot_sessions=10)
        for turn in range(wanted.turns):
            if turn:
                await stack.reporter.judge(DAY)
            desk = Desk(monitor_of(stack, published=lambda: stack.reporter.judged), settings)
            told = [f"first answer {await cost(postgres, desk.overview())}"]
            many = asyncio.gather(*(desk.overview() for _ in range(wanted.pages)))
            told.append(f"{wanted.pages} pages within a second of it {await cost(postgres, many)}")
            desk.forget()
            stack.clock.advance(seconds=2)
            told.append(f"the next one, the ledger unchanged {await cost(postgres, desk.overview())}")
            if turn == 0:
                answer = msgspec.json.decode((await desk.overview()).body)
                print(f"{len((await desk.overview()).body):,} bytes: {answer['sentence']}")
                print("ms of the service's CPU, of PostgreSQL's, of the clock:")
            print("; ".join(told))
            stack.clock.advance(seconds=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=11_000)
    parser.add_argument("--sessions", type=int, default=750)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--turns", type=int, default=3)
    wanted = parser.parse_args()
    logger.remove()
    print(f"{wanted.tickers:,} tickers, {wanted.sessions} sessions, {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC")
    with tempfile.TemporaryDirectory(prefix="dm-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        asyncio.run(measure(wanted, folder))


if __name__ == "__main__":
    main()
