"""Checks whose data the two servers hold, and whether they agree about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from consumer.checks.finding import Finding, ok, refused, unknown, warning
from consumer.postgres import source_stamp as in_postgres
from consumer.redis_cache import source_stamp as in_redis
from consumer.source.judgement import ADOPT, Unstamped, told_by
from market.data_source import source_of_mark

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

CHECK = "data source"


async def check_data_source(pool: Pool, redis: Redis) -> Finding:
    """Hold the stamps of both servers against each other. Raises one of CONNECTION_ERRORS where PostgreSQL is away."""
    held = await in_postgres.read_stamp(pool)
    if held is None:
        by_loads = told_by(await in_postgres.read_loads(pool))
        if by_loads in (Unstamped.UNTOLD, Unstamped.MIXED):
            return refused(CHECK, f"PostgreSQL has no stamp and holds {by_loads.value}", ADOPT)
        return ok(CHECK, f"no stamp yet; PostgreSQL holds {by_loads.value}, and the first consumer writes it")
    try:
        mark = await in_redis.read_stamp(redis)
    except RedisError as error:
        return unknown(CHECK, f"{held.words} in PostgreSQL; Redis does not say ({type(error).__name__})")
    if mark is None:
        return warning(
            CHECK, f"{held.words} in PostgreSQL, no stamp in Redis", "the next consumer writes it: start one"
        )
    if mark != held.mark:
        theirs = source_of_mark(mark)
        words = repr(mark[:80]) if theirs is None else theirs.words
        return refused(
            CHECK, f"{held.words} in PostgreSQL, {words} in Redis", f"correct REDIS_URL or DATABASE_URL; {ADOPT}"
        )
    return ok(CHECK, f"{held.words}, in PostgreSQL and Redis")
