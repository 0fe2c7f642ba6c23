"""Reads and writes whose data the Redis holds, and sees caches that nobody has put a stamp beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import ResponseError

from contract import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

# One key each: to ask for them costs nothing. The others are families, and asked for only where none of these is.
_SINGLE = (keys.CACHES, keys.TICKER_UNIVERSE, keys.ATR_DAILY)
_FAMILIES = (keys.TICKER_METADATA, keys.AVERAGE_VOLUMES, keys.RVOL_AVERAGES)


class RedisHeld(msgspec.Struct, frozen=True, kw_only=True):
    """The stamp as it stands, a key of our caches that is there, and the marks of the caches by their names."""

    stamp: str | None = None
    cached: str | None = None
    marks: dict[str, str] = {}


async def read_stamp(redis: Redis) -> str | None:
    """Return the stamp as it stands, readable or not; what is no string under its name is none that can be read."""
    try:
        stamp: Any = await redis.get(keys.SOURCE.pattern)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return "(no string)"
    return None if stamp is None else str(stamp)


async def read_redis(redis: Redis) -> RedisHeld:
    """Look at stamp and caches; where there is a stamp, nothing else counts."""
    stamp = await read_stamp(redis)
    if stamp is not None:
        return RedisHeld(stamp=stamp)
    cached = await _a_cache(redis)
    if cached != keys.CACHES.pattern:
        return RedisHeld(cached=cached)
    is_ours = await redis.type(keys.CACHES.pattern) == "hash"
    marks: Any = await redis.hgetall(keys.CACHES.pattern) if is_ours else {}
    return RedisHeld(cached=cached, marks=marks)


async def _a_cache(redis: Redis) -> str | None:
    for key in _SINGLE:
        if await redis.exists(key.pattern):
            return key.pattern
    for key in _FAMILIES:
        async for name in redis.scan_iter(match=key.pattern.partition("{")[0] + "*", count=5000):
            return str(name)
    return None


async def write_stamp(redis: Redis, mark: str, *, replace: bool = False) -> None:
    """Write the stamp where there is none; with *replace* in the place of another."""
    # NX: of several that come at once one writes, and nobody writes over another source's.
    await redis.set(keys.SOURCE.pattern, mark, nx=not replace)
