"""Lets neighbours and people write over the caches: each comes back by itself, and who fights over one is named."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.completeness.cache_repairs import WINDOW, read_histories
from consumer.completeness.cache_watch import EVERY, READ_WHOLE_EVERY, CacheWatch
from consumer.completeness.caches import changed_keys, verify_caches
from consumer.completeness.reading_context import reading_context
from consumer.redis_cache.fingerprints import look_at, look_at_lives
from consumer.redis_cache.writer import CacheWriter
from consumer.web.monitor import Monitor
from contract import keys
from tests.cycle.stack import DAY, new_york, until
from tests.neighbours.clients import Historical, MidnightDeleter, RvolReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from tests.cycle.stack import Stack

MARKET_OF = 60  # tickers

CACHES = ("metadata:ticker:*", "rvol:hist:*", "trades:baseline:*", "ticker:*", "atr:daily")


async def held(stack: Stack, *patterns: str) -> dict[str, Any]:
    """What every key of the caches holds."""
    cache: Any = stack.services.cache
    reads: dict[str, Callable[[str], Any]] = {"string": cache.get, "hash": cache.hgetall, "set": cache.smembers}
    names = {name for pattern in patterns or CACHES for name in cache.scan_iter(match=pattern, count=1000)}
    kinds = {name: cache.type(name) for name in names}
    return {name: reads[kind](name) if kind in reads else kind for name, kind in kinds.items()}


async def differences(stack: Stack) -> dict[str, int]:
    """What `maintenance verify` finds, by cache."""
    found = await verify_caches(lambda day: reading_context(stack.services, day))
    return {one.cache: one.differences for one in found if one.differences}


async def status_says(stack: Stack) -> bool:
    """What `maintenance status` makes its exit code of."""
    monitor = Monitor(pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock)
    status = await monitor.status()
    return bool(status.caches) and not changed_keys(stack.services.cache)


@pytest.fixture
async def night(stack: Stack) -> Stack:
    """A stack after a whole night, of which the vendor is asked nothing more."""
    await stack.run_cycle()
    await stack.market.reset()
    assert await differences(stack) == {}
    return stack


@pytest.fixture
def watch(stack: Stack) -> CacheWatch:
    return CacheWatch(stack.services, stack.redis)


async def test_a_night_beside_historical_leaves_nothing_to_miss_and_changes_nothing(
    night: Stack, watch: CacheWatch
) -> None:
    before = await held(night)
    historical = Historical(night.redis, night.pool)
    reader = RvolReader(night.redis, historical)
    deleter = MidnightDeleter(night.redis, night.clock())
    deleted, came_back = 0, 0
    for hour in range(1, 13):
        night.clock.advance(hours=1)
        deleted += await deleter.at(night.clock())
        came_back += await watch.look()
        for key in [name for name in before if name.startswith("rvol:hist:avg:")]:
            await reader.averages(key.split(":")[3])
        assert (await held(night) == before) and historical.rewritten == [], hour
    averages = sum(name.startswith("rvol:hist:avg:") for name in before)
    print(f"deleted at midnight: {deleted}; back with the next look: {came_back}; written over: 0")
    assert (deleted, came_back) == (averages, averages)
    assert await night.market.requests() == {}


async def test_what_is_deleted_at_midnight_is_back_with_the_next_look_and_verify_and_status_agree(
    night: Stack, watch: CacheWatch
) -> None:
    before = await held(night)
    assert await status_says(night)
    night.clock.at = new_york(DAY + dt.timedelta(days=1), "00:00")
    assert await MidnightDeleter(night.redis, night.clock() - dt.timedelta(minutes=1)).at(night.clock()) > 40
    assert (await status_says(night), bool(await differences(night))) == (False, True)

    assert await watch.look() > 40

    assert await held(night) == before
    assert (await status_says(night), await differences(night)) == (True, {})
    assert await night.market.requests() == {}
    assert await watch.look() == 0
    ttl = await night.redis.ttl(next(name for name in before if name.startswith("rvol:hist:avg:")))
    assert ttl > keys.CACHE_TTL.total_seconds() - 60


BY_HAND = {
    "a hash, one field": lambda cache: cache.hset("rvol:hist:avg:{S}:5", "100", "1"),
    "a hash, a field less": lambda cache: cache.hdel("rvol:hist:avg:{S}:5", "100"),
    "a hash of trades": lambda cache: cache.hset("trades:baseline:{S}:5", "avg", "1"),
    "a document": lambda cache: cache.set("metadata:ticker:{S}", "{}", keepttl=True),
    "averages": lambda cache: cache.set("ticker:avg_volume:{S}", "{}"),
    "a document deleted": lambda cache: cache.delete("metadata:ticker:{S}"),
    "another type": lambda cache: (cache.delete("metadata:ticker:{S}"), cache.rpush("metadata:ticker:{S}", "x")),
    "ranges, a field less": lambda cache: cache.hdel("atr:daily", "{S}"),
    "the universe, one more": lambda cache: cache.sadd("ticker:universe", "INTRUDER"),
    "the counts of sessions": lambda cache: cache.delete("rvol:hist:sessions:5"),
}


class Named:
    """A client that puts a symbol in the place of {S}."""

    def __init__(self, cache: Redis, symbol: str) -> None:
        self._cache, self._symbol = cache, symbol

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._cache, name)
        return lambda *words, **options: command(*(one.replace("{S}", self._symbol) for one in words), **options)


@pytest.mark.parametrize("what", BY_HAND)
async def test_what_a_hand_wrote_over_is_back_with_the_next_look_of_a_small_market(
    night: Stack, watch: CacheWatch, what: str
) -> None:
    before = await held(night)
    baselines = {name.split(":")[2] for name in before if name.startswith("trades:baseline:")}
    symbol = min(baselines & before["atr:daily"].keys())
    assert await watch.look() == 0
    BY_HAND[what](Named(night.services.cache, symbol))  # type: ignore[no-untyped-call]
    assert await held(night) != before
    assert (await status_says(night), bool(await differences(night))) == (False, True)

    assert await watch.look() == 1

    assert await held(night) == before
    assert (await status_says(night), await differences(night)) == (True, {})


async def test_a_value_in_the_hash_of_all_ranges_is_back_after_the_minutes_that_are_said(
    night: Stack, watch: CacheWatch
) -> None:
    before = await held(night, "atr:daily")
    await watch.look()
    symbol = min(before["atr:daily"])
    night.services.cache.hset("atr:daily", symbol, '{"atr":1.0}')
    assert await watch.look() == 0, "as many as before: it is read whole only now and then"
    night.clock.at += READ_WHOLE_EVERY
    assert await watch.look() == 1
    assert await held(night, "atr:daily") == before


async def test_who_writes_over_the_same_key_again_and_again_is_named_and_not_fought(
    night: Stack, watch: CacheWatch, logged: list[dict[str, object]]
) -> None:
    before = await held(night)
    key = next(name for name in sorted(before) if name.startswith("rvol:hist:avg:"))
    historical = Historical(night.redis, night.pool)

    async def written_over() -> None:
        await historical.rewrite(key.split(":")[3])
        night.services.cache.hset(key, "191", "7")

    for _ in range(3):
        await written_over()
        assert await watch.look() == 1
        night.clock.at += EVERY
    await written_over()
    theirs = await held(night)
    assert [await watch.look() for _ in range(3)] == [0, 0, 0]

    assert await held(night) == theirs, "it is left as they write it"
    told = [line for line in logged if line.get("event", line.get("message")) == "cache_contested"]
    assert len(told) == 1
    assert "'historical', which rewrites a hash with a TTL of 8 h after a miss" in str(told[0])
    assert "cache-contested" in str(told[0])
    (history,) = [one for one in (await read_histories(night.redis)).values() if one.contested is not None]
    assert history.contested is not None
    assert history.contested.example == key
    assert (await status_says(night), bool(await differences(night))) == (False, True)
    monitor = Monitor(pool=night.pool, redis=night.redis, expectations=night.expectations, now=night.clock)
    assert "'historical'" in (await monitor.status()).caches_contested[0]

    other = next(name for name in sorted(before, reverse=True) if name.startswith("rvol:hist:avg:"))
    night.services.cache.delete(other)
    assert await watch.look() == 1, "other keys are mended all the same"
    night.clock.at += WINDOW
    assert await watch.look() == 1, "and this one, when it may be that they have stopped"
    assert await held(night) == before


async def test_what_is_deleted_every_midnight_comes_back_every_midnight(night: Stack, watch: CacheWatch) -> None:
    before = await held(night)
    deleter = MidnightDeleter(night.redis, night.clock())
    for _ in range(5):
        night.clock.advance(days=1)
        assert await deleter.at(night.clock()) == await watch.look() > 0
    assert await held(night) == before


async def test_what_a_release_without_fingerprints_wrote_is_brought_to_what_this_one_writes(
    night: Stack, watch: CacheWatch
) -> None:
    before = await held(night)
    cache = night.services.cache
    for name in list(cache.scan_iter(match="maintenance:fingerprints:*")):
        cache.delete(name)
    averages = {name: fields for name, fields in before.items() if name.startswith("rvol:hist:avg:")}
    with_zeros = {name: fields for name, fields in averages.items() if "0" in fields.values()}
    for name, fields in with_zeros.items():
        cache.delete(name)
        if positive := {slot: text for slot, text in fields.items() if text != "0"}:
            cache.hset(name, mapping=positive)
    assert await watch.look() == len(with_zeros) > 0
    assert await held(night) == before
    assert await watch.look() == 0
    cache.delete(next(iter(averages)))
    assert await watch.look() == 1, "it is watched from then on"


async def test_a_cache_that_is_being_written_is_left_to_its_writer(night: Stack, watch: CacheWatch) -> None:
    cache = night.services.cache
    writer = CacheWriter(cache, cache="cache:metadata", fence=10**9, ttl=keys.CACHE_TTL)
    writer.begin()
    name = next(iter(await held(night, "metadata:ticker:*")))
    cache.delete(name)
    assert await watch.look() == 0
    assert not cache.exists(name)


async def test_of_several_consumers_one_looks(night: Stack, watch: CacheWatch) -> None:

    first = asyncio.create_task(watch.run())
    try:
        await until(lambda: night.redis.exists(keys.WATCHING.pattern), what="a look")
        assert await night.redis.set(keys.WATCHING.pattern, "looking", nx=True) is None
        assert 0 < await night.redis.pttl(keys.WATCHING.pattern) < EVERY.total_seconds() * 1000
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


SYMBOLS = [f"S{number:04}" for number in range(3_000)]


def test_of_a_large_cache_every_key_has_its_turn(redis_url: str) -> None:
    from redis import Redis as Client

    with Client.from_url(redis_url, decode_responses=True) as cache:
        writer = CacheWriter(cache, cache="cache:things", fence=1, ttl=keys.CACHE_TTL)
        writer.begin()
        writer.replace_hashes("thing:{symbol}", {symbol: ["0", symbol, "1", "x"] for symbol in SYMBOLS})
        cache.hset("thing:S1234", "1", "y")
        cache.set("thing:S0007", "of another type", ex=60)
        found, looked, turns, cursor = set(), 0, 0, "0"
        while True:
            page = look_at(cache, "cache:things", cursor, about=8)
            found |= set(page.differing)
            looked, turns, cursor = looked + page.looked_at, turns + 1, page.cursor
            if cursor == "0":
                break
        assert found == {"thing:S1234", "thing:S0007"}
        assert looked >= len(SYMBOLS)
        assert turns <= 3_000 / 8
        lives, cursor = set(), "0"
        while True:
            page = look_at_lives(cache, "cache:things", cursor, about=200, least=dt.timedelta(days=13))
            lives |= set(page.differing)
            cursor = page.cursor
            if cursor == "0":
                break
        assert lives == {"thing:S0007"}, "an HSET leaves the time to live"
