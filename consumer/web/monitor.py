"""Answers questions about the service from PostgreSQL and Redis, for HTTP and the terminal alike."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import RedisError

from consumer.cycle.day_status import read_status
from consumer.postgres import cycles, dead_letters
from consumer.postgres.pool import CONNECTION_ERRORS
from market.trading_calendar import NEW_YORK
from producers import keys

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from market.schedule import Schedule
    from market.trading_calendar import TradingCalendar

PATIENCE_S = 3.0
AWAY = (RedisError, *CONNECTION_ERRORS, TimeoutError)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a server answers, and how quickly."""

    connected: bool
    latency_ms: float | None = None
    error: str | None = None


class Monitor:
    """Answers questions about the service from PostgreSQL and Redis."""

    def __init__(
        self,
        *,
        pool: Pool,
        redis: Redis,
        schedule: Schedule,
        calendar: TradingCalendar,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.pool = pool
        self.redis = redis
        self.schedule = schedule
        self.calendar = calendar
        self.now = now

    async def health(self) -> dict[str, Check]:
        """Ask both servers; an answer within three seconds counts as connected."""

        async def ask_redis() -> object:
            return await self.redis.execute_command("PING")  # type: ignore[no-untyped-call]

        postgres, cache = await asyncio.gather(_check(lambda: self.pool.fetchval("SELECT 1")), _check(ask_redis))
        return {"postgresql": postgres, "redis": cache}

    async def status(self) -> dict[str, Any]:
        """Return the current cycle, the last ended one, what is due next and what lies about."""
        now = self.now()
        unended = await cycles.unended_cycles(self.pool)
        row = await self.pool.fetchrow(
            "SELECT * FROM cycle WHERE finished_at IS NOT NULL AND state <> 'superseded' "
            "ORDER BY finished_at DESC LIMIT 1"
        )
        last = None if row is None else cycles.cycle_from(row)
        return {
            "now": now,
            "current": await read_status(self.pool, unended[0], now=now) if unended else None,
            "last": await read_status(self.pool, last, now=now) if last is not None else None,
            "next_due": next_due(self.schedule, self.calendar, now),
            "last_complete_day": await self.pool.fetchval(
                "SELECT max(trading_day) FROM cycle WHERE state = 'complete' AND cardinality(tasks) >= 4"
            ),
            "streams": await self._streams(),
            "dead_letters": await dead_letters.open_count(self.pool),
        }

    async def _streams(self) -> dict[str, int] | None:
        """How many messages are under way; None where Redis is away (the status must say the rest all the same)."""
        try:
            pending: Any = await self.redis.xpending(keys.TASKS.name, keys.GROUP)
            return {
                "tasks": await self.redis.xlen(keys.TASKS.name),
                "pending": pending["pending"],
                "later": await self.redis.zcard(keys.LATER.pattern),
            }
        except RedisError:
            return None


def next_due(schedule: Schedule, calendar: TradingCalendar, now: dt.datetime) -> dict[str, object]:
    """Say when the next cycle is due and why, in words."""
    due = schedule.next_due(now)
    session = calendar.session(due.trading_day)
    closes = session.closes_at.astimezone(NEW_YORK)
    close = f"early close {closes:%H:%M} ET" if session.early_close else f"close {closes:%H:%M} ET"
    return {
        "at": due.due_at,
        "in_seconds": round((due.due_at - now).total_seconds()),
        "trading_day": due.trading_day,
        "rule": due.rule.text,
        "reason": f"{due.trading_day:%a %d %b} · {close} · {due.rule.text}",
    }


async def _check(ask: Callable[[], Awaitable[object]]) -> Check:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask()
    except AWAY as error:
        return Check(connected=False, error=f"{type(error).__name__}: {error}")
    return Check(connected=True, latency_ms=round(1000 * (time.perf_counter() - began), 2))
