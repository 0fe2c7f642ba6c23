"""While what all work needs is away: pauses grow, one entry at a time finds it out, and the log has few lines of it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import signal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from consumer.delivery.brake import Brake
from consumer.delivery.errors import Busy, DeadlinePassed
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.retry_log import TOLD_EVERY_S, RetryLog
from consumer.delivery.settle import BACKOFF_MOST, Ending, Policy, Settlement, Tries, settle
from consumer.maintenance_channel import CHANNEL
from consumer.runtime import connect_redis
from contract import keys
from tests.delivery.consumers import (
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
from tests.delivery.test_bounds import calls

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery
    from consumer.embedded.redis_server import EmbeddedRedis

MANY = 40
A_SECOND = dt.timedelta(seconds=1)


class Longest(Random):
    """Draws the end of every range."""

    def random(self) -> float:
        return 1.0


def free_retry(waits: int, failure: Exception | None = None) -> Settlement:
    tries = Tries(attempt=1, most=3, waits=waits)
    return settle(failure or OSError("away"), tries, classify=lambda _: Policy.RETRY_FREELY, random=Longest())


def test_the_pause_of_what_is_retried_freely_grows_to_thirty_seconds_and_counts_no_attempt() -> None:
    settlements = [free_retry(waits) for waits in range(8)]

    assert [one.delay.total_seconds() for one in settlements] == [2, 4, 8, 16, 30, 30, 30, 30]
    assert [one.waits for one in settlements] == list(range(1, 9))
    assert not any(one.counted for one in settlements)
    assert free_retry(10**18).delay == BACKOFF_MOST


def test_waiting_ones_turn_and_a_failure_of_ones_own_begin_the_pauses_anew() -> None:
    assert free_retry(7, Busy("in turn", delay=A_SECOND)).waits == 0
    own = settle(ValueError(), Tries(attempt=1, most=3, waits=7), classify=lambda _: Policy.RETRY, random=Longest())
    assert (own.waits, own.counted, own.delay) == (0, True, 2 * A_SECOND)


def test_while_it_is_away_one_entry_after_each_growing_pause_finds_it_out() -> None:
    brake, now, tried = Brake(Longest()), 0.0, []
    brake.failed(begun_at=0.0, now=0.0)
    while now < 120:
        if brake.admits(4, now=now) == 1:
            brake.tried(now=now)
            brake.failed(begun_at=now, now=now)
            tried.append(now)
        now += 0.5
    assert tried == [2, 6, 14, 30, 60, 90]


def test_four_slots_that_fail_together_lengthen_the_pause_once() -> None:
    brake = Brake(Longest())
    for _ in range(4):
        brake.failed(begun_at=0.0, now=1.0)
    assert (brake.admits(4, now=2.9), brake.admits(4, now=3.0)) == (0, 1)


def test_the_first_work_that_gets_through_opens_all_slots_and_what_began_before_tells_nothing() -> None:
    brake = Brake(Longest())
    brake.failed(begun_at=0.0, now=1.0)
    brake.got_through(begun_at=0.5)
    assert brake.is_closed
    brake.got_through(begun_at=3.0)
    assert (brake.is_closed, brake.admits(4, now=3.1)) == (False, 4)


async def test_a_stream_full_of_work_is_not_tried_through_while_the_database_is_away(
    redis_url: str, redis: Redis
) -> None:
    async def fail(_: Delivery) -> None:
        raise OSError("away")

    handler = ScriptedHandler(fail)
    handler.policy = Policy.RETRY_FREELY
    async with consumer_of(redis_url, handler, slots=4) as consumer:
        before = await calls(redis, "zrangebyscore")
        await consumer.stream.enqueue([message(f"task {number}") for number in range(MANY)])

        async def looked_for_due_work() -> bool:
            return bool(handler.deliveries) and await calls(redis, "zrangebyscore") >= before + 3

        await until(looked_for_due_work, what="three more looks of its reader")
    assert 1 <= len(handler.deliveries) <= MANY // 3
    waiting = [dict(_pairs(json.loads(text))) for text in (await redis.hvals(keys.LATER_MESSAGES.pattern))]
    assert all((one["attempt"], int(one["waits"]) >= 1) == ("1", True) for one in waiting)


async def test_what_was_away_and_came_back_finds_all_slots_at_work(redis_url: str, redis: Redis) -> None:
    async def fail_once(delivery: Delivery) -> None:
        if delivery.entry.fields.get("waits", "0") == "0" and len(handler.deliveries) == 1:
            raise OSError("away")

    handler = ScriptedHandler(fail_once)
    handler.policy = Policy.RETRY_FREELY
    async with consumer_of(redis_url, handler, slots=4) as consumer:
        await consumer.stream.enqueue([message(f"task {number}") for number in range(MANY)])
        await until(lambda: at_rest(redis), what="the end of all work")
    assert len(handler.deliveries) == MANY + 1


def test_a_cause_is_told_once_in_some_seconds_with_how_many_there_were(logged: list[dict[str, Any]]) -> None:
    now = 0.0
    log = RetryLog(lambda: now)
    for number in range(300):
        now = number * TOLD_EVERY_S / 100
        log.retried(f"{number}-0", reason=f"ConnectionRefusedError: [Errno 111] connect {number}", delay=A_SECOND)
        log.retried(f"{number}-1", reason=f"fence {number} is behind", delay=A_SECOND)
    told = [line["more_since_the_last_line"] for line in logged if line["message"] == "delivery_retried_later"]
    assert told == [0, 0, 99, 99, 99, 99]


def _pairs(flat: list[str]) -> list[tuple[str, str]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


async def test_a_redis_that_stood_still_for_several_leases_counts_as_no_delivery(own_redis: EmbeddedRedis) -> None:
    begun_once, ended = asyncio.Event(), asyncio.Event()

    async def work(delivery: Delivery) -> None:
        begun_once.set()
        if delivery.entry.fields["task"] == "a" and not ended.is_set():
            await asyncio.Event().wait()

    handlers = [ScriptedHandler(work) for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect_redis(own_redis.url))
        consumers = [await stack.enter_async_context(consumer_of(own_redis.url, one)) for one in handlers]
        await consumers[0].stream.enqueue([message("a")])
        await wait_for(begun_once)
        assert own_redis.pid is not None
        os.kill(own_redis.pid, signal.SIGSTOP)
        await asyncio.sleep(2.2)  # the standstill itself
        begun_once.clear()
        os.kill(own_redis.pid, signal.SIGCONT)
        await wait_for(begun_once)
        ended.set()
        # The one at work is let go by its shutdown; whoever takes it up then ends it.
        [holder] = [one for one in consumers if one.stream.consumer == (await pending(redis))[0]["consumer"]]
        await holder.stop()
        await until(lambda: at_rest(redis), what="the end of the work")
    counts = [delivery.deliveries for one in handlers for delivery in one.deliveries]
    assert (len(counts), set(counts)) == (3, {1})


async def test_stubborn_work_is_handed_back_uncounted_once(redis_url: str, redis: Redis) -> None:
    begun_once, let_go = asyncio.Event(), asyncio.Event()

    async def ignore(_: Delivery) -> None:
        begun_once.set()
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()
        raise asyncio.CancelledError

    async with consumer_of(redis_url, ScriptedHandler(ignore), lease=LONG_LEASE) as consumer:
        await consumer.stream.enqueue([message("a")])
        await wait_for(begun_once)
        [row] = await pending(redis)
        # More than were counted when it began: what is handed back is that delivery, and not the latest there is.
        await redis.xclaim(
            keys.TASKS.name, keys.GROUP, row["consumer"], 0, [row["message_id"]], retrycount=4, justid=True
        )
        stopping = asyncio.create_task(consumer.stop())

        async def handed_back() -> bool:
            return bool((await pending(redis))[0]["time_since_delivered"] > LONG_LEASE.total_seconds() * 1000)

        await until(handed_back, what="the hand-back")
        let_go.set()
        await stopping
        await until(consumer.nothing_under_way, what="the end of the work")
        assert [one["times_delivered"] for one in await pending(redis)] == [0]


@pytest.mark.parametrize("silent", [True, False])
async def test_after_nobody_was_heard_of_for_long_holders_come_before_those_who_take_over(
    each_url: str, each_redis: Redis, silent: bool
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as holder, stream_of(each_url, lease=LONG_LEASE) as other:
        await holder.enqueue([message("a")])
        held = await begun(holder)
        assert await other.claim(1) == []
        last, _ = str(await each_redis.get(keys.HEARD.pattern)).split()
        ago_ms = int(LONG_LEASE.total_seconds() * 1000 * (0.6 if silent else 0.4))
        await each_redis.set(keys.HEARD.pattern, f"{int(last) - ago_ms} 0")
        await let_lease_run_out(each_redis, held.entry.entry_id)
        taken = await other.claim(1)
        assert [one.entry_id for one in taken] == ([] if silent else [held.entry.entry_id])
        assert await holder.settle(held.entry, Ending.RELEASE, key="a") is silent
        await each_redis.delete(keys.HEARD.pattern)
        [row] = await pending(each_redis)
        assert row["times_delivered"] == (0 if silent else 2)
        assert len(await other.claim(1)) == int(silent)


@pytest.mark.parametrize("text", ["garbage", "9999999999999 99999999999999999", b"\xff", None])
async def test_a_spoilt_memory_of_who_was_heard_delays_a_takeover_by_a_second_at_most(
    each_url: str, each_redis: Redis, text: str | bytes | None
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as holder, stream_of(each_url, lease=LONG_LEASE) as other:
        await holder.enqueue([message("a")])
        held = await begun(holder)
        await let_lease_run_out(each_redis, held.entry.entry_id)
        if text is None:
            await each_redis.lpush(keys.HEARD.pattern, "a")
        else:
            await each_redis.set(keys.HEARD.pattern, text)
        await until(lambda: other.claim(1), within_s=5, what="the takeover")


async def test_a_deadline_runs_from_the_beginning_of_the_work_and_not_while_redis_keeps_it_from_that(
    redis_url: str,
) -> None:
    told: list[BaseException] = []
    loop = asyncio.get_running_loop()
    keeper = LeaseKeeper(redis_url, CHANNEL, consumer="any", lease=LONG_LEASE, loop=loop)
    keeper.hold("1-1", told.append, deadline_s=0.0)
    keeper._end_overdue()
    await asyncio.sleep(0)
    assert told == []
    keeper.work_begins("1-1")
    keeper._end_overdue()  # and no exit: whoever slept over the deadline has a lease to end from when it is told
    await until(lambda: _any(told), what="what it is told")
    assert [type(one) for one in told] == [DeadlinePassed]


async def _any(told: list[BaseException]) -> bool:
    return bool(told)


def test_what_fails_all_the_time_does_not_keep_closed_what_others_would_open() -> None:
    brake = Brake(Longest())
    brake.failed(begun_at=0.0, now=1.0)
    for at in (5.0, 10.0, 15.0):  # the one that always fails
        brake.failed(begun_at=at, now=at)
    brake.got_through(begun_at=3.0)  # begun as a trial, and longer at work than the other takes to fail
    assert brake.admits(4, now=15.0) == 4
