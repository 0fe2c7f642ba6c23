"""Redis comes back with less than it knew: killed, or restored from an older copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cycle.stack import until
from tests.faults.outages import backup_of, killed, restore

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.embedded.redis_server import EmbeddedRedis
    from tests.faults.conftest import Starts
    from tests.faults.service import Fingerprint, Place, Watch

BARS = "ohlc_daily/bars"
SLOTS = "volume_slots/slots"
CACHE = "redis_sync/cache"


async def test_a_redis_killed_amid_a_cycle_is_waited_for(
    undisturbed: Fingerprint, place: Place, consumer: Starts, own_redis: EmbeddedRedis, watch: Watch
) -> None:
    async with consumer():
        in_flight = await place.in_the_middle_of(SLOTS)
        await killed(own_redis)
        async with watch.calm(log_lines=10, asked=60, transactions=40):
            await watch.wait(1.5)
        await own_redis.start()
        await place.complete()
        await place.at_rest()

    assert await place.fingerprint() == undisturbed
    assert await place.asked_twice() <= in_flight
    assert await place.dead() == []


async def test_a_redis_rolled_back_amid_a_cycle_brings_finished_parts_back_and_none_is_done_again(
    undisturbed: Fingerprint, place: Place, consumer: Starts, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with consumer():
        await place.in_the_middle_of(BARS)
        copy = backup_of(own_redis, tmp_path)
        in_flight = await place.in_the_middle_of(SLOTS)
        done = await place.value("SELECT count(*) FROM part WHERE state = 'done'")
        await restore(own_redis, copy)
        await place.complete()
        await place.at_rest()

    assert done > 20
    assert await place.fingerprint() == undisturbed
    assert await place.asked_twice() <= in_flight
    assert await place.dead() == []


async def test_caches_taken_back_in_time_by_a_restored_redis_are_written_again(
    undisturbed: Fingerprint, place: Place, consumer: Starts, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    async with consumer(every_s=1):
        await place.in_the_middle_of(CACHE)
        copy = backup_of(own_redis, tmp_path)
        await place.complete()
        await place.at_rest()
        asked = await place.market.requests()
        await restore(own_redis, copy)

        async def as_before() -> bool:
            return await place.fingerprint() == undisturbed

        await until(as_before, what="the caches")
        await place.at_rest()

    assert await place.market.requests() == asked
    assert await place.redis.get("maintenance:last_run") == "2025-11-11"
