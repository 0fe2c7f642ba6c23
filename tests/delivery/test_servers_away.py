"""While what all work needs is away: pauses grow, one entry at a time finds it out, and the log has few lines of it."""

from __future__ import annotations

import datetime as dt
import json
from random import Random
from typing import TYPE_CHECKING, Any

from consumer.delivery.brake import Brake
from consumer.delivery.errors import Busy
from consumer.delivery.retry_log import TOLD_EVERY_S, RetryLog
from consumer.delivery.settle import BACKOFF_MOST, Policy, Settlement, settle
from producers import keys
from tests.delivery.consumers import ScriptedHandler, at_rest, consumer_of, message, until
from tests.delivery.test_bounds import calls

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.task_stream import Delivery

MANY = 40
A_SECOND = dt.timedelta(seconds=1)


class Longest(Random):
    """Draws the end of every range."""

    def random(self) -> float:
        return 1.0


def free_retry(waits: int, failure: Exception | None = None) -> Settlement:
    return settle(
        failure or OSError("away"), attempt=1, max_attempts=3, classify=lambda _: Policy.RETRY_FREELY,
        random=Longest(), waits=waits,
    )  # fmt: skip


def test_the_pause_of_what_is_retried_freely_grows_to_thirty_seconds_and_counts_no_attempt() -> None:
    settlements = [free_retry(waits) for waits in range(8)]

    assert [one.delay.total_seconds() for one in settlements] == [2, 4, 8, 16, 30, 30, 30, 30]
    assert [one.waits for one in settlements] == list(range(1, 9))
    assert not any(one.counted for one in settlements)
    assert free_retry(10**18).delay == BACKOFF_MOST


def test_waiting_ones_turn_and_a_failure_of_ones_own_begin_the_pauses_anew() -> None:
    assert free_retry(7, Busy("in turn", delay=A_SECOND)).waits == 0
    own = settle(ValueError(), attempt=1, max_attempts=3, classify=lambda _: Policy.RETRY, random=Longest(), waits=7)
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
