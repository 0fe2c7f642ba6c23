"""Writes one cache: builds new values beside the old ones, swaps them in under a fence, reads back what stands there.

Readers never see a gap: new values are in place before old ones go. A writer that lost its lease is refused by the
fence inside the swap. Synchronous on purpose (run in a thread): redis-py packs commands with hiredis only there,
at a third of the CPU.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

from consumer.delivery.errors import LeaseLost
from producers import keys

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping

    from redis import Redis

BATCH = 500
# What a crashed writer left half built goes by itself.
BUILT_TTL_SECONDS = 900


class CacheMismatch(Exception):
    """What was read back is not what was written; another attempt writes it anew."""


class CacheWriter:
    """Writes the keys of one cache under one fence."""

    def __init__(self, redis: Redis, *, cache: str, fence: int, ttl: dt.timedelta | None) -> None:
        self._redis = redis
        self._cache = cache
        self._fence = fence
        self._ttl = 0 if ttl is None else int(ttl.total_seconds())
        self._swap = redis.register_script((files("consumer.redis_cache") / "swap.lua").read_text("utf-8"))

    def put_strings(self, values: Mapping[str, str]) -> int:
        """Write string keys, read them back whole, and return their number."""
        for batch in _batches(values.items()):
            with self._redis.pipeline(transaction=False) as pipe:
                for key, value in batch:
                    pipe.set(self._built(key), value, ex=BUILT_TTL_SECONDS)
                pipe.execute()
            self._put_in_place([key for key, _ in batch])
            found: Any = self._redis.mget([key for key, _ in batch])
            self._require(found == [value for _, value in batch], [key for key, _ in batch])
        return len(values)

    def put_hashes(self, values: Mapping[str, list[str]]) -> int:
        """Write hashes given as name, value, name, value, …; read their sizes back; return the number of fields."""
        for batch in _batches(values.items()):
            with self._redis.pipeline(transaction=False) as pipe:
                for key, flat in batch:
                    pipe.hset(self._built(key), items=flat)
                    pipe.expire(self._built(key), BUILT_TTL_SECONDS)
                pipe.execute()
            self._put_in_place([key for key, _ in batch])
            with self._redis.pipeline(transaction=False) as pipe:
                for key, _ in batch:
                    pipe.hlen(key)
                self._require(pipe.execute() == [len(flat) // 2 for _, flat in batch], [key for key, _ in batch])
        return sum(len(flat) // 2 for flat in values.values())

    def put_set(self, key: str, members: Iterable[str]) -> int:
        """Write a set, read its size back and return it; an empty one is a missing key."""
        wanted = set(members)
        if not wanted:
            self._run_swap([], drop=[key])
            return 0
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(self._built(key))
            for batch in _batches(wanted):
                pipe.sadd(self._built(key), *batch)
            pipe.expire(self._built(key), BUILT_TTL_SECONDS)
            pipe.execute()
        self._put_in_place([key])
        self._require(self._redis.scard(key) == len(wanted), [key])
        return len(wanted)

    def drop_gone(self, symbols: set[str], *, pattern: str) -> None:
        """Drop the keys of symbols that this cache held before and holds no more, then remember *symbols*."""
        registry = keys.CACHED.pattern.format(cache=self._cache)
        before: Any = self._redis.smembers(registry)
        for batch in _batches(set(before) - symbols):
            self._run_swap([], drop=[pattern.format(symbol=symbol) for symbol in batch])
        ttl, self._ttl = self._ttl, 0
        try:
            self.put_set(registry, symbols)
        finally:
            self._ttl = ttl

    def mark(self, value: str) -> None:
        """Say in `maintenance:caches` what this cache now holds."""
        self._redis.hset(keys.CACHES.pattern, self._cache, value)

    def _built(self, key: str) -> str:
        return f"maintenance:building:{self._fence}:{key}"

    def _put_in_place(self, final: list[str]) -> None:
        self._run_swap([name for key in final for name in (self._built(key), key)])

    def _run_swap(self, pairs: list[str], *, drop: Iterable[str] = ()) -> None:
        reply = self._swap(
            keys=[keys.CACHES.pattern, *pairs, *drop], args=[self._cache, self._fence, self._ttl, len(pairs) // 2]
        )
        if reply != "OK":
            raise LeaseLost(f"a newer writer of {self._cache} has begun")

    def _require(self, equal: bool, about: list[str]) -> None:
        if not equal:
            raise CacheMismatch(f"{self._cache}: {about[0]} and its neighbours are not as they were written")


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
