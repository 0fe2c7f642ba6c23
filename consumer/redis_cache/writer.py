"""Writes one cache: builds new values beside the old ones, swaps them in under a fence, reads back what stands there.

Readers never see a gap: new values are in place before old ones go. A writer that lost its lease is refused by the
fence inside the swap, one whose Redis was emptied meanwhile by the missing fence. Synchronous on purpose (run in a
thread): redis-py packs commands with hiredis only there, at a third of the CPU.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

from consumer.fence import FenceLost
from consumer.redis_cache.fingerprints import of_hash, of_set, of_string
from contract import keys
from market.data_source import VENDOR

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping

    from redis import Redis

    from market.data_source import DataSource

BATCH = 500
# Hashes have some hundred fields each, and a transaction keeps readers waiting: a few milliseconds, no more.
HASH_BATCH = 100
# What a crashed writer left half built goes by itself.
BUILT_TTL_SECONDS = 900


class CacheMismatch(Exception):
    """What was read back is not what was written; another attempt writes it anew."""


class ForeignCache(Exception):
    """This Redis holds another source's data; what is there is left alone."""


class CacheWriter:
    """Writes the keys of one cache under one fence: `begin`, then what is to be replaced, then `finish`."""

    def __init__(
        self, redis: Redis, *, cache: str, fence: int, ttl: dt.timedelta | None, source: DataSource = VENDOR
    ) -> None:
        self._redis = redis
        self._cache = cache
        self._source = source
        self.fence = fence
        self._ttl = 0 if ttl is None else int(ttl.total_seconds())
        scripts = files("consumer.redis_cache")
        self._begin = redis.register_script((scripts / "begin.lua").read_text("utf-8"))
        self._swap = redis.register_script((scripts / "swap.lua").read_text("utf-8"))

    def begin(self) -> None:
        """Become the writer of this cache, and say in `maintenance:caches` that it is not whole."""
        names = [keys.CACHES.pattern, keys.SOURCE.pattern, keys.FENCE.pattern]
        self._require_held(self._begin(keys=names, args=[self._cache, self.fence, self._source.mark]))

    def finish(self, mark: str) -> None:
        """Say in `maintenance:caches` what this cache now holds."""
        self._run_swap([], mark=mark)

    def replace_strings(self, pattern: str, values: Mapping[str, str]) -> int:
        """Make *values* (by symbol) the only keys of *pattern*, read them back whole, return their number."""
        self._let_others_expire(pattern, values)
        self._remember(values)
        self.put_strings((pattern.format(symbol=symbol), text) for symbol, text in values.items())
        self._drop_gone(pattern, values)
        return len(values)

    def put_strings(self, values: Iterable[tuple[str, str]]) -> None:
        """Put *values* (by key) in place and read them back; other keys stay as they are."""
        for named in _batches(values, BATCH):
            with self._redis.pipeline(transaction=False) as pipe:
                for key, text in named:
                    # Value and expiry in one command: who dies between two would leave a key for ever.
                    pipe.set(self._built(key), text, ex=BUILT_TTL_SECONDS)
                pipe.execute()
            self._put_in_place({key: of_string(text) for key, text in named})
            found: Any = self._redis.mget([key for key, _ in named])
            self._require(found == [text for _, text in named], named[0][0])

    def replace_hashes(self, pattern: str, values: Mapping[str, list[str]]) -> int:
        """Make *values* (by symbol, each name, value, name, value, …) the only keys of *pattern*; count the fields."""
        self._let_others_expire(pattern, values)
        self._remember(values)
        self.put_hashes((pattern.format(symbol=symbol), flat) for symbol, flat in values.items())
        self._drop_gone(pattern, values)
        return sum(len(flat) // 2 for flat in values.values())

    def put_hashes(self, values: Iterable[tuple[str, list[str]]]) -> None:
        """Put *values* (by key) in place and read them back; other keys stay as they are."""
        for batch in _batches(values, HASH_BATCH):
            self._put_hashes(batch)

    def drop(self, names: Iterable[str]) -> None:
        """Drop keys that nobody should hold."""
        for batch in _batches(names, BATCH):
            self._run_swap([], drop=batch)

    def replace_hash(self, key: str, flat: list[str]) -> int:
        """Make name, value, name, value, … the fields of *key* and count them; without any the key goes."""
        if flat:
            self._put_hashes([(key, flat)])
        else:
            self._run_swap([], drop=[key])
        return len(flat) // 2

    def replace_set(self, key: str, members: Iterable[str]) -> int:
        """Make *members* the members of *key* and count them; without any the key goes."""
        wanted = set(members)
        if wanted:
            self._put_set(key, wanted, ttl=self._ttl)
        else:
            self._run_swap([], drop=[key])
        return len(wanted)

    def _put_hashes(self, values: list[tuple[str, list[str]]]) -> None:
        # One transaction: a writer that dies between two commands would leave a key that never expires.
        with self._redis.pipeline(transaction=True) as pipe:
            for key, flat in values:
                pipe.delete(self._built(key))
                pipe.hset(self._built(key), items=flat)
                pipe.expire(self._built(key), BUILT_TTL_SECONDS)
            pipe.execute()
        self._put_in_place({key: of_hash(_fields(flat)) for key, flat in values})
        with self._redis.pipeline(transaction=False) as pipe:
            for key, _ in values:
                pipe.hgetall(key)
            found = pipe.execute()
        for (key, flat), fields in zip(values, found, strict=True):
            self._require(fields == _fields(flat), key)

    def _put_set(self, key: str, members: set[str], *, ttl: int) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(self._built(key))
            for batch in _batches(members, BATCH):
                pipe.sadd(self._built(key), *batch)
            pipe.expire(self._built(key), BUILT_TTL_SECONDS)
            pipe.execute()
        self._put_in_place({key: "" if key == self._registry else of_set(members)}, ttl=ttl)
        self._require(self._redis.smembers(key) == members, key)

    def _let_others_expire(self, pattern: str, kept: Iterable[str]) -> None:
        """Give what somebody else left under these names, without a time to live, the one that ours have.

        Only where this cache was never written: what it holds is known from then on, and a look at all keys costs.
        Nothing is deleted: a key of the earlier service may have a reader until it goes.
        """
        if not self._ttl or self._redis.exists(self._registry):
            return
        own = {pattern.format(symbol=symbol) for symbol in kept}
        left = (name for name in self._redis.scan_iter(pattern.format(symbol="*"), count=5000) if name not in own)
        for batch in _batches(left, BATCH):
            with self._redis.pipeline(transaction=False) as pipe:
                for name in batch:
                    pipe.ttl(name)
                lives = pipe.execute()
                for name, seconds in zip(batch, lives, strict=True):
                    if seconds == -1:  # without one; those of other partitions of this cache have theirs
                        pipe.expire(name, self._ttl)
                pipe.execute()

    def _remember(self, symbols: Iterable[str]) -> None:
        """Note *symbols* before their keys are written: what a crash leaves is then known to the next writer."""
        for batch in _batches(symbols, BATCH):
            self._redis.sadd(self._registry, *batch)

    def _drop_gone(self, pattern: str, kept: Iterable[str]) -> None:
        """Drop the keys of symbols that this cache held and holds no more."""
        symbols = set(kept)
        before: Any = self._redis.smembers(self._registry)
        self.drop(pattern.format(symbol=symbol) for symbol in set(before) - symbols)
        # The register last: as a crash leaves it, it names too many, whose keys the next writer drops; never too few.
        if symbols:
            self._put_set(self._registry, symbols, ttl=0)
        else:
            self._run_swap([], drop=[self._registry])

    @property
    def _registry(self) -> str:
        return keys.CACHED.pattern.format(cache=self._cache)

    def _built(self, key: str) -> str:
        return keys.BUILDING.pattern.format(fence=self.fence, key=key)

    def _put_in_place(self, final: Mapping[str, str], *, ttl: int | None = None) -> None:
        """Put the built keys in the place of *final*, each with the fingerprint of what it holds."""
        pairs = [name for key in final for name in (self._built(key), key)]
        self._run_swap(pairs, fingerprints=final.values(), ttl=ttl)

    def _run_swap(
        self,
        pairs: list[str],
        *,
        fingerprints: Iterable[str] = (),
        drop: Iterable[str] = (),
        mark: str = "",
        ttl: int | None = None,
    ) -> None:
        # The script holds the fence against the newest where it writes: after a look from here another might begin.
        arguments: list[str | int] = [self._cache, self.fence, self._ttl if ttl is None else ttl, len(pairs) // 2, mark]
        names = [keys.CACHES.pattern, keys.FINGERPRINTS.pattern.format(cache=self._cache), *pairs, *drop]
        self._require_held(self._swap(keys=names, args=[*arguments, *fingerprints]))

    def _require_held(self, reply: object) -> None:
        if reply == "FENCED":
            raise FenceLost(f"a newer writer of {self._cache} has begun")
        if str(reply).startswith("FOREIGN "):
            raise ForeignCache(
                f"{self._cache}: this Redis holds data of {str(reply)[8:]!r}, not of {self._source.mark!r}"
            )
        if reply != "OK":
            raise CacheMismatch(f"{self._cache}: Redis was emptied while it was written")

    def _require(self, equal: bool, about: str) -> None:
        if not equal:
            raise CacheMismatch(f"{self._cache}: {about} and its neighbours are not as they were written")


def _fields(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
