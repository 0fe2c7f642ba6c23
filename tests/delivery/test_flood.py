"""A hundred thousand entries that are no messages cost no slot, a line a minute, and little time of those behind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer.delivery.flood import TOLD_EVERY_S, TOLD_SINGLY, Flood
from consumer.delivery.settle import Policy
from contract import keys
from tests.delivery.consumers import (
    LONG_LEASE,
    ScriptedHandler,
    at_rest,
    consumer_of,
    dead_letters,
    let_lease_run_out,
    stream_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery, Entry, Outgoing, Refusal
    from consumer.delivery.task_stream import TaskStream

JUNK = 200


class Refusing(ScriptedHandler):
    """Refuses what is junk; *fails*: recording many at once does not go through."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.fails = fails

    def refusal_of(self, entry: Entry) -> str:
        return f"{entry.fields['task']} is junk" if "junk" in entry.fields else ""

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        if self.fails:
            raise OSError("the ledger is away")
        self.batches.append(len(refusals))
        return [refusal.entry_id for refusal in refusals[:1]]

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        assert "junk" not in delivery.entry.fields
        return await super().run(delivery)


async def send(redis: Redis, *, real_every: int) -> list[str]:
    """Junk with a message after each *real_every* of it; the messages' tasks."""
    pipe, real = redis.pipeline(transaction=False), []
    for number in range(JUNK):
        pipe.xadd(keys.TASKS.name, {"task": f"{number}", "junk": "yes"})
        if number % real_every == real_every - 1:
            pipe.xadd(keys.TASKS.name, {"task": f"real-{number}"})
            real.append(f"real-{number}")
    await pipe.execute()
    return real


@pytest.mark.parametrize("real_every", [97, 2])
async def test_junk_is_refused_together_and_every_message_among_it_is_run_once(
    each_url: str, each_redis: Redis, real_every: int, logged: list[dict[str, Any]]
) -> None:
    handler = Refusing()
    real = await send(each_redis, real_every=real_every)
    async with consumer_of(each_url, handler, slots=2, lease=LONG_LEASE):
        await until(lambda: at_rest(each_redis), what="an empty stream")
    assert Counter(handler.tasks) == Counter(real)
    assert {delivery.deliveries for delivery in handler.deliveries} == {1}, "what was read too much is handed back"
    singly = Counter(verdict for verdict, _ in handler.recorded)["dead"]
    assert singly + sum(handler.batches) == JUNK
    assert len(await dead_letters(each_redis)) == singly + len(handler.batches), "copies only of those that are kept"
    lines = Counter(line["message"] for line in logged)
    assert lines["delivery_dead_lettered"] == singly <= TOLD_SINGLY
    told = [line["entries"] for line in logged if line["message"] == "entries_refused"]
    assert sum(told) == sum(handler.batches)
    assert len(told) <= 2, "at once, and at the end of the minute or the process"
    assert lines["entry_reclaimed"] == 0


async def test_junk_that_a_dead_consumer_left_behind_is_refused_together_too(
    redis_url: str, redis: Redis, logged: list[dict[str, Any]]
) -> None:
    handler = Refusing()
    handler.policy = Policy.REJECT
    real = await send(redis, real_every=40)
    async with stream_of(redis_url, lease=LONG_LEASE) as dead:
        for entry in await dead.read(2 * JUNK, block=LONG_LEASE):
            await let_lease_run_out(redis, entry.entry_id)
        async with consumer_of(redis_url, handler, slots=8, lease=LONG_LEASE):
            await until(lambda: at_rest(redis), what="an empty stream")
    assert Counter(handler.tasks) == Counter(real)
    assert {delivery.deliveries for delivery in handler.deliveries} == {2}
    lines = Counter(line["message"] for line in logged)
    assert lines["delivery_dead_lettered"] <= TOLD_SINGLY
    assert lines["delivery_dead_lettered"] + sum(handler.batches) == JUNK


