"""Remembers which keys of a cache were put in place again, and says when that has become a fight.

What is remembered stands in Redis beside the caches: lost with them, it has nothing more to say.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from contract import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from redis.asyncio import Redis

#: So often the same key is put in place again; who then writes over it once more is not fought.
MOST_REPAIRS = 3
#: Of repairs before that nothing is made: a neighbour that deletes every midnight is repaired every midnight.
WINDOW = dt.timedelta(hours=12)
_MOST_NAMED = 1_000


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """Some keys that were put in place again; *keys* None: more than are named."""

    at: dt.datetime
    count: int
    keys: tuple[str, ...] | None

    def has(self, key: str) -> bool:
        return self.keys is None or key in self.keys


class Contested(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that somebody writes over again and again, which are left as they are; *keys* None: more than are named."""

    since: dt.datetime
    count: int
    keys: tuple[str, ...] | None
    example: str
    author: str

    def has(self, key: str) -> bool:
        return self.keys is None or key in self.keys


class CacheHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to one cache since the write of *fence*; *cursor*: how far it was looked through."""

    fence: int
    cursor: str = "0"
    lives_cursor: str = "0"
    read_at: dt.datetime | None = None  # when the one key of a cache of one key was last read
    is_empty: bool = False  # it has no key, and should have none
    repairs: tuple[Repair, ...] = ()
    contested: Contested | None = None

    def fought_over(self, differing: Iterable[str], now: dt.datetime) -> list[str]:
        """Those of *differing* that were put in place so often that somebody must want them otherwise."""
        recent = [one for one in self.repairs if now - one.at < WINDOW]
        return [key for key in differing if sum(one.has(key) for one in recent) >= MOST_REPAIRS]

    def unexpected(self, differing: Iterable[str], now: dt.datetime) -> list[str]:
        """Those of *differing* that are not known to be fought over."""
        contested = self.contested
        if contested is None or now - contested.since >= WINDOW:
            return list(differing)
        return [key for key in differing if not contested.has(key)]

    def in_words(self, cache: str, now: dt.datetime) -> str:
        """Who fights over what, in a line; nothing where nobody does."""
        one = self.contested
        if one is None or now - one.since >= WINDOW:
            return ""
        what = f"{one.count} keys, {one.example} for one" if one.count > 1 else one.example
        return f"{cache}: {what}, left as others write them: {one.author}"

    def repaired(self, repaired: Collection[str], now: dt.datetime) -> CacheHistory:
        """The history with one repair more, without those that have no more say."""
        recent = [one for one in self.repairs if now - one.at < WINDOW]
        one = Repair(at=now, count=len(repaired), keys=_named(repaired))
        return msgspec.structs.replace(self, repairs=(*recent, one))

    def contesting(self, fought: Collection[str], author: str, now: dt.datetime) -> CacheHistory:
        """The history in which the keys *fought* are left to their *author*."""
        contested = Contested(since=now, count=len(fought), keys=_named(fought), example=min(fought), author=author)
        return msgspec.structs.replace(self, contested=contested)


def _named(names: Collection[str]) -> tuple[str, ...] | None:
    return tuple(sorted(names)) if len(names) <= _MOST_NAMED else None


async def read_histories(redis: Redis) -> dict[str, CacheHistory]:
    """Return the histories by cache; what cannot be read has none."""
    stored: Any = await redis.hgetall(keys.WATCH.pattern)
    found = {}
    for cache, text in stored.items():
        try:
            found[cache] = msgspec.json.decode(text, type=CacheHistory)
        except (msgspec.DecodeError, UnicodeError):
            continue
    return found


async def keep_history(redis: Redis, cache: str, history: CacheHistory) -> None:
    """Keep the history of one cache."""
    await redis.hset(keys.WATCH.pattern, cache, msgspec.json.encode(history).decode())
