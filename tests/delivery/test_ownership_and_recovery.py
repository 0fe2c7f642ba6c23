"""One owner at a time, and nothing lost: the scripts on every server here, and whole consumers on the embedded one."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import TYPE_CHECKING

import redis as redis_client

from consumer.delivery.errors import DataRejected
from consumer.delivery.settle import Ending
from contract import keys
from tests.delivery.consumers import (
    LEASE,
    LONG_LEASE,
    ScriptedHandler,
    at_rest,
    begun,
    consumer_of,
    dead_letters,
    let_lease_run_out,
    message,
    pending,
    read_one,
    stream_of,
    until,
    wait_for,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery, Outgoing


async def test_the_same_work_is_enqueued_once_by_twenty_at_once(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url) as stream:
        added = await asyncio.gather(*(stream.enqueue([message("a")]) for _ in range(20)))
    assert sum(added) == 1
    assert await each_redis.xlen(keys.TASKS.name) == 1


async def test_what_is_due_later_is_promoted_when_its_time_has_come_and_not_before(
    each_url: str, each_redis: Redis
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    async with stream_of(each_url) as stream:
        await stream.enqueue([message("later", due_at=soon)])
        assert await stream.promote() == 0
        await each_redis.zadd(keys.LATER.pattern, {"later": 1})
        assert await stream.promote() == 1
        assert (await read_one(stream)).fields["task"] == "later"


async def test_a_held_entry_is_not_claimed_and_one_whose_lease_ran_out_is(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as first, stream_of(each_url, lease=LONG_LEASE) as second:
        await first.enqueue([message("a")])
        delivery = await begun(first)
        assert await second.claim(10) == []
        await let_lease_run_out(each_redis, delivery.entry.entry_id)
        (taken,) = await second.claim(10)
        assert taken.taken_from == first.consumer
        assert (await begun(second, taken)).token > delivery.token


async def test_a_frozen_owner_that_wakes_can_neither_begin_nor_settle_nor_take_back(
    each_url: str, each_redis: Redis
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as frozen, stream_of(each_url, lease=LONG_LEASE) as heir:
        await frozen.enqueue([message("a")])
        delivery = await begun(frozen)
        await let_lease_run_out(each_redis, delivery.entry.entry_id)
        (taken,) = await heir.claim(1)
        await begun(heir, taken)

        assert await frozen.begin(delivery.entry, key="a") is None
        successors = [message("never")]
        assert not await frozen.settle(delivery.entry, Ending.ACKNOWLEDGE, key="a", successors=successors)
        assert [row["consumer"] for row in await pending(each_redis)] == [heir.consumer]
        assert await each_redis.xlen(keys.TASKS.name) == 1
        assert await heir.settle(taken, Ending.ACKNOWLEDGE, key="a")
        assert await at_rest(each_redis)


async def test_an_acknowledgement_sends_what_follows_in_the_same_step(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url) as stream:
        await stream.enqueue([message("first")])
        delivery = await begun(stream)
        assert await stream.settle(
            delivery.entry, Ending.ACKNOWLEDGE, key="first", successors=[message("second"), message("third")]
        )
        left = [fields["task"] for _, fields in await each_redis.xrange(keys.TASKS.name)]
    assert left == ["second", "third"]
    assert await pending(each_redis) == []


async def test_a_released_entry_is_claimable_at_once_and_the_delivery_does_not_count(
    each_url: str, each_redis: Redis
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as first, stream_of(each_url, lease=LONG_LEASE) as second:
        await first.enqueue([message("a")])
        delivery = await begun(first)
        await first.settle(delivery.entry, Ending.RELEASE, key="a")
        (taken,) = await second.claim(1)
        assert (await begun(second, taken)).deliveries == delivery.deliveries


async def test_a_release_that_is_sent_again_is_uncounted_once(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as first, stream_of(each_url, lease=LONG_LEASE) as second:
        await first.enqueue([message("a")])
        held = await begun(first)
        await each_redis.xclaim(keys.TASKS.name, keys.GROUP, first.consumer, 0, [held.entry.entry_id], retrycount=4)
        held = await begun(first, held.entry)
        for _ in range(3):  # a Redis that stood still runs all that was sent to it meanwhile
            await first.settle(held.entry, Ending.RELEASE, key="a", detail=held.deliveries)
        (taken,) = await second.claim(1)
        assert (await begun(second, taken)).deliveries == held.deliveries


async def test_an_entry_that_was_deleted_leaves_no_ghost_pending(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("a")])
        entry = await read_one(stream)
        await each_redis.xdel(keys.TASKS.name, entry.entry_id)
        assert await stream.begin(entry, key="a") is None
        assert await pending(each_redis) == []


async def test_a_dead_consumers_entry_runs_elsewhere_within_a_lease_and_a_second(redis_url: str, redis: Redis) -> None:
    async with stream_of(redis_url) as dead:
        await dead.enqueue([message("a")])
        await begun(dead)  # and never heard of again
        began = time.monotonic()
        async with consumer_of(redis_url) as alive:
            await until(lambda: at_rest(redis), what="the end of the work")
            assert alive.handler.tasks == ["a"]
    # Not an assertion on speed: the lease is the promise itself, and the test's own deadline is ten times that.
    assert time.monotonic() - began < LEASE.total_seconds() + 5


async def test_the_lease_is_kept_while_a_handler_blocks_the_event_loop_for_two_leases(
    redis_url: str, redis: Redis
) -> None:
    idle_ms: list[int] = []

    async def block(_: Delivery) -> list[Outgoing]:
        time.sleep(2.5 * LEASE.total_seconds())
        with redis_client.Redis.from_url(redis_url) as other:
            rows = other.xpending_range(keys.TASKS.name, keys.GROUP, "-", "+", 10)
            idle_ms.extend(row["time_since_delivered"] for row in rows)
        return []

    async with consumer_of(redis_url, ScriptedHandler(block)) as consumer:
        await consumer.stream.enqueue([message("long")])
        await until(lambda: at_rest(redis), what="the end of the work")
    assert idle_ms and max(idle_ms) < 1000 * LEASE.total_seconds()


async def test_live_work_of_several_leases_is_not_taken_by_another_consumer(redis_url: str, redis: Redis) -> None:
    async def take_long(_: Delivery) -> list[Outgoing]:
        await asyncio.sleep(3 * LEASE.total_seconds())  # the time itself is what is tested
        return []

    first, rival = ScriptedHandler(take_long), ScriptedHandler(take_long)
    async with consumer_of(redis_url, first) as consumer, consumer_of(redis_url, rival):
        await consumer.stream.enqueue([message("long")])
        await until(lambda: at_rest(redis), what="the end of the work")
    assert len(first.deliveries) + len(rival.deliveries) == 1


async def test_a_message_that_always_fails_is_dead_lettered_and_others_go_on(redis_url: str, redis: Redis) -> None:
    async def run(delivery: Delivery) -> list[Outgoing]:
        if delivery.entry.fields["task"] == "bad":
            raise RuntimeError("no good")
        return []

    handler = ScriptedHandler(run)
    async with consumer_of(redis_url, handler, max_attempts=2) as consumer:
        await consumer.stream.enqueue([message("bad"), message("good")])
        await until(lambda: at_rest(redis), what="the end of both")
    (letter,) = await dead_letters(redis)
    assert "no good" in letter["reason"]
    assert letter["field:task"] == "bad"
    assert handler.tasks.count("good") == 1
    assert handler.tasks.count("bad") == 2


async def test_what_is_rejected_goes_to_the_dead_letters_at_once(redis_url: str, redis: Redis) -> None:
    async def reject(_: Delivery) -> list[Outgoing]:
        raise DataRejected("write trading_day")

    handler = ScriptedHandler(reject)
    async with consumer_of(redis_url, handler) as consumer:
        await consumer.stream.enqueue([message("a")])
        await until(lambda: at_rest(redis), what="the refusal")
    assert [letter["reason"] for letter in await dead_letters(redis)] == ["write trading_day"]
    assert len(handler.deliveries) == 1


async def test_an_entry_that_kills_every_consumer_is_dead_lettered_without_being_run_again(
    redis_url: str, redis: Redis
) -> None:
    async with stream_of(redis_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("killer")])
        entry = await read_one(stream)
        for _ in range(3):
            await redis.xclaim(keys.TASKS.name, keys.GROUP, stream.consumer, 0, [entry.entry_id])
        await let_lease_run_out(redis, entry.entry_id)
        async with consumer_of(redis_url, lease=LONG_LEASE, max_deliveries=3) as consumer:
            await until(lambda: at_rest(redis), what="the dead letter")
            assert consumer.handler.deliveries == []
    assert len(await dead_letters(redis)) == 1


async def test_stopping_hands_back_running_work_at_once_and_uncounted(redis_url: str, redis: Redis) -> None:
    running = asyncio.Event()

    async def never_end(_: Delivery) -> list[Outgoing]:
        running.set()
        await asyncio.Event().wait()
        return []

    async with consumer_of(redis_url, ScriptedHandler(never_end), lease=LONG_LEASE) as first:
        await first.stream.enqueue([message("a")])
        await wait_for(running)
        await first.stop()
        async with consumer_of(redis_url, lease=LONG_LEASE) as second:
            await until(lambda: at_rest(redis), what="the successor")
            assert [delivery.deliveries for delivery in second.handler.deliveries] == [1]


async def test_a_flushed_redis_is_noticed_and_work_goes_on(redis_url: str, redis: Redis) -> None:
    async with consumer_of(redis_url) as consumer:
        await consumer.stream.enqueue([message("before")])
        await until(lambda: at_rest(redis), what="the first work")
        noticed = consumer.lost
        await redis.flushall()

        async def noticed_again() -> bool:
            return consumer.lost > noticed

        await until(noticed_again, what="the notice")
        await consumer.stream.enqueue([message("after")])
        await until(lambda: at_rest(redis), what="the work after it")
        assert consumer.handler.tasks == ["before", "after"]


async def test_consumers_that_come_and_go_leave_nothing_behind(redis_url: str, redis: Redis) -> None:
    for _ in range(20):
        async with consumer_of(redis_url):
            pass
    assert await redis.xinfo_consumers(keys.TASKS.name, keys.GROUP) == []


async def test_an_entry_that_lost_its_consumers_again_and_again_runs_alone(redis_url: str, redis: Redis) -> None:
    at_once: list[set[str]] = []
    running: set[str] = set()

    async def note(delivery: Delivery) -> list[Outgoing]:
        running.add(delivery.entry.fields["task"])
        at_once.append(set(running))
        await asyncio.sleep(0.05)  # long enough for others to begin, were they let
        running.discard(delivery.entry.fields["task"])
        return []

    async with stream_of(redis_url, lease=LONG_LEASE) as dead:
        await dead.enqueue([message(task) for task in ("killer", "beside", "fresh-1", "fresh-2")])
        for _ in range(2):
            entry = await read_one(dead)
            await redis.xclaim(keys.TASKS.name, keys.GROUP, dead.consumer, 0, [entry.entry_id], retrycount=3)
            await let_lease_run_out(redis, entry.entry_id)
    async with consumer_of(redis_url, ScriptedHandler(note), lease=LONG_LEASE, max_deliveries=5) as consumer:
        await until(lambda: at_rest(redis), what="the end of all four")
        assert sorted(consumer.handler.tasks) == ["beside", "fresh-1", "fresh-2", "killer"]
    assert {"killer"} in at_once
    assert {"beside"} in at_once
    assert not [together for together in at_once if len(together) > 1 and together & {"killer", "beside"}]


async def test_leaving_uncounts_only_what_was_still_running(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("released"), message("running")])
        released, running = await begun(stream), await begun(stream)
        for delivery in (released, running):
            await each_redis.xclaim(
                keys.TASKS.name, keys.GROUP, stream.consumer, 0, [delivery.entry.entry_id], retrycount=3
            )
        await stream.settle(released.entry, Ending.RELEASE, key="released")
        await stream.leave()
        counts = {row["message_id"]: row["times_delivered"] for row in await pending(each_redis)}
    assert counts == {released.entry.entry_id: 2, running.entry.entry_id: 2}
