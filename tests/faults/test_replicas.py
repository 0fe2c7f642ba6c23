"""Twenty of everything without a leader make one cycle and run each part once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from contract import keys
from market.trading_calendar import TradingCalendar
from producers.market_session.run import Producer
from tests.cycle.stack import DAY, until

if TYPE_CHECKING:
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place, TickingClock

REPLICAS = 20


@pytest.mark.long(20)
async def test_twenty_consumers_and_twenty_producers_that_start_together_make_one_cycle_and_ask_for_nothing_twice(
    undisturbed: Fingerprint, place: Place, consumer: Starts, clock: TickingClock
) -> None:
    producers = [Redis.from_url(place.redis_url, decode_responses=True) for _ in range(REPLICAS)]
    async with contextlib.AsyncExitStack() as stack:
        for client in producers:
            stack.push_async_callback(client.aclose)
        for _ in range(REPLICAS):
            # Nobody is lost here: a lease must not run out because the machine is busy.
            await stack.enter_async_context(consumer(MAINTENANCE_PARTS_AT_ONCE="1", MAINTENANCE_LEASE="30s"))
        calendar = TradingCalendar()
        await asyncio.gather(*(Producer(client, calendar, now=clock).publish_due() for client in producers))
        await place.complete()
        await place.at_rest()

    rows = await place.db.fetch("SELECT trading_day, occasion, state FROM cycle")
    assert [tuple(row) for row in rows] == [(DAY, "CLOSED+15m", "complete")]
    assert await place.redis.xlen(keys.SESSIONS.name) == 1
    assert await place.asked_twice() == set()
    assert await place.value("SELECT count(*) FROM part WHERE attempt > 1") == 0
    assert await place.value("SELECT count(DISTINCT split_part(holder, '-', -1)) FROM part") > 1
    assert await place.fingerprint() == undisturbed

    async def gone() -> bool:
        return not await place.redis.xinfo_consumers(keys.TASKS.name, keys.GROUP)

    await until(gone, what="a group without consumers")
