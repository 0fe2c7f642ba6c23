"""Holds the cache writer to its promises on a real Redis: no gap, no late writer, nothing left behind."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from consumer.fence import FenceLost
from consumer.redis_cache.writer import HASH_BATCH, CacheMismatch, CacheWriter
from contract import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TTL = dt.timedelta(days=14)
TEXT = "text:{symbol}"
TABLE = "table:{symbol}"
SYMBOLS = [f"S{number}" for number in range(3 * HASH_BATCH + 7)]


class Meddled(Redis):  # type: ignore[type-arg]
    """A client after whose every script call something happens."""

    after: Callable[[], None] | None = None

    def evalsha(self, *arguments: Any, **options: Any) -> Any:
        reply = super().evalsha(*arguments, **options)
        if self.after is not None:
            self.after()
        return reply


@pytest.fixture
def cache(redis_url: str) -> Iterator[Meddled]:
    with Meddled.from_url(redis_url, decode_responses=True) as client:
        yield client


def begun(cache: Redis, fence: int, *, name: str = "cache:things", ttl: dt.timedelta | None = TTL) -> CacheWriter:
    writer = CacheWriter(cache, cache=name, fence=fence, ttl=ttl)
    writer.begin()
    return writer


def tables(value: str) -> dict[str, list[str]]:
    return {symbol: [text for slot in range(12) for text in (str(slot), value)] for symbol in SYMBOLS}


def building(cache: Redis) -> list[str]:
    return list(cache.scan_iter("maintenance:building:*"))


# What somebody else left


def test_a_first_writing_gives_what_others_left_for_ever_the_life_of_ours_and_deletes_nothing(cache: Redis) -> None:
    cache.mset({"text:GONE": "theirs", "text:A": "theirs", "other:GONE": "not of these names"})
    cache.set("text:SOON", "theirs", ex=60)
    begun(cache, 1).replace_strings(TEXT, {"A": "ours"})
    assert cache.mget("text:GONE", "text:SOON", "text:A") == ["theirs", "theirs", "ours"]
    assert TTL.total_seconds() - 5 <= cache.ttl("text:GONE") <= TTL.total_seconds()
    assert cache.ttl("text:SOON") <= 60
    assert cache.ttl("other:GONE") == -1


def test_what_others_leave_later_is_left_as_it_is(cache: Redis) -> None:
    begun(cache, 1).replace_hashes(TABLE, {"A": ["0", "1"]})
    cache.hset("table:NEW", "0", "theirs")
    begun(cache, 2).replace_hashes(TABLE, {"A": ["0", "2"]})
    assert cache.ttl("table:NEW") == -1


# What is written


def test_strings_hashes_sets_are_written_counted_and_expire(cache: Redis) -> None:
    writer = begun(cache, 1)
    assert writer.replace_strings(TEXT, {"BRK.A": "a", "BACpB": "b"}) == 2
    assert writer.replace_hashes(TABLE, {"BRK.A": ["0", "1", "2", "3"]}) == 2
    assert writer.replace_hash("whole", ["x", "1"]) == 1
    assert writer.replace_set("members", ["A", "B", "A"]) == 2
    assert cache.mget("text:BRK.A", "text:BACpB") == ["a", "b"]
    assert cache.hgetall("table:BRK.A") == {"0": "1", "2": "3"}
    assert cache.hgetall("whole") == {"x": "1"}
    assert cache.smembers("members") == {"A", "B"}
    for key in ("text:BRK.A", "table:BRK.A", "whole", "members"):
        assert 0 < cache.ttl(key) <= TTL.total_seconds()
    assert building(cache) == []


def test_a_cache_without_ttl_stays_even_where_an_expiring_one_stood(cache: Redis) -> None:
    begun(cache, 1).replace_set("members", ["A"])
    begun(cache, 2, ttl=None).replace_set("members", ["B"])
    assert cache.ttl("members") == -1


def test_the_registry_of_symbols_never_expires(cache: Redis) -> None:
    begun(cache, 1).replace_strings(TEXT, {"A": "a"})
    assert cache.ttl(keys.CACHED.pattern.format(cache="cache:things")) == -1


def test_keys_of_symbols_that_went_are_dropped(cache: Redis) -> None:
    begun(cache, 1).replace_strings(TEXT, {"A": "a", "GONE": "g"})
    begun(cache, 2).replace_strings(TEXT, {"A": "a2", "NEW": "n"})
    assert sorted(cache.scan_iter("text:*")) == ["text:A", "text:NEW"]


def test_an_empty_cache_has_no_keys(cache: Redis) -> None:
    first = begun(cache, 1)
    first.replace_hashes(TABLE, {"A": ["0", "1"]})
    first.replace_hash("whole", ["x", "1"])
    first.replace_set("members", ["A"])
    second = begun(cache, 2)
    assert (
        second.replace_hashes(TABLE, {}) == second.replace_hash("whole", []) == second.replace_set("members", []) == 0
    )
    assert cache.exists("table:A", "whole", "members", keys.CACHED.pattern.format(cache="cache:things")) == 0


def test_a_hash_loses_the_fields_that_its_new_value_lacks(cache: Redis) -> None:
    begun(cache, 1).replace_hash("whole", ["old", "1", "kept", "2"])
    begun(cache, 2).replace_hash("whole", ["kept", "3"])
    assert cache.hgetall("whole") == {"kept": "3"}


# No gap


def test_readers_see_the_old_value_or_the_new_one_and_never_none(cache: Redis, redis_url: str) -> None:
    writer = begun(cache, 1)
    writer.replace_hashes(TABLE, tables("0"))
    writer.replace_hash("whole", [text for symbol in SYMBOLS for text in (symbol, "0")])
    stop, wrong, seen, reading = threading.Event(), [], set(), threading.Event()

    def read() -> None:
        with Redis.from_url(redis_url, decode_responses=True) as reader:
            while not stop.is_set():
                for key, fields in (("table:S0", 12), (f"table:{SYMBOLS[-1]}", 12), ("whole", len(SYMBOLS))):
                    found = reader.hgetall(key)
                    seen.update(found.values())
                    if len(found) != fields or len(set(found.values())) != 1:
                        wrong.append((key, found))
                reading.set()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        reading.wait(10)
        for fence in range(2, 22):
            writer = begun(cache, fence)
            writer.replace_hashes(TABLE, tables(str(fence)))
            writer.replace_hash("whole", [text for symbol in SYMBOLS for text in (symbol, str(fence))])
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert len(seen) > 2


# Fences


def test_a_writer_that_a_newer_one_overtook_changes_nothing_more(cache: Redis) -> None:
    old = begun(cache, 1)
    old.replace_strings(TEXT, {"A": "old", "B": "old"})
    newer = begun(cache, 2)
    newer.replace_strings(TEXT, {"A": "new"})
    newer.replace_hash("whole", ["x", "new"])
    newer.finish("new")
    before = {key: cache.dump(key) for key in cache.scan_iter() if not key.startswith(("maintenance:building", TEXT))}
    for late in (
        lambda: old.replace_strings(TEXT, {"A": "late"}),
        lambda: old.replace_hashes(TABLE, {"A": ["0", "late"]}),
        lambda: old.replace_hash("whole", ["x", "late"]),
        lambda: old.replace_hash("whole", []),
        lambda: old.replace_set("members", ["late"]),
        lambda: old.replace_strings(TEXT, {}),
        lambda: old.finish("late"),
        old.begin,
    ):
        with pytest.raises(FenceLost):
            late()
    after = {key: cache.dump(key) for key in cache.scan_iter() if not key.startswith(("maintenance:building", TEXT))}
    assert after == before
    assert cache.get("text:A") == "new"


def test_caches_are_fenced_apart(cache: Redis) -> None:
    begun(cache, 9, name="cache:other")
    begun(cache, 1).replace_strings(TEXT, {"A": "a"})
    assert cache.get("text:A") == "a"


def test_the_same_delivery_may_begin_again(cache: Redis) -> None:
    begun(cache, 3).replace_strings(TEXT, {"A": "a"})
    begun(cache, 3).replace_strings(TEXT, {"A": "b"})
    assert cache.get("text:A") == "b"


# The mark


def test_a_cache_is_marked_only_while_it_is_whole(cache: Redis) -> None:
    begun(cache, 1).finish("as of Monday")
    assert cache.hget(keys.CACHES.pattern, "cache:things") == "as of Monday"
    begun(cache, 2)
    assert cache.hget(keys.CACHES.pattern, "cache:things") is None


def test_a_redis_emptied_in_the_middle_is_noticed_and_not_marked(cache: Redis) -> None:
    writer = begun(cache, 1)
    writer.replace_strings(TEXT, {"A": "a"})
    cache.flushall()
    with pytest.raises(CacheMismatch, match="emptied"):
        writer.replace_hash("whole", ["x", "1"])
    with pytest.raises(CacheMismatch, match="emptied"):
        writer.finish("whole")
    assert cache.exists(keys.CACHES.pattern, "whole") == 0


# Reading back


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda redis: redis.set("text:B", "other"), id="another value"),
        pytest.param(lambda redis: redis.delete("text:B"), id="no value"),
    ],
)
def test_strings_that_read_back_otherwise_raise(cache: Meddled, spoil: Callable[[Redis], None]) -> None:
    writer = begun(cache, 1)
    cache.after = lambda: spoil(cache)
    with pytest.raises(CacheMismatch):
        writer.replace_strings(TEXT, {"A": "a", "B": "b"})


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda redis: redis.hset("table:S200", "alien", "1"), id="a field more"),
        pytest.param(lambda redis: redis.delete("table:S200"), id="no fields"),
        pytest.param(lambda redis: redis.hset("table:S0", "3", "other"), id="another value"),
    ],
)
def test_hashes_that_read_back_otherwise_raise(cache: Meddled, spoil: Callable[[Redis], None]) -> None:
    writer = begun(cache, 1)
    cache.after = lambda: spoil(cache)
    with pytest.raises(CacheMismatch):
        writer.replace_hashes(TABLE, tables("1"))


def test_a_set_that_reads_back_otherwise_raises(cache: Meddled) -> None:
    writer = begun(cache, 1)
    cache.after = lambda: cache.srem("members", "B") and cache.sadd("members", "C")
    with pytest.raises(CacheMismatch):
        writer.replace_set("members", ["A", "B"])


# What a crash leaves


def dies() -> None:
    raise ConnectionError("the worker is gone")


def test_what_a_dead_writer_left_half_built_expires(cache: Meddled) -> None:
    writer = begun(cache, 1)
    swapless = Meddled(connection_pool=cache.connection_pool)
    swapless.evalsha = lambda *_, **__: dies()  # type: ignore[method-assign]
    broken = CacheWriter(swapless, cache="cache:things", fence=1, ttl=TTL)
    for write in (
        lambda: broken.replace_strings(TEXT, {"A": "a"}),
        lambda: broken.replace_hashes(TABLE, {"A": ["0", "1"]}),
        lambda: broken.replace_set("members", ["A"]),
    ):
        with pytest.raises(ConnectionError):
            write()
    left = building(cache)
    assert len(left) == 3
    assert all(0 < cache.ttl(key) <= 900 for key in left)
    writer.finish("")


def test_alien_fields_in_a_key_left_half_built_do_not_get_in(cache: Redis) -> None:
    cache.hset("maintenance:building:1:table:A", "alien", "1")
    cache.sadd("maintenance:building:1:members", "ALIEN")
    writer = begun(cache, 1)
    writer.replace_hashes(TABLE, {"A": ["0", "1"]})
    writer.replace_set("members", ["A"])
    assert cache.hgetall("table:A") == {"0": "1"}
    assert cache.smembers("members") == {"A"}


def test_keys_that_a_dead_writer_put_in_place_are_dropped_by_the_next(cache: Meddled) -> None:
    writer = begun(cache, 1)
    cache.after = dies  # dies after the first swap, long before it would have noted what it holds
    with pytest.raises(ConnectionError):
        writer.replace_strings(TEXT, {"A": "a", "DOOMED": "d"})
    cache.after = None
    assert cache.get("text:DOOMED") == "d"
    begun(cache, 2).replace_strings(TEXT, {"A": "a"})
    assert list(cache.scan_iter("text:*")) == ["text:A"]
