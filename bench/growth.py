"""Measures what a night costs when two months are stored and when three years are: CPU, bytes and seconds.

    .venv/bin/python -m bench.growth [--tickers 500] [--few 60] [--sessions 750]

One consumer in this process on embedded Redis and PostgreSQL; the simulated market is a process of its own, so that
its CPU is nobody's here, and its clock is moved from night to night. History is put in by SQL as copies of one session,
volumes and all. Both nights fetch one new session and what is restated of the one before. Each is measured three times.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import multiprocessing
import platform
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
from aiohttp.test_utils import TestServer
from loguru import logger

from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.tasks.terms import TaskOptions
from simulated_market.app import build_app
from simulated_market.options import SimulatorOptions
from tests.cycle.stack import CALENDAR, SCHEDULE, Clock, Market, Stack, new_york, stack_on
from tests.cycle.three_years import put_three_years

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection as Pipe

FIRST = dt.date(2025, 10, 1)
NIGHTS = 3
PATIENCE_S = 1800
PAGE = 8192
STATISTICS_SETTLE_S = 1.5  # a session of PostgreSQL reports what it read within a second of being idle


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a night took: seconds of the clock and of CPU, megabytes that PostgreSQL looked at and took from disk."""

    wall_s: float
    worker_s: float
    postgres_s: float
    looked_at_mb: float
    from_disk_mb: float


class FarMarket:
    """A market in another process, with a clock that is moved from here."""

    def __init__(self, tickers: int) -> None:
        self._seconds = multiprocessing.Value("d", 0.0)
        ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(tickers, self._seconds, theirs), daemon=True)
        self._process.start()
        self.url: str = ours.recv()

    def make_url(self, _: str) -> str:
        return self.url

    def move(self, at: dt.datetime) -> None:
        self._seconds.value = at.timestamp()

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


