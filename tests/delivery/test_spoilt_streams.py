"""A stream that somebody's hand has stopped: an id of the far future, a group set ahead, another type in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ResponseError

from contract import keys
from producers.mending import TYPES, look_for_trouble, mend, mend_streams
from tests.delivery.consumers import LONG_LEASE, at_rest, begun, consumer_of, message, pending, stream_of, until

if TYPE_CHECKING:
    from redis.asyncio import Redis

LAST_OF_ALL = "18446744073709551615-18446744073709551615"
NEARLY_THE_LAST = "18446744073709551615-18446744073709551614"
IN_9999 = "253402300799000-0"
EVERY = [stream.name for stream in keys.STREAMS]


async def spoil(redis: Redis, stream: str, how: str) -> None:
    """Leave *stream* as a person's hand may; an entry that was added says so."""
    if how == "xsetid":
        await redis.xadd(stream, {"task": "before"})
        await redis.execute_command("XSETID", stream, LAST_OF_ALL)  # type: ignore[no-untyped-call]
    else:
        await redis.xadd(stream, {"task": "odd"}, id=how)


@pytest.mark.parametrize("how", [LAST_OF_ALL, NEARLY_THE_LAST, IN_9999, "xsetid"])
@pytest.mark.parametrize("stream", EVERY)
async def test_a_stream_with_an_id_of_the_future_is_told_and_takes_entries_again(
    each_url: str, each_redis: Redis, stream: str, how: str
) -> None:
    kept = await each_redis.xadd(stream, {"task": "kept"})
    await spoil(each_redis, stream, how)
    [trouble] = await look_for_trouble(each_redis)
    assert (trouble.key, "is of the future" in trouble.what) == (stream, True)
    assert await mend_streams(each_redis) == [trouble]
    assert await look_for_trouble(each_redis) == []
    added = await each_redis.xadd(stream, {"task": "added"})
    entries: Any = await each_redis.xrange(stream)
    assert [fields["task"] for _, fields in entries] == ["kept", "before" if how == "xsetid" else "odd", "added"]
    assert (entries[0][0], entries[-1][0]) == (kept, added)
    assert added < IN_9999
    assert await mend_streams(each_redis) == [], "there is nothing to mend in what was mended"
    assert [key for key in await each_redis.keys() if key.startswith("maintenance:mending:")] == []