async def test_junk_that_cannot_be_recorded_together_goes_the_way_of_every_entry(redis_url: str, redis: Redis) -> None:
    handler = Refusing(fails=True)
    handler.run = ScriptedHandler.run.__get__(handler)  # type: ignore[method-assign]
    real = await send(redis, real_every=JUNK)
    async with consumer_of(redis_url, handler, slots=4):
        await until(lambda: at_rest(redis), what="an empty stream")
    assert Counter(handler.tasks) == Counter([*map(str, range(JUNK)), *real])


async def test_a_stream_without_junk_is_read_as_far_as_there_are_slots(redis_url: str, redis: Redis) -> None:
    async with consumer_of(redis_url, Refusing(), slots=3) as consumer:
        for number in range(20):
            await redis.xadd(keys.TASKS.name, {"task": str(number)})
        await until(lambda: at_rest(redis), what="the end of the work")
        assert sorted(map(int, consumer.handler.tasks)) == list(range(20))
        assert {delivery.deliveries for delivery in consumer.handler.deliveries} == {1}


def test_a_flood_is_told_at_once_and_by_a_line_a_minute_with_its_number(logged: list[dict[str, Any]]) -> None:
    clock = [0.0]
    flood = Flood("a stream", lambda: clock[0])
    for second in range(180):
        clock[0] = float(second)
        flood.tell()
        assert flood.rises(100)
        assert flood.more == 200
        flood.refused(100, reason="junk")
    flood.tell(at_once=True)
    flood.tell(at_once=True)
    lines = [line for line in logged if line["message"] == "entries_refused"]
    assert [line["entries"] for line in lines] == [100, 5_900, 6_000, 6_000]
    assert lines[1]["since_the_last_line_s"] == TOLD_EVERY_S


def test_a_few_refusals_of_a_minute_are_told_one_by_one_and_after_a_flood_they_are_again() -> None:
    clock = [0.0]
    flood = Flood("a stream", lambda: clock[0])
    assert [flood.rises(1) for _ in range(TOLD_SINGLY + 1)] == [False] * TOLD_SINGLY + [True]
    assert not flood.rises(0)
    assert flood.more == 0
    clock[0] = TOLD_EVERY_S
    assert not flood.rises(1)


def test_a_flood_of_giants_is_refused_together_but_never_asked_for_together() -> None:
    flood = Flood("a stream")
    assert flood.rises(100)
    assert flood.more == 200
    assert flood.rises(100, giants=1)
    assert flood.more == 0
    assert flood.rises(100)
    assert flood.more == 200


async def test_a_worker_asks_for_no_more_giants_at_once_than_it_has_slots(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with consumer_of(redis_url, Refusing(), slots=3, lease=LONG_LEASE, started=False) as consumer:
        asked = note_reads(consumer.stream, monkeypatch)
        for _ in range(60):
            await redis.xadd(keys.TASKS.name, {"task": "x" * 17_000})
        consumer.start()
        await until(lambda: at_rest(redis), what="an empty stream")
    assert set(asked) <= {1, 2, 3}


async def test_after_a_read_that_failed_a_worker_asks_for_no_more_than_it_has_slots(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with consumer_of(redis_url, Refusing(), slots=3, lease=LONG_LEASE, started=False) as consumer:
        asked = note_reads(consumer.stream, monkeypatch, fails_beyond=3)
        await send(redis, real_every=JUNK)
        consumer.start()
        await until(lambda: _beyond(asked, 3), what="a read beyond the free slots")
        await until(lambda: _another(asked), what="the read after it")
    first = next(index for index, count in enumerate(asked) if count > 3)
    assert asked[first + 1] <= 3


def note_reads(stream: TaskStream, monkeypatch: pytest.MonkeyPatch, *, fails_beyond: int | None = None) -> list[int]:
    """How many entries each read of *stream* asks for; more than *fails_beyond* at once never arrive."""
    read, asked = stream.read, []

    async def noted(count: int, **options: Any) -> list[Entry]:
        asked.append(count)
        if fails_beyond is not None and count > fails_beyond:
            raise RedisUnreachable("output buffer limit")
        return await read(count, **options)

    monkeypatch.setattr(stream, "read", noted)
    return asked


async def _beyond(asked: list[int], slots: int) -> bool:
    return any(count > slots for count in asked)


async def _another(asked: list[int]) -> bool:
    return any(count > 3 for count in asked[:-1])
