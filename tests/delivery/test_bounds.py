"""What must not grow, spin or be passed over: streams, consumers, commands, and work that waits for days."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from consumer.delivery.settle import Ending
from consumer.maintenance_channel import task_stream
from consumer.runtime import connect_redis
from contract import keys
from tests.delivery.consumers import (
    LEASE,
    LONG_LEASE,
    ScriptedHandler,
    at_rest,
    begun,
    consumer_of,
    let_lease_run_out,
    message,
    pending,
    stream_of,
    until,
    wait_for,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery
    from consumer.embedded.redis_server import EmbeddedRedis

MANY = 100_000
SLOW_US, ROUNDS = 50_000, 3


async def calls(redis: Redis, command: str) -> int:
    """How often *command* was carried out on this server so far."""
    stats: Any = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


async def test_a_part_of_ten_leases_is_begun_once_and_its_beats_are_no_deliveries(redis_url: str, redis: Redis) -> None:
    counts: list[int] = []

    async def take_long(_: Delivery) -> None:
        for _ in range(10):
            await asyncio.sleep(0.5 * LEASE.total_seconds())  # the time itself is what is tested
            counts.extend(row["times_delivered"] for row in await pending(redis))

    short = dt.timedelta(seconds=LEASE.total_seconds() / 2)
    first, rival = ScriptedHandler(take_long), ScriptedHandler(take_long)
    async with consumer_of(redis_url, first, lease=short) as consumer, consumer_of(redis_url, rival, lease=short):
        await consumer.stream.enqueue([message("long")])
        await until(lambda: at_rest(redis), what="the end of the work")
    assert len(first.deliveries) + len(rival.deliveries) == 1
    assert set(counts) == {1}


async def test_work_that_does_not_end_is_cancelled_at_its_deadline_and_tried_again(
    redis_url: str, redis: Redis
) -> None:
    async def never(delivery: Delivery) -> None:
        if delivery.entry.fields.get("attempt") != "2":
            await asyncio.Event().wait()

    handler = ScriptedHandler(never)
    async with consumer_of(redis_url, handler, deadline=dt.timedelta(seconds=0.2)) as consumer:
        await consumer.stream.enqueue([message("a")])
        await until(lambda: at_rest(redis), what="the second attempt")
    assert len(handler.deliveries) == 2
    assert [type(failure).__name__ for _, failure in handler.recorded] == ["DeadlinePassed"]


async def test_streams_hold_what_is_left_and_nothing_unfinished_is_trimmed(redis_url: str, redis: Redis) -> None:
    async with stream_of(redis_url, lease=LONG_LEASE) as slow:
        await slow.enqueue([message("held")])
        held = await begun(slow)
        async with consumer_of(redis_url, lease=LONG_LEASE, slots=16) as consumer:
            for first in range(0, 2000, 100):
                await consumer.stream.enqueue([message(f"task {first + number}") for number in range(100)])

            async def only_held() -> bool:
                return int(await redis.xlen(keys.TASKS.name)) == 1 and await redis.hlen(keys.QUEUED.pattern) == 1

            await until(only_held, within_s=30, what="the end of all but one")
            assert len(consumer.handler.deliveries) == 2000
        assert await slow.settle(held.entry, Ending.ACKNOWLEDGE, key="held")
        assert await at_rest(redis)
    assert (await redis.xinfo_stream(keys.TASKS.name))["radix-tree-keys"] <= 1, "its memory is given back"


async def test_entries_trimmed_by_hand_leave_no_ghost_whoever_held_them(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as dead, stream_of(each_url, lease=LONG_LEASE) as living:
        assert await dead.enqueue([message("a"), message("b"), message("c")]) == 3
        held = [await begun(dead) for _ in range(3)]
        await each_redis.xtrim(keys.TASKS.name, maxlen=0, approximate=False)
        for delivery in held:
            await let_lease_run_out(each_redis, delivery.entry.entry_id)
        assert await living.claim(10) == []
        assert await pending(each_redis) == []
        await living.sweep()
        assert await each_redis.hlen(keys.QUEUED.pattern) == 0
        assert await living.enqueue([message("a")]) == 1


async def test_a_destroyed_group_is_made_again_without_a_hot_loop_and_the_work_goes_on(
    redis_url: str, redis: Redis
) -> None:
    async with consumer_of(redis_url) as consumer:
        await consumer.stream.enqueue([message("before")])
        await until(lambda: at_rest(redis), what="the first work")
        noticed, reads = consumer.lost, await calls(redis, "xreadgroup")
        await redis.xgroup_destroy(keys.TASKS.name, keys.GROUP)
        await consumer.stream.enqueue([message("after")])

        async def noticed_again() -> bool:
            return consumer.lost > noticed and await at_rest(redis)

        await until(noticed_again, what="the notice and the work")
        assert consumer.handler.tasks == ["before", "after"]
        assert await calls(redis, "xreadgroup") - reads < 50


async def test_a_frozen_redis_is_waited_for_and_the_work_ends_once_it_wakes(own_redis: EmbeddedRedis) -> None:
    begun_once = asyncio.Event()

    async def note(_: Delivery) -> None:
        begun_once.set()
        await asyncio.sleep(0.2)

    async with connect_redis(own_redis.url) as redis, consumer_of(own_redis.url, ScriptedHandler(note)) as consumer:
        await consumer.stream.enqueue([message("a")])
        await wait_for(begun_once)
        assert own_redis.pid is not None
        os.kill(own_redis.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(2 * LEASE.total_seconds())  # the freeze itself
        finally:
            os.kill(own_redis.pid, signal.SIGCONT)
        await until(lambda: at_rest(redis), what="the end of the work")
        await consumer.stream.enqueue([message("b")])
        await until(lambda: at_rest(redis), what="the end of the next")
        assert consumer.handler.tasks.count("b") == 1
        assert consumer.handler.tasks.count("a") <= 2, "again at most once: its lease may have run out meanwhile"


async def test_what_waits_for_three_days_is_delivered_once_and_held_by_nobody_until_then(
    redis_url: str, redis: Redis
) -> None:
    in_three_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    async with consumer_of(redis_url) as consumer:
        for _ in range(3):
            await consumer.stream.enqueue([message("later", due_at=in_three_days)])
        assert await redis.xlen(keys.TASKS.name) == 0
        assert await redis.zcard(keys.LATER.pattern) == 1
        await redis.zadd(keys.LATER.pattern, {"later": time.time() * 1000})
        await until(lambda: at_rest(redis), what="its delivery")
        assert [delivery.deliveries for delivery in consumer.handler.deliveries] == [1]


async def test_a_thousand_starts_and_deaths_leave_no_consumer_key_or_pending_entry(
    redis_url: str, redis: Redis
) -> None:
    async with stream_of(redis_url, lease=LONG_LEASE) as survivor:
        for number in range(500):  # those that stop leave by themselves
            stopped = task_stream(redis, redis, consumer=f"stopped-{number}", lease=LONG_LEASE)
            await redis.xgroup_createconsumer(keys.TASKS.name, keys.GROUP, stopped.consumer)
            await stopped.leave()
        for number in range(500):  # those that are killed are collected when they have been silent for long
            await redis.xgroup_createconsumer(keys.TASKS.name, keys.GROUP, f"killed-{number}")
        await survivor.enqueue([message("held")])
        await begun(task_stream(redis, redis, consumer="holder", lease=LONG_LEASE))
        await asyncio.sleep(0.01)
        await survivor.collect_consumers(idle=dt.timedelta(milliseconds=1))
        consumers: Any = await redis.xinfo_consumers(keys.TASKS.name, keys.GROUP)
        assert [consumer["name"] for consumer in consumers] == ["holder"], "one that holds something is never removed"
        assert len(await pending(redis)) == 1


@pytest.mark.long(15)
async def test_no_command_looks_at_all_of_a_hundred_thousand_pending_entries(redis_url: str, redis: Redis) -> None:
    async with stream_of(redis_url, lease=LONG_LEASE) as crowd, stream_of(redis_url, lease=LONG_LEASE) as one:
        for _ in range(MANY // 10_000):
            pipe = redis.pipeline(transaction=False)
            for _ in range(10_000):
                pipe.xadd(keys.TASKS.name, {"task": "a"})
            await pipe.execute()
        while await crowd.read(10_000, block=dt.timedelta(milliseconds=1)):
            pass
        await redis.config_set("slowlog-log-slower-than", SLOW_US)
        for number in range(ROUNDS + 1):
            if number == 1:  # by then the server knows every script: before, each stands in its log under another name
                await redis.slowlog_reset()
            await one.enqueue([message(f"mine-{number}")])
            delivery = await begun(one)
            await one.claim(10)
            await one.promote()
            await one.settle(delivery.entry, Ending.ACKNOWLEDGE, key=f"mine-{number}")
            await one.collect_consumers(idle=LONG_LEASE)
            await one.sweep()
            await one.leave()
            await crowd.leave()
        slow: Any = await redis.slowlog_get(100)
        await redis.flushall()
    ours = [bytes(entry["command"])[:60] for entry in slow]
    often = Counter(command for command in ours if b"EVAL" in command[:10] or b"XREADGROUP" in command)
    # One that looks at all of them is slow each time; one that the machine stopped amid, once.
    assert not [command for command, times in often.items() if times >= ROUNDS], often