async def test_mending_leaves_what_is_held_with_its_holder_and_what_is_queued_queued_once(
    each_url: str, each_redis: Redis
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as living:
        await living.enqueue([message("held"), message("waiting")])
        held = await begun(living)
        await each_redis.xgroup_create(keys.TASKS.name, "foreign", id=held.entry.entry_id)
        await spoil(each_redis, keys.TASKS.name, LAST_OF_ALL)
        await each_redis.hset(keys.QUEUED.pattern, "odd", LAST_OF_ALL)
        before = await pending(each_redis)
        await mend_streams(each_redis)

        after = await pending(each_redis)
        assert [(row["message_id"], row["consumer"], row["times_delivered"]) for row in after] == [
            (row["message_id"], row["consumer"], row["times_delivered"]) for row in before
        ]
        assert await living.enqueue([message("held"), message("waiting"), message("odd")]) == 0
        groups: Any = await each_redis.xinfo_groups(keys.TASKS.name)
        assert {group["name"]: group["last-delivered-id"] for group in groups} == dict.fromkeys(
            ("foreign", keys.GROUP), held.entry.entry_id
        )
        assert [(await begun(living)).entry.fields["task"] for _ in range(2)] == ["waiting", "odd"]


@pytest.mark.parametrize("how", [LAST_OF_ALL, IN_9999])
async def test_an_entry_of_the_future_that_is_held_is_handed_out_again_under_an_id_of_today(
    each_url: str, each_redis: Redis, how: str
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await spoil(each_redis, keys.TASKS.name, how)
        await begun(stream)
        await mend_streams(each_redis)
        assert await pending(each_redis) == []
        assert (await begun(stream)).entry.entry_id < IN_9999


@pytest.mark.parametrize("ahead", [LAST_OF_ALL, IN_9999])
async def test_a_group_set_far_ahead_is_told_and_set_back_and_everything_is_delivered(
    each_url: str, each_redis: Redis, ahead: str
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        await stream.enqueue([message("before")])
        await each_redis.xgroup_setid(keys.TASKS.name, keys.GROUP, ahead)
        await stream.enqueue([message("after")])
        [trouble] = await look_for_trouble(each_redis)
        assert "none is delivered" in trouble.what
        await mend_streams(each_redis)
        await stream.send_stranded()
        assert [(await begun(stream)).entry.fields["task"] for _ in range(2)] == ["before", "after"]
        assert await look_for_trouble(each_redis) == []


@pytest.mark.parametrize("stream", EVERY)
async def test_another_type_under_the_name_of_a_stream_is_told_and_put_aside(
    each_url: str, each_redis: Redis, stream: str
) -> None:
    await each_redis.set(stream, "somebody's")
    [trouble] = await look_for_trouble(each_redis)
    assert trouble.words == f"{stream}: a string stands under its name"
    await mend_streams(each_redis)
    assert await each_redis.xadd(stream, {"task": "added"})
    assert await each_redis.get(f"maintenance:set_aside:{stream}") == "somebody's"
    assert await each_redis.ttl(f"maintenance:set_aside:{stream}") > 13 * 86_400


async def test_a_consumer_that_waits_for_entries_goes_on_while_its_stream_is_mended(
    each_url: str, each_redis: Redis
) -> None:
    async with consumer_of(each_url) as consumer:
        await consumer.stream.enqueue([message("first")])
        await until(lambda: at_rest(each_redis), what="the first work")
        await spoil(each_redis, keys.TASKS.name, LAST_OF_ALL)
        await until(lambda: _ran(consumer, 2), what="the work under the last id")
        with pytest.raises(ResponseError):
            await consumer.stream.enqueue([message("refused")])
        await mend_streams(each_redis)
        await consumer.stream.enqueue([message("last")])
        await until(lambda: at_rest(each_redis), what="the last work")
        assert consumer.handler.tasks == ["first", "odd", "last"]


async def _ran(consumer: Any, count: int) -> bool:
    return len(consumer.handler.tasks) == count


@pytest.mark.parametrize("key", [name for name, kind in TYPES.items() if kind != "string"])
async def test_another_type_under_the_name_of_a_key_is_told_and_put_aside_and_nothing_else(
    redis: Redis, key: str
) -> None:
    await redis.set(keys.FENCE.pattern, 17)
    await redis.set(key, "somebody's")
    [trouble] = await look_for_trouble(redis)
    assert (trouble.key, "a string stands under its name" in trouble.what) == (key, True)
    assert await mend(redis) == [trouble]
    assert sorted(await redis.keys()) == [keys.FENCE.pattern, f"maintenance:set_aside:{key}"]
    assert await redis.get(f"maintenance:set_aside:{key}") == "somebody's"
    assert await redis.ttl(f"maintenance:set_aside:{key}") > 13 * 86_400


@pytest.mark.parametrize(
    "fence", ["9223372036854775807", "9007199254740993", "text", "", "-4", "1.5", b"\xff\xfe", None]
)
async def test_a_fence_counter_that_cannot_be_counted_on_from_begins_anew_and_can_be_lifted(
    each_url: str, each_redis: Redis, fence: str | bytes | None
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        if fence is None:
            await each_redis.lpush(keys.FENCE.pattern, "a")
        else:
            await each_redis.set(keys.FENCE.pattern, fence)
        await stream.enqueue([message("a"), message("b"), message("c")])
        first, second = (await begun(stream)).token, (await begun(stream)).token
        await stream.raise_fence(700)
        assert (first, second, (await begun(stream)).token) == (1, 2, 701)


@pytest.mark.parametrize("text", ["garbage", "99999999999999999999-0", "1-", b"\xff"])
async def test_an_identity_that_names_no_entry_stands_for_nothing(
    each_url: str, each_redis: Redis, text: str | bytes
) -> None:
    async with stream_of(each_url, lease=LONG_LEASE) as stream:
        for key in ("a", "b", "c"):
            await each_redis.hset(keys.QUEUED.pattern, key, text)
        assert await stream.enqueue([message("a")]) == 1
        assert await stream.withdraw(["b"]) == 0
        await stream.sweep()
        assert set(await each_redis.hgetall(keys.QUEUED.pattern)) == {"a"}
