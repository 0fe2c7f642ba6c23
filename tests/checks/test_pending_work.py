"""XPENDING in words: what every kind of entry is told as."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.checks import pending_work
from consumer.checks.asked_work import GONE, describe
from consumer.checks.pending_work import HeldAs, read_pending
from consumer.delivery.entries import Outgoing
from consumer.maintenance_channel import task_stream
from consumer.runtime import connect_redis
from contract import keys
from contract.messages import TaskMessage, TaskName, encode
from tests.delivery.consumers import let_lease_run_out, read_one

if TYPE_CHECKING:
    import pytest
    from redis.asyncio import Redis

    from consumer.checks.asked_work import Work
    from consumer.checks.pending_work import PendingWork

LEASE = dt.timedelta(seconds=10)
DAY = dt.date(2025, 11, 11)


async def pending(redis: Redis) -> PendingWork:
    return await read_pending(redis, lease=LEASE, max_deliveries=5)


def part(name: str) -> Outgoing:
    message = TaskMessage(task=TaskName.VOLUME_SLOTS, trading_day=DAY, part=name, cycle=7)
    return Outgoing(fields=encode(message), key=f"7/volume_slots/{name}")


async def test_nothing_under_way_is_nothing(each_redis: Redis) -> None:
    found = await pending(each_redis)
    assert (found.held, found.held_in_all, found.queued, found.parked, found.parked_in_all) == ([], 0, 0, [], 0)
    assert not found.asks_for_a_person
    assert abs(found.now - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


async def test_a_held_part_is_told_with_day_task_part_holder_and_delivery(each_redis: Redis) -> None:
    redis = each_redis
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001"), part("batch:0002")])
    entry = await read_one(stream)

    found = await pending(redis)
    (held,) = found.held
    assert (held.work.trading_day, held.work.task, held.work.part) == (DAY, "volume_slots", "batch:0001")
    assert (held.work.cycle, held.entry_id, held.stream) == (7, entry.entry_id, keys.TASKS.name)
    assert (held.holder, held.deliveries, held.max_deliveries, held.lease_seconds) == ("worker-1", 1, 5, 10.0)
    assert (held.standing, found.queued, found.held_in_all) == (HeldAs.RUNNING, 1, 1)
    assert not found.asks_for_a_person

    await let_lease_run_out(redis, entry.entry_id, idle=LEASE + dt.timedelta(seconds=2))
    found = await pending(redis)
    assert (found.held[0].standing, found.asks_for_a_person) == (HeldAs.ABANDONED, True)


async def test_an_entry_whose_message_was_deleted_is_told_as_a_ghost(each_redis: Redis) -> None:
    redis = each_redis
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001"), part("batch:0002")])
    entry = await read_one(stream)
    await redis.xdel(keys.TASKS.name, entry.entry_id)
    found = await pending(redis)
    (held,) = found.held
    assert (held.standing, held.work.note, held.holder) == (HeldAs.GHOST, GONE, "worker-1")
    assert found.queued == 1, "a ghost is not counted as standing in the stream"
    assert not found.asks_for_a_person


async def test_what_is_settled_while_it_is_looked_at_is_no_ghost(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001"), part("batch:0002")])
    entry = await read_one(stream)
    works = pending_work._works

    async def settled_meanwhile(redis: Redis, entries: list[tuple[str, str]]) -> list[Work | None]:
        await redis.xack(keys.TASKS.name, keys.GROUP, entry.entry_id)
        await redis.xdel(keys.TASKS.name, entry.entry_id)
        return await works(redis, entries)

    monkeypatch.setattr(pending_work, "_works", settled_meanwhile)
    found = await pending(redis)
    assert (found.held, found.queued) == ([], 1)


async def test_an_entry_on_its_last_delivery_asks_for_a_person(redis: Redis) -> None:
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await stream.enqueue([part("batch:0001")])
    entry = await read_one(stream)
    for deliveries, standing in ((4, HeldAs.RUNNING), (5, HeldAs.LAST_DELIVERY), (6, HeldAs.LAST_DELIVERY)):
        await redis.xclaim(keys.TASKS.name, keys.GROUP, "worker-1", 0, [entry.entry_id], retrycount=deliveries)
        found = await pending(redis)
        assert found.held[0].standing is standing
        assert found.asks_for_a_person is (standing is HeldAs.LAST_DELIVERY)


async def test_a_message_that_nobody_can_read_is_told_as_such(redis: Redis, redis_url: str) -> None:
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    await stream.ensure_group()
    await redis.execute_command("XADD", keys.TASKS.name, "*", b"task", b"\xff[bold]")  # type: ignore[no-untyped-call]
    await read_one(stream)
    async with connect_redis(redis_url) as ours:
        (held,) = (await pending(ours)).held
    assert (held.work.note or "").startswith("not readable: task")


async def test_a_held_session_event_is_told_as_its_transition(redis: Redis) -> None:
    await redis.xgroup_create(keys.SESSIONS.name, keys.GROUP, id="0", mkstream=True)
    await redis.xadd(keys.SESSIONS.name, {"event": "SESSION_CHANGED"})
    await redis.xreadgroup(keys.GROUP, "worker-1", {keys.SESSIONS.name: ">"})
    (held,) = (await pending(redis)).held
    assert (held.stream, held.work.task) == (keys.SESSIONS.name, None)
    assert (held.work.note or "").startswith("not readable: from_session is missing")


async def test_what_is_parked_is_told_with_its_time(each_redis: Redis) -> None:
    redis = each_redis
    stream = task_stream(redis, redis, consumer="worker-1", lease=LEASE)
    due_at = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    message = TaskMessage(task=TaskName.CYCLE, trading_day=DAY, rule="CLOSED+15m")
    await stream.enqueue([Outgoing(fields=encode(message), key="a", due_at=due_at)])
    await redis.zadd(keys.LATER.pattern, {"lost": 9e12})
    found = await pending(redis)
    parked, lost = found.parked
    assert (parked.due_at, parked.work.trading_day, parked.work.note) == (due_at, DAY, "rule CLOSED+15m")
    assert (lost.work.note, found.parked_in_all) == (GONE, 2)


def test_every_kind_of_message_has_words() -> None:
    tasks = keys.TASKS.name
    assert describe(tasks, {"task": "cycle"}).note == "asked by operator"
    assert describe(tasks, {"task": "cycle", "cycle": "7"}).note == "next pass of cycle 7"
    assert describe(tasks, {"task": "cycle", "rule": "CLOSED+15m", "attempt": "2"}).note == "rule CLOSED+15m, attempt 2"
    assert (describe(tasks, {"task": "ohlc"}).note or "").startswith("not readable: task 'ohlc' is unknown")
    assert (describe(keys.SESSIONS.name, {"a": "b"}).note or "").startswith("not readable")
