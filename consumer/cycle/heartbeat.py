"""Says that a consumer's catch-up looks, and when it did last: readiness asks it, in whichever process it is asked."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from contract import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: A look comes every half minute; one may take long, or wait while a server is away.
BEATS_WITHIN = dt.timedelta(minutes=2)


async def beat(redis: Redis, consumer: str, *, now: dt.datetime) -> None:
    """Say that *consumer* has looked, and forget who has not for long. Raises RedisError."""
    at, gone = now.timestamp(), (now - BEATS_WITHIN).timestamp()
    async with redis.pipeline(transaction=True) as beats:
        beats.zadd(keys.LOOKED.pattern, {consumer: at})
        beats.zremrangebyscore(keys.LOOKED.pattern, "-inf", f"({gone}")
        beats.expire(keys.LOOKED.pattern, 2 * BEATS_WITHIN)
        await beats.execute()


async def last_look(redis: Redis, consumer: str | None) -> dt.datetime | None:
    """When *consumer* looked last, or any where None is named; None where nobody did of late. Raises RedisError."""
    try:
        found: Any = await redis.zrevrange(keys.LOOKED.pattern, 0, -1, withscores=True)
    except ResponseError:
        return None  # somebody put something else there
    for name, at in found:
        if consumer in (None, name):
            return dt.datetime.fromtimestamp(at, dt.UTC)
    return None
