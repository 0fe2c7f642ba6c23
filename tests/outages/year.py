"""A year of nights on a clock that is moved: what the database holds at the end of each month, by relation.

One consumer in this process and a market of a few tickers; nothing is taken away but time. What must stay flat is what
retention is for; market data and their coverage grow by a session a night.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger

from consumer.catalogue.retention import WORKING_RECORDS
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from contract import data_sets as sets
from tests.cycle.stack import CALENDAR, OPTIONS, Clock, market_of, new_york, stack_on

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool
    from tests.cycle.stack import Stack

FIRST = dt.date(2024, 11, 1)
NIGHTS = 252
TICKERS = 12
# A year is short: so are these. Bars are kept for ever, as by default.
KEPT_DAYS = {WORKING_RECORDS: 60, sets.VOLUME_SLOTS: 60, sets.ATR: 60}
PATIENCE_S = 120.0
_SIZES = """
    SELECT c.relname AS name, greatest(0, c.reltuples)::bigint AS rows, pg_total_relation_size(c.oid) / 1024 AS kib
    FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


async def year(_minutes: float, *, nights: int = NIGHTS) -> dict[str, Any]:
    """Run the nights and return by month, and by relation that holds anything, [rows, KiB with indexes]."""
    logger.remove()
    days = CALENDAR.trading_days(FIRST, FIRST + dt.timedelta(days=2 * nights))[:nights]
    with tempfile.TemporaryDirectory(prefix="year-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        redis, postgres = EmbeddedRedis(folder), EmbeddedPostgres(folder, {"fsync": "off"})
        await asyncio.gather(redis.start(), postgres.start())
        clock = Clock(new_york(days[0], "20:16"))
        try:
            async with market_of(TICKERS, clock) as market:
                options = msgspec.structs.replace(OPTIONS, kept_days=KEPT_DAYS)
                async with stack_on(postgres.dsn, redis.url, market, clock, options=options) as stack:
                    return await _months(stack, clock, days)
        finally:
            await asyncio.gather(redis.stop(), postgres.stop())


async def _months(stack: Stack, clock: Clock, days: tuple[dt.date, ...]) -> dict[str, Any]:
    months: dict[str, Any] = {}
    async with stack.working():
        for number, day in enumerate(days):
            clock.at = new_york(day, "20:16")
            newest = await stack.cycle()
            await stack.catch_up.look()
            cycle = await stack.at_rest(after=0 if newest is None else newest.cycle_id, within_s=PATIENCE_S)
            if cycle.state != "complete":
                raise AssertionError(f"{day} ended {cycle.state}: {cycle.missing}")
            if number == len(days) - 1 or days[number + 1].month != day.month:
                months[f"{day:%Y-%m}"] = sizes = await _sizes(stack.pool)
                print(
                    f"{day:%Y-%m}", " ".join(f"{name}={rows}/{kib}K" for name, (rows, kib) in sizes.items()), flush=True
                )
    return months


async def _sizes(pool: Pool) -> dict[str, list[int]]:
    await pool.execute("VACUUM ANALYZE")
    return {row["name"]: [row["rows"], row["kib"]] for row in await pool.fetch(_SIZES) if row["rows"]}