def _serve(tickers: int, seconds: Any, pipe: Pipe) -> None:
    def now() -> dt.datetime:
        return dt.datetime.fromtimestamp(seconds.value, dt.UTC)

    async def serve() -> None:
        server = TestServer(build_app(SimulatorOptions(tickers=tickers), now=now))
        await server.start_server()
        pipe.send(str(server.make_url("")))
        await asyncio.Event().wait()

    logger.remove()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def postgres_cpu(pid: int) -> float:
    """CPU seconds of a server: its own, of the sessions that live, and of those that are over."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    used = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            used += times.user + times.system
    return used


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def pages(stack: Stack) -> tuple[int, int]:
    """Pages looked at and pages read since the start."""
    await asyncio.sleep(STATISTICS_SETTLE_S)
    row = await stack.pool.fetchrow(
        "SELECT blks_hit + blks_read AS looked_at, blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    assert row is not None
    return row["looked_at"], row["blks_read"]


async def night(stack: Stack, market: FarMarket, day: dt.date, postgres: int) -> Cost:
    """Run the night of *day* and return what it took."""
    stack.clock.at = new_york(day, "20:16")
    market.move(stack.clock.at)
    newest = await stack.cycle()
    looked_at, read = await pages(stack)
    worker, server, began = own_cpu(), postgres_cpu(postgres), time.perf_counter()
    async with stack.working():
        await stack.catch_up.look()
        cycle = await stack.at_rest(after=0 if newest is None else newest.cycle_id, within_s=PATIENCE_S)
    wall, worker, server = time.perf_counter() - began, own_cpu() - worker, postgres_cpu(postgres) - server
    if cycle.state != "complete":
        raise SystemExit(f"{day} ended {cycle.state}: {cycle.missing}")
    after = await pages(stack)
    return Cost(
        wall_s=wall,
        worker_s=worker,
        postgres_s=server,
        looked_at_mb=(after[0] - looked_at) * PAGE / 1e6,
        from_disk_mb=(after[1] - read) * PAGE / 1e6,
    )


async def nights(stack: Stack, market: FarMarket, days: Iterator[dt.date], postgres: int) -> Cost:
    """The median of each figure of some nights, after one that brings what it finds up to date."""
    await night(stack, market, next(days), postgres)
    costs = []
    for _ in range(NIGHTS):
        await stack.pool.execute("VACUUM ANALYZE")  # as autovacuum does within the day that lies between two nights
        costs.append(await night(stack, market, next(days), postgres))
    names = Cost.__struct_fields__
    return Cost(**{name: statistics.median(getattr(cost, name) for cost in costs) for name in names})


HEADING = (
    f"{'sessions stored':<24}{'wall s':>8}{'worker s':>10}{'postgres s':>12}{'CPU s':>10}"
    f"{'looked at MB':>14}{'from disk MB':>14}"
)


def tell(name: str, cost: Cost) -> None:
    print(
        f"{name:<24}{cost.wall_s:>8.1f}{cost.worker_s:>10.2f}{cost.postgres_s:>12.2f}"
        f"{cost.worker_s + cost.postgres_s:>10.2f}"
        f"{cost.looked_at_mb:>14.0f}{cost.from_disk_mb:>14.0f}",
        flush=True,
    )


def tell_ratio(few: Cost, many: Cost) -> None:
    cpu = (many.worker_s + many.postgres_s) / (few.worker_s + few.postgres_s)
    print(
        f"{'ratio':<24}{many.wall_s / few.wall_s:>8.2f}{many.worker_s / few.worker_s:>10.2f}"
        f"{many.postgres_s / few.postgres_s:>12.2f}{cpu:>10.2f}{many.looked_at_mb / few.looked_at_mb:>14.2f}"
    )


async def after(stack: Stack, market: FarMarket, days: Iterator[dt.date], postgres: int, *, sessions: int) -> Cost:
    """Put so many sessions of history under the newest one, and return and print what a night costs then."""
    newest = await stack.pool.fetchval("SELECT max(trading_date) FROM daily_bar")
    stored = await stack.pool.fetchval("SELECT count(DISTINCT trading_date) FROM daily_bar")
    await put_three_years(stack.pool, newest, newest_window=stored, sessions=sessions, as_it_is=True)
    cost = await nights(stack, market, days, postgres)
    tell(str(sessions), cost)
    return cost


async def measure(tickers: int, amounts: tuple[int, int], folder: Path) -> None:
    """Measure the nights at both *amounts* of history, in sessions, and print them."""
    market = FarMarket(tickers)
    redis, postgres = EmbeddedRedis(folder), EmbeddedPostgres(folder)
    await asyncio.gather(redis.start(), postgres.start())
    clock = Clock(new_york(FIRST, "20:16"))
    # Without the weekly sample: what is copied here is not what the vendor has of those days, and would be restated.
    options = TaskOptions(sample_requests=0)
    days = iter(CALENDAR.trading_days(FIRST, FIRST + dt.timedelta(days=40)))
    try:
        async with stack_on(
            postgres.dsn,
            redis.url,
            Market(market),
            clock,
            schedule=SCHEDULE,
            options=options,  # type: ignore[arg-type]
        ) as stack:
            print(HEADING)
            # RVOL's window is of real nights in both: copies lie in the order of their key, close together, as rows
            # that nights have brought never do.
            for _ in range(options.rvol_sessions):
                await night(stack, market, next(days), postgres.pid)
            # A month of nights lies behind both: a database of yesterday has no cycles, parts or verdicts to look at.
            costs = [await after(stack, market, days, postgres.pid, sessions=sessions) for sessions in amounts]
            tell_ratio(*costs)
    finally:
        market.stop()
        await asyncio.gather(redis.stop(), postgres.stop())


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--tickers", type=int, default=500)
    flags.add_argument("--few", type=int, default=60)
    flags.add_argument("--sessions", type=int, default=750)
    given = flags.parse_args()
    logger.remove()
    print(f"{given.tickers:,} tickers, Python {platform.python_version()}; median of {NIGHTS} nights each")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(measure(given.tickers, (given.few, given.sessions), Path(folder)))


if __name__ == "__main__":
    main()
