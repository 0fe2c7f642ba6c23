"""A message of a newer version waits, as it is, for a worker that knows it, and everything else goes on."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from consumer.checks.pending_work import read_pending
from consumer.cycle.messages import A_LONG_RETRY, read_work
from consumer.delivery.entries import Outgoing
from consumer.delivery.errors import DataRejected
from contract import keys
from tests.delivery.consumers import (
    LONG_LEASE,
    ScriptedHandler,
    at_rest,
    consumer_of,
    dead_letters,
    let_lease_run_out,
    read_one,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery, Entry, Received, Work
    from tests.delivery.consumers import Consumer

SOON = dt.timedelta(milliseconds=50)
PART = {"task": "ohlc_daily", "cycle": "7", "part": "bars", "trading_day": "2025-11-11"}


class Versioned(ScriptedHandler):
    """Reads messages as the product does, and knows them up to *version*."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = version
        self.times_put_off: Counter[str] = Counter()

    def read(self, entry: Entry) -> Work:
        return read_work(entry, version=self.version)

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        if delivery.work.refusal:
            raise DataRejected(delivery.work.refusal)
        return await super().run(delivery)

    def put_off(self, received: Received) -> Outgoing:
        self.times_put_off[received.entry.fields["task"]] += 1
        return super().put_off(received)


@contextlib.asynccontextmanager
async def worker(url: str, version: int, *, started: bool = True) -> AsyncIterator[tuple[Consumer, Versioned]]:
    handler = Versioned(version)
    async with consumer_of(url, handler, lease=LONG_LEASE, started=started, newer_again=SOON) as consumer:
        yield consumer, handler


async def test_of_two_workers_side_by_side_the_newer_runs_what_the_older_does_not_know_and_each_message_is_run_once(
    each_url: str, each_redis: Redis
) -> None:
    kinds = [{"task": "cycle"}, {"task": "cycle", "version": "2"}, {**PART, "version": "2"}, PART] * 3
    async with worker(each_url, 1) as (_, old), worker(each_url, 2) as (_, new):
        for number, fields in enumerate(kinds):
            part = {"part": f"bars:{number}"} if "part" in fields else {}
            await each_redis.xadd(keys.TASKS.name, {**fields, **part, "requested_by": str(number)})
        await until(lambda: at_rest(each_redis), what="the end of all of it")
    run = [one.entry.fields for handler in (old, new) for one in handler.deliveries]
    assert sorted(int(fields["requested_by"]) for fields in run) == list(range(len(kinds)))
    assert not any("version" in one.entry.fields for one in old.deliveries)
    assert await dead_letters(each_redis) == []


async def test_without_a_newer_worker_it_waits_as_it_is_uncounted_and_is_shown_with_its_version(
    each_url: str, each_redis: Redis
) -> None:
    async with worker(each_url, 1) as (_, old):
        for fields in ({"task": "order_books", "version": "3", "colour": "blue"}, {**PART, "version": "2"}):
            await each_redis.xadd(keys.TASKS.name, dict(fields))
        await each_redis.xadd(keys.TASKS.name, {"task": "cycle"})

        async def looked_at_more_often_than_anything_may_be_delivered() -> bool:
            return min(old.times_put_off["order_books"], old.times_put_off["ohlc_daily"]) > 5

        await until(looked_at_more_often_than_anything_may_be_delivered)
        assert old.tasks == ["cycle"]
    assert await dead_letters(each_redis) == []
    waiting = (await read_pending(each_redis, lease=LONG_LEASE, max_deliveries=5)).for_newer
    assert sorted((work.version, work.task) for work in waiting) == [(2, "ohlc_daily"), (3, "order_books")]
    assert all("waits for a newer worker: version" in (work.note or "") for work in waiting)
    async with worker(each_url, 2) as (_, newer):
        await until(lambda: has_run(newer, "ohlc_daily"))
        (part,) = [one.entry.fields for one in newer.deliveries]
    assert part == {**PART, "version": "2"}, "not a field has changed"


async def has_run(handler: Versioned, task: str) -> bool:
    return task in handler.tasks


async def test_what_a_newer_sender_has_put_off_is_not_sent_a_second_time(redis_url: str, redis: Redis) -> None:
    newer = Outgoing(fields={**PART, "version": "2"}, key="7/ohlc_daily/bars", overtakes=A_LONG_RETRY)
    async with worker(redis_url, 1) as (consumer, old):
        await consumer.stream.enqueue([newer])
        await until(lambda: is_parked(redis))
        assert await consumer.stream.enqueue([newer]) == 0
    assert old.deliveries == []


async def is_parked(redis: Redis) -> bool:
    return bool(await redis.zcard(keys.LATER.pattern))


@pytest.mark.parametrize(
    "said", [{"task": "nonsense"}, {"task": "cycle", "version": "abc"}, {"task": "cycle", "version": "0"}]
)
async def test_an_unknown_word_or_a_version_that_is_none_is_a_dead_letter_at_once(
    redis_url: str, redis: Redis, said: dict[str, str]
) -> None:
    async with worker(redis_url, 1):
        await redis.xadd(keys.TASKS.name, dict(said))
        (letter,) = await until(lambda: dead_letters(redis))
    assert next(iter(set(said.values()) - {"cycle"})) in letter["reason"]


async def test_a_newer_message_that_kills_its_workers_comes_to_an_end_beside_older_ones(
    redis_url: str, redis: Redis
) -> None:
    """Put off it is a new entry, which Redis counts from 1: it brings its own count."""
    async with worker(redis_url, 2, started=False) as (dying, _), worker(redis_url, 1, started=False) as (old, _):
        await redis.xadd(keys.TASKS.name, {"task": "cycle", "version": "2", "deliveries": "4"})
        entry = await read_one(dying.stream)
        await let_lease_run_out(redis, entry.entry_id)
        old.start()
        await until(lambda: is_parked(redis))
        await old.stop()
        dying.start()
        (letter,) = await until(lambda: dead_letters(redis))
        assert dying.handler.deliveries == []
    assert letter["reason"].startswith("6 deliveries, none of which ended")
