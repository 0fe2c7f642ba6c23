"""What is larger than any message is refused, told once, kept in its beginning, and gone; the others work on."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer.delivery import reading
from consumer.delivery.entries import FIELDS_KEPT, MOST_BYTES, MOST_FIELDS, CutShort, Unread, entry_of
from consumer.delivery.errors import DataRejected
from consumer.delivery.settle import Policy
from consumer.maintenance_channel import CHANNEL
from consumer.runtime import connect_redis
from contract import keys
from process import bounded_replies
from tests.delivery.consumers import (
    LEASE,
    LONG_LEASE,
    ScriptedHandler,
    at_rest,
    consumer_of,
    dead_letters,
    message,
    pending,
    stream_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

    from consumer.delivery.entries import Delivery

REAL = {b"task": b"real", b"key": b"real"}
GIANT = bytes(range(256)) * 1_000
KINDS: dict[str, dict[bytes, bytes]] = {
    "a long value": {**REAL, b"x": GIANT},
    "a value a little too long": {**REAL, b"x": b"x" * MOST_BYTES},
    "a long name": {**REAL, GIANT: b"x"},
    "the work itself": {**REAL, b"task": GIANT},
    "bytes that are no text": {**REAL, b"x": b"\xff\x00\x1b" * 30_000},
    "a nest of JSON": {**REAL, b"x": b"[" * 100_000},
    "many fields": {**REAL, **{b"f%d" % number: b"v" for number in range(MOST_FIELDS)}},
    "very many fields": {**REAL, **{b"f%d" % number: b"v" for number in range(3_000)}},
    "many long fields": {**REAL, **{b"f%d" % number: b"v" * 2_000 for number in range(200)}},
}
FIRST_OF_A_KIND = next(iter(KINDS))


@pytest.fixture(autouse=True)
def _scaled_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A giant is a quarter of a megabyte here."""
    monkeypatch.setattr(bounded_replies, "LONGEST_TEXT", 50_000)


@pytest.fixture(params=KINDS)
def giant(request: pytest.FixtureRequest) -> Iterator[dict[bytes, bytes]]:
    yield KINDS[request.param]


async def add(redis: Redis, fields: dict[Any, Any]) -> str:
    return str(await redis.xadd(keys.TASKS.name, fields))


async def refused(redis: Redis) -> dict[str, str]:
    """The one letter, when everything is at rest."""
    await until(lambda: at_rest(redis), what="an empty stream")
    [letter] = await dead_letters(redis)
    return letter


async def test_a_giant_of_any_kind_is_refused_with_its_size_and_the_message_behind_it_is_run(
    redis_url: str, redis: Redis, giant: dict[bytes, bytes], logged: list[dict[str, Any]]
) -> None:
    async with consumer_of(redis_url) as consumer:
        entry = await add(redis, giant)
        await consumer.stream.enqueue([message("behind it")])
        letter = await refused(redis)
        assert consumer.handler.tasks == ["behind it"]
        [(verdict, failure)] = consumer.handler.recorded
    size = sum(len(name) + len(value) for name, value in giant.items())
    assert f"{len(giant):,} fields of {size:,} bytes: a message has at most 100 fields" in letter["reason"]
    assert (letter["entry_id"], verdict, isinstance(failure, DataRejected)) == (entry, "dead", True)
    assert len(letter) <= FIELDS_KEPT + 6
    assert sum(map(len, [*letter, *letter.values()])) < MOST_BYTES
    assert all(text.isprintable() for text in letter.values())
    [told] = [line for line in logged if line["message"] == "delivery_dead_lettered"]
    assert told["entry_id"] == entry


async def test_what_is_left_of_a_giant_proves_which_one_it_was(redis_url: str, redis: Redis) -> None:
    async with consumer_of(redis_url):
        await add(redis, KINDS[FIRST_OF_A_KIND])
        letter = await refused(redis)
    assert letter["field:task"] == "real"
    assert letter["field:x"].startswith("\\x00\\x01")
    assert letter["field:x"].endswith(f"(256,000 bytes, sha256 {hashlib.sha256(GIANT).hexdigest()})")


