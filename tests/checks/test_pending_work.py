"""XPENDING in words: what every kind of entry is told as."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.checks.pending_work import GONE, describe, read_pending
from consumer.delivery.task_stream import Outgoing, TaskStream
from producers import keys
from producers.messages import TaskMessage, TaskName, encode
from tests.delivery.consumers import let_lease_run_out, read_one

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.checks.pending_work import PendingWork

LEASE = dt.timedelta(seconds=10)
NOW = dt.datetime(2025, 11, 11, 22, 0, tzinfo=dt.UTC)
DAY = dt.date(2025, 11, 11)


async def pending(redis: Redis) -> PendingWork:
    return await read_pending(redis, lease=LEASE, max_deliveries=5, now=NOW)


def part(name: str) -> Outgoing:
    message = TaskMessage(task=TaskName.VOLUME_SLOTS, trading_day=DAY, part=name, cycle=7)
    return Outgoing(fields=encode(message), key=f"7/volume_slots/{name}")


async def test_nothing_under_way_is_nothing(redis: Redis) -> None:
    assert await pending(redis) == await pending(redis)
    found = await pending(redis)
    assert (found.held, found.queued, found.parked) == ([], 0, [])


async def test_a_held_part_is_told_with_day_task_part_holder_and_delivery(redis: Redis) -> None:
    stream = TaskStream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001"), part("batch:0002")])
    entry = await read_one(stream)

    found = await pending(redis)
    (held,) = found.held
    assert (held.work.trading_day, held.work.task, held.work.part) == (DAY, "volume_slots", "batch:0001")
    assert (held.holder, held.deliveries, held.max_deliveries, held.lease_seconds) == ("worker-1", 1, 5, 10.0)
    assert not held.abandoned
    assert not held.suspect
    assert found.queued == 1

    await let_lease_run_out(redis, entry.entry_id, idle=3 * LEASE)
    (held,) = (await pending(redis)).held
    assert held.abandoned
    await redis.xdel(keys.TASKS.name, entry.entry_id)
    (held,) = (await pending(redis)).held
    assert held.work.note == GONE
    assert (await pending(redis)).queued == 1, "a ghost is not counted as standing in the stream"


async def test_what_is_parked_is_told_with_its_time(redis: Redis) -> None:
    stream = TaskStream(redis, redis, consumer="worker-1", lease=LEASE)
    due_at = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    message = TaskMessage(task=TaskName.CYCLE, trading_day=DAY, rule="CLOSED+15m")
    await stream.enqueue([Outgoing(fields=encode(message), key="a", due_at=due_at)])
    await redis.zadd(keys.LATER.pattern, {"lost": 9e12})
    parked, lost = (await pending(redis)).parked
    assert (parked.due_at, parked.work.trading_day, parked.work.note) == (due_at, DAY, "rule CLOSED+15m")
    assert lost.work.note == GONE


def test_every_kind_of_message_has_words() -> None:
    tasks = keys.TASKS.name
    assert describe(tasks, {"task": "cycle"}).note == "asked by operator"
    assert describe(tasks, {"task": "cycle", "cycle": "7"}).note == "next pass of cycle 7"
    assert describe(tasks, {"task": "cycle", "rule": "CLOSED+15m", "attempt": "2"}).note == "rule CLOSED+15m, attempt 2"
    assert (describe(tasks, {"task": "ohlc"}).note or "").startswith("not readable: task 'ohlc' is unknown")
    assert (describe(keys.SESSIONS.name, {"a": "b"}).note or "").startswith("not readable")
