"""An entry that is in the stream is either held by somebody or will be handed out, whatever was done to it by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from contract import keys
from tests.delivery.consumers import LONG_LEASE, at_rest, begun, consumer_of, message, pending, stream_of, until

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_work_acknowledged_by_hand_is_handed_out_again(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("a"), message("held"), message("unread")])
        delivery = await begun(stream)
        held = await begun(stream)
        await each_redis.xack(keys.TASKS.name, keys.GROUP, delivery.entry.entry_id)
        await stream.sweep()
        assert [row["message_id"] for row in await pending(each_redis)] == [held.entry.entry_id]
        assert await each_redis.xlen(keys.TASKS.name) == 3
        assert [(await begun(stream)).entry.fields["task"] for _ in range(2)] == ["unread", "a"]


async def test_work_that_a_group_set_ahead_would_pass_over_is_handed_out(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        wanted = [f"task {number}" for number in range(450)]
        await stream.enqueue([message(task) for task in wanted])
        await each_redis.xgroup_setid(keys.TASKS.name, keys.GROUP, "$")
        await stream.sweep()
        await stream.enqueue([message(task) for task in wanted])  # what the reconciler does: at worst a second entry
        entries = await stream.read(1000, block=LONG_LEASE)
        assert [entry.fields["task"] for entry in entries[:450]] == wanted


async def test_work_in_order_stays_where_it_is(each_url: str, each_redis: Redis) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("held"), message("unread")])
        await begun(stream)
        before = await each_redis.xrange(keys.TASKS.name)
        await stream.sweep()
        assert await each_redis.xrange(keys.TASKS.name) == before


async def test_a_consumer_that_starts_runs_what_is_stranded(redis_url: str, redis: Redis) -> None:
    async with stream_of(redis_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("a")])
        delivery = await begun(stream)
        await redis.xack(keys.TASKS.name, keys.GROUP, delivery.entry.entry_id)
    async with consumer_of(redis_url) as consumer:
        await until(lambda: at_rest(redis), what="the end of the work")
        assert consumer.handler.tasks == ["a"]


async def test_a_foreign_group_that_never_acknowledges_pins_nothing(redis_url: str, redis: Redis) -> None:
    await redis.xgroup_create(keys.TASKS.name, "foreign", id="0", mkstream=True)
    async with consumer_of(redis_url) as consumer:
        for number in range(300):
            await consumer.stream.enqueue([message(f"task {number}")])
            await redis.xreadgroup("foreign", "reader", {keys.TASKS.name: ">"}, count=1)
        await until(lambda: at_rest(redis), what="the end of the work")
    assert (await redis.xinfo_stream(keys.TASKS.name))["radix-tree-keys"] <= 1


async def test_work_parked_for_longer_than_it_may_is_brought_forward_with_its_own_fields(
    each_url: str, each_redis: Redis
) -> None:
    an_hour, soon = dt.timedelta(hours=1), dt.datetime.now(dt.UTC) + dt.timedelta(minutes=50)
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("far", due_at=soon, attempt="3"), message("near", due_at=soon)])
        await each_redis.zadd(keys.LATER.pattern, {"far": 9e15})
        again = [msgspec.structs.replace(message(task), overtakes=an_hour) for task in ("far", "near")]
        assert await stream.enqueue([*again, message("far")]) == 1
        assert await stream.promote() == 1
        assert (await begun(stream)).entry.fields["attempt"] == "3"
        assert await each_redis.zrange(keys.LATER.pattern, 0, -1) == ["near"]
