"""A reply of Redis is read in bounded memory, and any that is no giant as the client's own parser reads it."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis._parsers.encoders import Encoder
from redis._parsers.resp3 import _AsyncRESP3Parser
from redis.asyncio import Redis

from process import bounded_replies
from process.bounded_replies import BoundedReplies
from process.shortened import Cut

leaves = st.one_of(st.binary(max_size=40), st.integers(-9, 10**12), st.none(), st.booleans())
replies = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.binary(max_size=5), inner, max_size=4),
    max_leaves=25,
)


def size_of(text: bytes) -> int:
    """How many bytes *text* has, or had before it was cut."""
    return text.size if isinstance(text, Cut) else len(text)


def wire(reply: Any) -> bytes:
    """*reply* as a server that speaks RESP3 sends it."""
    match reply:
        case None:
            return b"_\r\n"
        case bool():
            return b"#t\r\n" if reply else b"#f\r\n"
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case list():
            return b"*%d\r\n%b" % (len(reply), b"".join(map(wire, reply)))
        case dict():
            return b"%%%d\r\n%b" % (len(reply), b"".join(wire(one) for pair in reply.items() for one in pair))
    raise TypeError(reply)


async def read(parser_class: Any, sent: bytes, splits: list[int], count: int = 1) -> list[Any]:
    """What a parser makes of *sent*, which comes in pieces of these sizes, again and again."""
    stream, parser = asyncio.StreamReader(), parser_class(65536)
    parser.on_connect(SimpleNamespace(_reader=stream, encoder=Encoder("utf-8", "replace", False)))

    async def feed() -> None:
        at = 0
        while at < len(sent):
            for size in splits:
                stream.feed_data(sent[at : at + size])
                at += size
                await asyncio.sleep(0)
                if at >= len(sent):
                    break

    feeding = asyncio.create_task(feed())
    found = [await parser.read_response() for _ in range(count)]
    await feeding
    return found


@settings(max_examples=150, deadline=None)
@given(replies, replies, st.lists(st.integers(1, 50), min_size=1, max_size=5))
async def test_what_is_no_giant_is_read_as_by_the_clients_own_parser(
    first: Any, second: Any, splits: list[int]
) -> None:
    sent = wire(first) + wire(second)
    assert (
        await read(BoundedReplies, sent, splits, 2) == await read(_AsyncRESP3Parser, sent, splits, 2) == [first, second]
    )


@pytest.mark.parametrize("splits", [[1], [7, 1, 300], [10_000]])
async def test_a_giant_text_is_left_with_its_beginning_size_and_hash_and_what_follows_it_is_read(
    monkeypatch: pytest.MonkeyPatch, splits: list[int]
) -> None:
    monkeypatch.setattr(bounded_replies, "LONGEST_TEXT", 1000)
    giant = bytes(range(256)) * 8
    [reply, after] = await read(BoundedReplies, wire([b"a", giant, b"b"]) + wire(b"next"), splits, 2)
    assert (reply[0], reply[2], after) == (b"a", b"b", b"next")
    assert isinstance(reply[1], Cut)
    assert (reply[1].size, len(reply[1]) < 400) == (len(giant), True)
    assert hashlib.sha256(giant).hexdigest().encode() in reply[1]


@pytest.mark.parametrize("splits", [[1], [7, 1, 300], [100_000]])
@pytest.mark.parametrize("longest", [1, 70_000])
async def test_fields_beyond_any_messages_are_one_field_that_says_how_many_there_were(
    monkeypatch: pytest.MonkeyPatch, splits: list[int], longest: int
) -> None:
    monkeypatch.setattr(bounded_replies, "MOST_TEXTS", 10)
    flat = [b"%d" % number for number in range(60)]
    flat[40] = b"x" * longest
    [reply, after] = await read(
        BoundedReplies, wire([[b"1-0", flat], [b"2-0", [b"a", b"b"]]]) + wire(b"next"), splits, 2
    )
    [first, second] = reply
    assert (first[0], first[1][:10], second, after) == (b"1-0", flat[:10], [b"2-0", [b"a", b"b"]], b"next")
    name, value = first[1][10:]
    assert (name, name.texts, name.size) == (value, 50, sum(map(len, flat[10:])))


async def test_many_texts_that_are_too_much_together_are_short_from_there_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_replies, "MOST_BYTES", 5_000)
    [reply] = await read(BoundedReplies, wire([b"x" * 1_000] * 20), [5_000])
    assert [isinstance(one, Cut) for one in reply] == [False] * 5 + [True] * 15


async def test_reading_a_giant_takes_no_more_memory_than_a_message() -> None:
    async def giant() -> int:
        piece, count = b"x" * 65_536, 300
        stream, parser = asyncio.StreamReader(), BoundedReplies(65536)
        parser.on_connect(SimpleNamespace(_reader=stream, encoder=Encoder("utf-8", "replace", False)))

        async def feed() -> None:
            stream.feed_data(b"$%d\r\n" % (len(piece) * count))
            for _ in range(count):
                while stream._buffer:  # type: ignore[attr-defined]  # noqa: ASYNC110
                    await asyncio.sleep(0)
                stream.feed_data(piece)
            stream.feed_data(b"\r\n")

        feeding = asyncio.create_task(feed())
        reply = await parser.read_response()
        await feeding
        return int(getattr(reply, "size", len(reply)))

    tracemalloc.start()
    try:
        assert await giant() == 300 * 65_536
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


async def test_a_value_that_is_cut_is_text_that_is_none_of_ours(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_replies, "LONGEST_TEXT", 1000)
    async with Redis.from_url(
        redis_url, decode_responses=True, encoding_errors="replace", parser_class=BoundedReplies
    ) as redis:
        await redis.set("day", "2025-11-11" * 200)
        await redis.hset("hash", mapping={"a": "1", "b": "2" * 2000})
        text = await redis.get("day")
        assert text.endswith(f"(2,000 bytes, sha256 {hashlib.sha256(b'2025-11-11' * 200).hexdigest()})")
        assert (await redis.hgetall("hash"))["a"] == "1"
        assert await redis.ping()
