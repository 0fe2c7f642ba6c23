"""Many of everything at once, and nobody for days: one cycle a day and rule, no leader, nothing older opened."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from market.trading_calendar import TradingCalendar
from producers.market_session.run import Producer
from tests.cycle.stack import new_york

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place, TickingClock

REPLICAS = 8
PRODUCERS = 20


async def test_replicas_and_a_burst_of_producers_make_one_cycle_and_run_each_part_once(
    undisturbed: Fingerprint, place: Place, consumer: Starts, clock: TickingClock
) -> None:
    producers = [Redis.from_url(place.redis_url, decode_responses=True) for _ in range(PRODUCERS)]
    async with contextlib.AsyncExitStack() as stack:
        for client in producers:
            stack.push_async_callback(client.aclose)
        for _ in range(REPLICAS):
            await stack.enter_async_context(consumer(MAINTENANCE_PARTS_AT_ONCE="1"))
        calendar = TradingCalendar()
        await asyncio.gather(*(Producer(client, calendar, now=clock).publish_due() for client in producers))
        await place.complete()
        await place.at_rest()

    assert await place.value("SELECT count(*) FROM cycle") == 1
    assert await place.redis.xlen("market:session") == 1
    assert await place.asked_twice() == set()
    assert await place.value("SELECT count(DISTINCT split_part(holder, '-', -1)) FROM part") > 1
    assert await place.fingerprint() == undisturbed


async def test_after_days_of_absence_one_cycle_brings_the_missing_sessions_and_nothing_older_is_opened(
    place: Place, consumer: Starts, clock: TickingClock
) -> None:
    async with consumer():
        await place.complete()
        await place.at_rest()
    await place.market.reset()
    back = dt.date(2025, 11, 14)  # three closes later
    clock.at = new_york(back, "20:30")

    async with consumer():
        await place.complete(cycles=2)
        await place.at_rest()

    rows = await place.db.fetch("SELECT trading_day, occasion FROM cycle ORDER BY cycle_id")
    assert [tuple(row) for row in rows] == [(dt.date(2025, 11, 11), "CLOSED+15m"), (back, "CLOSED+15m")]
    days = {path.partition("/stocks/")[2][:10] for path in await place.market.paths() if "/grouped/" in path}
    assert days == {"2025-11-12", "2025-11-13", "2025-11-14"}
    assert await place.asked_twice() == set()
