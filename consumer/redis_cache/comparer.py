"""Holds what stands in Redis against what would be written now, key by key, and writes nothing.

It is called as a writer is, so that what is compared is what the writer's own code prepares from PostgreSQL.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from contract import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from redis import Redis

BATCH = 200
SHOWN = 20


class CacheComparer:
    """Counts the keys of one cache that are missing, different or left over; the first ones by name."""

    def __init__(self, redis: Redis, *, cache: str) -> None:
        self._redis = redis
        self._cache = cache
        self.compared = 0
        self.differences = 0
        self.examples: list[str] = []
        self.differing: dict[str, str] = {}  # by key: missing, different or left over

    def replace_strings(self, pattern: str, values: Mapping[str, str]) -> int:
        for batch in _batches(values.items()):
            named = [(pattern.format(symbol=symbol), text) for symbol, text in batch]
            found: Any = self._redis.mget([key for key, _ in named])
            for (key, text), there in zip(named, found, strict=True):
                self._compare(key, key, text, there)
        self._left_over(pattern, values)
        return len(values)

    def replace_hashes(self, pattern: str, values: Mapping[str, list[str]]) -> int:
        for batch in _batches(values.items()):
            with self._redis.pipeline(transaction=False) as pipe:
                for symbol, _ in batch:
                    pipe.hgetall(pattern.format(symbol=symbol))
                # A key of another type is an error of its own, and not the whole batch's.
                found = [_fields(one) for one in pipe.execute(raise_on_error=False)]
            for (symbol, flat), there in zip(batch, found, strict=True):
                key = pattern.format(symbol=symbol)
                self._compare(key, key, dict(zip(flat[::2], flat[1::2], strict=True)), there)
        self._left_over(pattern, values)
        return sum(len(flat) // 2 for flat in values.values())

    def replace_hash(self, key: str, flat: list[str]) -> int:
        wanted = dict(zip(flat[::2], flat[1::2], strict=True))
        there = _held(lambda: self._redis.hgetall(key), {})
        for field in sorted(wanted.keys() | there.keys()):
            self._compare(key, f"{key} {field}", wanted.get(field), there.get(field))
        return len(wanted)

    def replace_set(self, key: str, members: Iterable[str]) -> int:
        wanted = set(members)
        there = _held(lambda: self._redis.smembers(key), set())
        for member in sorted(wanted | there):
            self._compare(key, f"{key} {member}", member in wanted or None, member in there or None)
        return len(wanted)

    def _left_over(self, pattern: str, wanted: Mapping[str, object]) -> None:
        """Keys of symbols that this cache has held and should hold no more."""
        registered = _held(lambda: self._redis.smembers(keys.CACHED.pattern.format(cache=self._cache)), set())
        for batch in _batches((symbol, None) for symbol in sorted(set(registered) - wanted.keys())):
            with self._redis.pipeline(transaction=False) as pipe:
                for symbol, _ in batch:
                    pipe.exists(pattern.format(symbol=symbol))
                there = pipe.execute()
            for (symbol, _), exists in zip(batch, there, strict=True):
                key = pattern.format(symbol=symbol)
                self._compare(key, key, None, exists or None)

    def _compare(self, key: str, name: str, wanted: object, there: object) -> None:
        self.compared += 1
        # Redis keeps no empty hash or set: what has no member is not there.
        if wanted == (there or None) or wanted == there:
            return
        self.differences += 1
        kind = "left over" if wanted is None else "missing" if not there else "different"
        # Of a hash of many symbols, what lacks a field is a hash that differs.
        self.differing[key] = kind if name == key else "different"
        if len(self.examples) < SHOWN:
            self.examples.append(f"{name}: {kind}")


def _held(ask: Callable[[], Any], nothing: Any) -> Any:
    """What stands under a key; *nothing* where it is of another type."""
    try:
        return ask()
    except ResponseError:
        return nothing


def _fields(answer: Any) -> dict[str, str]:
    """The fields of a hash; another type under its name has none."""
    if isinstance(answer, ResponseError):
        return {}
    if isinstance(answer, Exception):
        raise answer
    return dict(answer)


def _batches(items: Iterable[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