async def test_a_giant_left_behind_by_a_dead_consumer_is_refused_on_every_server(
    each_url: str, each_redis: Redis
) -> None:
    async with stream_of(each_url, lease=LEASE, name="dead") as dead:
        entry = await add(each_redis, KINDS[FIRST_OF_A_KIND])
        script = "redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'STREAMS', KEYS[1], '>')"
        await each_redis.eval(script, 1, keys.TASKS.name, keys.GROUP, dead.consumer)
    async with consumer_of(each_url) as consumer:
        letter = await refused(each_redis)
        assert consumer.handler.deliveries == []
    assert (letter["entry_id"], letter["deliveries"]) == (entry, "2")
    assert hashlib.sha256(GIANT).hexdigest() in letter["field:x"]


async def test_a_giant_that_no_reply_can_bring_is_refused_by_what_the_server_says_of_it(
    each_url: str, each_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = reading.execute

    async def cut_off(client: Any, *command: object) -> Any:
        answer = await execute(client, *command)
        if command[0] in ("XRANGE", "XREADGROUP") and answer and b"x" in str(answer).encode():
            raise RedisUnreachable("output buffer limit")
        return answer

    monkeypatch.setattr(reading, "execute", cut_off)
    async with consumer_of(each_url) as consumer:
        entry = await add(each_redis, KINDS[FIRST_OF_A_KIND])
        letter = await refused(each_redis)
        assert consumer.handler.deliveries == []
    assert (letter["entry_id"], letter["deliveries"]) == (entry, str(reading.TRIED_WHOLE + 1))
    assert "3 fields of 256,016 bytes" in letter["reason"]
    assert "(256,000 bytes, too many to be read)" in letter["field:x"]


async def test_the_work_goes_on_beside_a_giant_that_no_reply_can_bring(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = reading.execute

    async def cut_off(client: Any, *command: object) -> Any:
        answer = await execute(client, *command)
        if command[0] in ("XRANGE", "XREADGROUP") and b"giant" in str(answer).encode():
            raise RedisUnreachable("output buffer limit")
        return answer

    monkeypatch.setattr(reading, "execute", cut_off)
    async with consumer_of(redis_url, lease=LONG_LEASE, slots=1, started=False) as consumer:
        giant = await add(redis, {"task": "giant"})
        await consumer.stream.enqueue([message(task) for task in "ab"])
        consumer.start()

        async def only_the_giant_is_left() -> bool:
            return [row["message_id"] for row in await pending(redis)] == [giant] and len(consumer.handler.tasks) == 2

        await until(only_the_giant_is_left, what="the work behind it, long before a lease is over")
        assert consumer.handler.tasks == ["a", "b"]
        assert [delivery.deliveries for delivery in consumer.handler.deliveries] == [1, 1]


@pytest.mark.parametrize(
    "said",
    [
        {"task": "real", **{f"n{number}": "v" for number in range(MOST_FIELDS - 2)}, "day": "2025-11-11"},
        {"task": "real", "note": "ä" * 8_000, "day": "2025-11-11"},
        {"task": "real", "n" * 300: "v", "day": "2025-11-11"},
    ],
)
async def test_a_message_that_no_reply_can_bring_is_a_message_as_a_whole_or_none(
    each_url: str, each_redis: Redis, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    execute = reading.execute

    async def cut_off(client: Any, *command: object) -> Any:
        if command[0] == "XRANGE":
            raise RedisUnreachable("connection lost")
        return await execute(client, *command)

    monkeypatch.setattr(reading, "execute", cut_off)
    async with stream_of(each_url) as stream:
        entry = await add(each_redis, said)
        found = await stream._reader._read_again(entry, reading.TRIED_WHOLE + 1, stream=keys.TASKS.name)
        assert found is not None
        assert (found.fields, found.oversize) == (said, "")


async def test_a_message_behind_giants_in_a_reply_that_is_too_long_in_all_is_read_in_full(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_replies, "MOST_BYTES", 100_000)
    said = {"task": "real", "note": "ä" * 200, "n" * 300: "v"}
    async with connect_redis(redis_url) as bounded, stream_of(redis_url) as stream:
        monkeypatch.setattr(stream._reader, "_blocking", bounded)
        for _ in range(3):
            await add(redis, {"x": "x" * 40_000})
        entry = await add(redis, said)
        read = await stream.read(10, block=LEASE)
    assert [bool(one.oversize) for one in read] == [True, True, True, False]
    assert (read[-1].entry_id, read[-1].fields) == (entry, said)


async def test_a_message_that_is_deleted_between_a_cut_reply_and_its_second_reading_is_forgotten(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = reading.execute

    async def deleted_meanwhile(client: Any, *command: object) -> Any:
        if command[0] == "XRANGE":
            await redis.xdel(keys.TASKS.name, str(command[2]))
        return await execute(client, *command)

    monkeypatch.setattr(bounded_replies, "MOST_BYTES", 0)
    async with connect_redis(redis_url) as bounded, stream_of(redis_url) as stream:
        monkeypatch.setattr(stream._reader, "_blocking", bounded)
        monkeypatch.setattr(reading, "execute", deleted_meanwhile)
        await add(redis, {"task": "real", "note": "x" * 300})
        assert await stream.read(10, block=LEASE) == []
    assert await pending(redis) == []


@pytest.mark.parametrize("short", [{b"task": Unread(b"r", size=300)}, {Unread(b"n", size=300): b"real"}])
def test_what_is_left_of_a_message_is_none(short: dict[bytes, bytes]) -> None:
    with pytest.raises(CutShort, match="1-0 came cut short"):
        entry_of("1-0", short, CHANNEL)


async def test_a_giant_takes_the_place_of_no_work_that_it_names(redis_url: str, redis: Redis) -> None:
    release = asyncio.Event()

    async def wait(_: Delivery) -> None:
        await release.wait()

    async with consumer_of(redis_url, ScriptedHandler(wait), lease=LONG_LEASE) as consumer:
        await consumer.stream.enqueue([message("real")])
        await until(lambda: pending(redis), what="the work")
        await add(redis, KINDS[FIRST_OF_A_KIND])
        await until(lambda: dead_letters(redis), what="the refusal of the giant")
        assert await redis.hlen(keys.QUEUED.pattern) == 1
        release.set()
        await until(lambda: at_rest(redis), what="the end of the work")
        assert consumer.handler.tasks == ["real"]


async def test_a_giant_whose_refusal_cannot_be_recorded_is_not_run_as_what_is_left_of_it(
    redis_url: str, redis: Redis
) -> None:
    handler = ScriptedHandler()
    handler.policy = Policy.RETRY_FREELY
    handler.record_fails_with = [OSError("the ledger is away")] * 2
    async with consumer_of(redis_url, handler):
        entry = await add(redis, KINDS[FIRST_OF_A_KIND])
        letter = await refused(redis)
    assert (letter["entry_id"], handler.deliveries) == (entry, [])
    assert "256,016 bytes" in letter["reason"]


async def test_a_parked_message_larger_than_any_is_dropped_and_the_others_become_due(
    redis_url: str, redis: Redis, logged: list[dict[str, Any]]
) -> None:
    async with stream_of(redis_url) as stream:
        giant = '["task","' + "x" * 200_000 + '"]'
        for key, text in (("giant", giant), ("nest", "[" * 5_000), ("real", '["task","real"]')):
            await redis.hset(keys.LATER_MESSAGES.pattern, key, text)
            await redis.zadd(keys.LATER.pattern, {key: 1})
        assert await stream.promote() == 1
    [(_, fields)] = await redis.xrange(keys.TASKS.name)
    assert fields == {"task": "real"}
    assert await redis.hlen(keys.LATER_MESSAGES.pattern) == 0
    assert [line["key"] for line in logged if line["message"] == "parked_message_unreadable"] == ["giant", "nest"]


async def test_a_look_for_stranded_entries_asks_for_none_that_somebody_holds(redis_url: str, redis: Redis) -> None:
    async with stream_of(redis_url) as stream:
        ids = [await add(redis, {"task": str(number)}) for number in range(5)]
        assert len(await stream.read(4, block=LEASE)) == 4
        await redis.xack(keys.TASKS.name, keys.GROUP, ids[0], ids[2])
        await redis.config_resetstat()
        await stream.send_stranded()
        stats: Any = await redis.info("commandstats")
    tasks = [fields["task"] for _, fields in await redis.xrange(keys.TASKS.name)]
    assert tasks == ["1", "3", "4", "0", "2"]
    # Two that were stranded, and that there are no more before each held one and behind the last.
    assert stats["cmdstat_xrange"]["calls"] <= 2 + 3


def test_an_entry_of_common_size_is_text_in_full_whatever_its_bytes() -> None:
    found = entry_of("1-0", {b"task": b"r\xe9al", b"\x00": b"", b"x": b"\xff" * 10_000}, CHANNEL)
    assert found.oversize == ""
    assert found.fields == {"task": "r\\xe9al", "\x00": "", "x": "\\xff" * 10_000}
