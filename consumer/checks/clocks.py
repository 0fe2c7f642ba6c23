"""Compares this machine's clock with those of Redis and PostgreSQL.

Redis decides by its own clock when what is parked falls due, the service by its own which session is over.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from consumer.checks.finding import Finding, ok, warning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

TOLERATED = dt.timedelta(seconds=2)


async def check_redis_clock(redis: Redis, *, now: Callable[[], dt.datetime]) -> Finding:
    """Raises RedisError where Redis does not answer."""

    async def ask() -> dt.datetime:
        seconds, microseconds = await redis.time()
        return dt.datetime.fromtimestamp(seconds, dt.UTC) + dt.timedelta(microseconds=microseconds)

    return await _compare("redis clock", ask, now)


async def check_postgres_clock(pool: Pool, *, now: Callable[[], dt.datetime]) -> Finding:
    """Raises one of CONNECTION_ERRORS where PostgreSQL does not answer."""

    async def ask() -> dt.datetime:
        answer: Any = await pool.fetchval("SELECT clock_timestamp()")
        return answer  # type: ignore[no-any-return]

    return await _compare("postgresql clock", ask, now)


async def _compare(check: str, ask: Callable[[], Awaitable[dt.datetime]], now: Callable[[], dt.datetime]) -> Finding:
    """The server read its clock somewhere between the question and the answer: only what lies outside is skew."""
    before = now()
    there = await ask()
    return judge(check, before, there, now())


def judge(check: str, before: dt.datetime, there: dt.datetime, after: dt.datetime) -> Finding:
    """Judge what the server's clock said between *before* and *after* of ours."""
    skew = there - after if there > after else there - before if there < before else dt.timedelta(0)
    seen = f"{abs(skew).total_seconds():.1f} s {'ahead' if skew > dt.timedelta(0) else 'behind'}" if skew else "agrees"
    if abs(skew) > TOLERATED:
        return warning(check, seen, "set both clocks (chrony, systemd-timesyncd): work may start late or early")
    return ok(check, seen)
