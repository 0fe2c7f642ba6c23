"""Counts the vendor requests of a first load, of the nights after it, of a repetition and of a backfill of one session.

    .venv/bin/python -m bench.requests [--tickers 11000]

One consumer in this process on embedded Redis and PostgreSQL, against a simulated market whose clock is moved from day
to day; requests are counted by the market, not by the client. Beside them stands what the earlier service would ask.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import platform
import sys
import tempfile
import time
from pathlib import Path

from aiohttp.test_utils import TestServer
from loguru import logger

from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.tasks.terms import TaskOptions
from simulated_market.app import build_app
from simulated_market.options import SimulatorOptions
from tests.cycle.stack import SCHEDULE, Clock, Market, Stack, new_york, stack_on

DAY, NEXT = dt.date(2025, 11, 11), dt.date(2025, 11, 12)
OLD = dt.date(2025, 9, 4)
PATIENCE_S = 900


async def step(stack: Stack, name: str, *, at: dt.datetime | None = None, **wanted: object) -> None:
    """Run one cycle and print what it asked."""
    await stack.market.reset()
    if at is not None:
        stack.clock.at = at
    began = time.perf_counter()
    newest = await stack.cycle()
    async with stack.working():
        await (stack.ask(**wanted) if wanted else stack.catch_up.look())  # type: ignore[arg-type]
        cycle = await stack.at_rest(after=0 if newest is None else newest.cycle_id, within_s=PATIENCE_S)
    asked = await stack.market.requests()
    each = ", ".join(f"{endpoint} {count:,}" for endpoint, count in sorted(asked.items()))
    total = sum(asked.values())
    print(
        f"{name:<34} {cycle.state:<9} {total:>7,} requests  {time.perf_counter() - began:6.1f} s  ({each})", flush=True
    )


async def measure(tickers: int, folder: Path) -> None:
    redis, postgres = EmbeddedRedis(folder), EmbeddedPostgres(folder)
    await asyncio.gather(redis.start(), postgres.start())
    clock = Clock(new_york(DAY, "20:16"))
    server = TestServer(build_app(SimulatorOptions(tickers=tickers, dividends=True), now=clock))
    await server.start_server()
    try:
        async with stack_on(
            postgres.dsn, redis.url, Market(server), clock, schedule=SCHEDULE, options=TaskOptions()
        ) as stack:
            await step(stack, "first load, 30 + 10 sessions")
            await step(stack, "next day, POST_MARKET+1h", at=new_york(NEXT, "17:01"))
            await step(stack, "next day, CLOSED+15m", at=new_york(NEXT, "20:16"))
            await step(stack, "the same again", day=NEXT)
            await step(stack, "backfill of one older session", day=OLD, first_day=OLD)
            await step(stack, "the same again", day=OLD, first_day=OLD)
    finally:
        await server.close()
        await asyncio.gather(redis.stop(), postgres.stop())


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--tickers", type=int, default=11_000)
    tickers = flags.parse_args().tickers
    logger.remove()
    print(f"{tickers:,} tickers, Python {platform.python_version()}, {platform.system()}; no latency, no rate limit")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(measure(tickers, Path(folder)))
    bars, slots, enrich = tickers, tickers, 500
    print(
        f"the earlier service a night: {bars + slots + enrich:,} ({bars:,} daily + {slots:,} a session of minutes + "
        f"{enrich} details a run), and {slots:,} more for each session that it lacks"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
