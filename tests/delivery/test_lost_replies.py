"""A read or a claim whose reply is lost: what it had been given is run at once, and by nobody twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer.delivery import reading
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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery
    from consumer.delivery.task_stream import TaskStream


def lose_a_reply(stream: TaskStream, method: str, *, task: str) -> list[Any]:
    """Have the server do what *method* asks, and drop the first answer that brings *task*."""
    ask: Callable[..., Awaitable[Any]] = getattr(stream, method)
    lost: list[Any] = []

    async def ask_in_vain(*args: Any, **options: Any) -> Any:
        answer = await ask(*args, **options)
        if not lost and any(entry.fields["task"] == task for entry in getattr(answer, "entries", answer)):
            lost.append(answer)
            raise RedisUnreachable("connection lost")
        return answer

    setattr(stream, method, ask_in_vain)
    return lost


@pytest.mark.parametrize("method", ["read", "claim_apart"])
async def test_what_a_lost_reply_had_brought_is_run_without_waiting_for_a_lease(
    redis_url: str, redis: Redis, method: str
) -> None:
    async with consumer_of(redis_url, lease=LONG_LEASE, slots=3, started=False) as consumer:
        await consumer.stream.enqueue([message(task) for task in "abc"])
        if method == "claim_apart":
            async with stream_of(redis_url, lease=LONG_LEASE) as dead:
                for _ in range(3):
                    await let_lease_run_out(redis, (await begun(dead)).entry.entry_id)
        lost = lose_a_reply(consumer.stream, method, task="a")
        consumer.start()
        await until(lambda: at_rest(redis), what="the end of the work, long before a lease is over")
        assert lost
        assert sorted(consumer.handler.tasks) == ["a", "b", "c"]


async def test_what_is_running_stays_where_it_is_when_a_reply_is_lost(redis_url: str, redis: Redis) -> None:
    finish = asyncio.Event()

    async def first_waits(delivery: Delivery) -> None:
        if delivery.entry.fields["task"] == "a":
            await wait_for(finish)

    rival = ScriptedHandler()
    handler = ScriptedHandler(first_waits)
    async with consumer_of(redis_url, handler, lease=LONG_LEASE, slots=2, started=False) as consumer:
        lost = lose_a_reply(consumer.stream, "read", task="b")
        consumer.start()
        await consumer.stream.enqueue([message("a")])
        await until(lambda: _begun(handler, 1), what="the first work")
        await consumer.stream.enqueue([message("b")])
        await until(lambda: _begun(handler, 2), what="what the lost reply had brought")
        async with consumer_of(redis_url, rival, lease=LONG_LEASE):
            assert (await pending(redis))[0]["times_delivered"] == 1
            finish.set()
            await until(lambda: at_rest(redis), what="the end of the work")
    assert lost
    assert handler.tasks == ["a", "b"]
    assert rival.tasks == []


async def _begun(handler: ScriptedHandler, times: int) -> bool:
    return len(handler.deliveries) >= times


async def test_replies_that_are_lost_again_and_again_use_up_no_delivery(each_url: str, each_redis: Redis) -> None:
    """Ten connections that break within a lease, as a proxy that flaps has them."""
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message(task) for task in "abc"])
        assert len(await stream.read(3, block=LONG_LEASE)) == 3
        for _ in range(10):
            assert await stream.hand_back_unheard(known=[]) == 3
            taken = await stream.claim_apart(3, suspect_after=3, alone=True)
            assert [(entry.deliveries, entry.suspect) for entry in taken.entries] == [(1, False)] * 3


async def test_only_the_entry_that_cannot_be_brought_is_counted_and_by_no_more_than_its_leases(
    each_url: str, each_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message(task) for task in "abc"])
        read = await stream.read(3, block=LONG_LEASE)
        bad = read[1].entry_id
        await stream.hand_back_unheard(known=[])
        lose_bringing(stream, monkeypatch, bad)
        seen = await stream.claim(3)
        assert [entry.fields["task"] for entry in seen] == ["a"]
        counts = [row["times_delivered"] for row in await pending(each_redis)]
        assert counts == [1, 1, 0], "those behind it are handed back at once"
        for _ in range(10):
            await stream.hand_back_unheard(known=[read[0].entry_id])
            taken = await stream.claim(3)
            assert [(entry.fields["task"], entry.deliveries) for entry in taken] == [("c", 1)]
        counted = {row["message_id"]: row["times_delivered"] for row in await pending(each_redis)}
        assert counted[bad] == 1
        await let_lease_run_out(each_redis, bad)
        with pytest.raises(RedisUnreachable):
            await stream.claim(3)
        counted = {row["message_id"]: row["times_delivered"] for row in await pending(each_redis)}
        assert counted[bad] == 2, "what is never brought has to become a suspect"


def lose_bringing(stream: TaskStream, monkeypatch: pytest.MonkeyPatch, entry_id: str) -> None:
    """No reply ever brings *entry_id*."""
    execute = reading.execute

    async def cut_off(client: Any, *command: object) -> Any:
        if command[0] == "XRANGE" and entry_id in command:
            raise RedisUnreachable("connection lost")
        return await execute(client, *command)

    monkeypatch.setattr(reading, "execute", cut_off)
