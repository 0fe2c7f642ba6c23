"""Work that is not wanted any more is taken back, whoever holds it."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

from consumer.delivery.errors import LeaseLost
from consumer.delivery.settle import Ending
from contract import keys
from tests.delivery.consumers import (
    ScriptedHandler,
    at_rest,
    begun,
    consumer_of,
    message,
    pending,
    stream_of,
    until,
    wait_for,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery


async def test_what_is_queued_held_or_due_later_is_taken_back_and_the_rest_stays(
    each_url: str, each_redis: Redis
) -> None:
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    async with stream_of(each_url) as stream:
        await stream.enqueue([message("held"), message("queued"), message("later", due_at=tomorrow), message("other")])
        held = await begun(stream)
        assert await stream.withdraw(["held", "queued", "later", "never there"]) == 3
        assert await stream.withdraw(["held", "queued", "later"]) == 0, "again is harmless"

        left = [fields["task"] for _, fields in await each_redis.xrange(keys.TASKS.name)]
        assert (left, await pending(each_redis)) == (["other"], [])
        assert not await stream.settle(held.entry, Ending.ACKNOWLEDGE, key="held"), "its holder has lost it"
        assert await stream.enqueue([message("queued")]) == 1, "the same work may be asked for anew"


async def test_the_holder_of_withdrawn_work_is_told_to_stop_and_takes_other_work(redis_url: str, redis: Redis) -> None:
    at_work, stopped = asyncio.Event(), asyncio.Event()

    async def for_ever(delivery: Delivery) -> None:
        if delivery.entry.fields["task"] == "next":
            return
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    handler = ScriptedHandler(for_ever)
    async with consumer_of(redis_url, handler, slots=1) as consumer:
        await consumer.stream.enqueue([message("unwanted"), message("next")])
        await wait_for(at_work)
        await consumer.stream.withdraw(["unwanted"])
        await wait_for(stopped)
        await until(lambda: at_rest(redis), what="rest")
    assert handler.tasks == ["unwanted", "next"]
    assert not any(isinstance(failure, LeaseLost) for _, failure in handler.recorded), "there is nothing to record"
