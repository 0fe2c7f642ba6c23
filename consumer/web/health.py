"""Says within three seconds whether both servers answer, whether a worker has just found PostgreSQL silent, and whether
our streams take work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import RedisError, ResponseError

from consumer.checks.finding import Level
from consumer.checks.spoilt_keys import check_spoilt
from consumer.postgres.pool import BUSY_ERRORS
from consumer.runtime import end_all
from consumer.web.silence import read_silence
from contract import keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

PATIENCE_S = 3.0
#: A worker that waits for work asks for some more often than this.
AT_WORK_WITHIN_MS = 30_000


class Spoilt(Exception):
    """A stream or key takes nothing that is written to it."""


AWAY = (RedisError, *BUSY_ERRORS, TimeoutError, Spoilt)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a server answers, and how quickly."""

    connected: bool
    latency_ms: float | None = None
    error: str | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis said beside, when it was asked last: the newest whole session, and whether a worker was heard of."""

    last_maintenance: str | None = None
    worker_at_work: bool = False


class Health:
    """Asks both servers side by side, and Redis about our streams and keys."""

    def __init__(self, pool: Pool, redis: Redis) -> None:
        self._pool = pool
        self._redis = redis
        self._silence: str | None = None
        self.seen = Seen()
        self._of_postgres = Question(self._ask_postgres)
        self._of_redis = Question(self._ask_redis)
        self._of_streams = Question(self._ask_streams)

    async def look(self) -> dict[str, Check]:
        """This process's own sessions may answer while a worker's do not: what a worker told of that counts as well."""
        postgres, cache, streams = await asyncio.gather(
            self._of_postgres.answer(), self._of_redis.answer(), self._of_streams.answer()
        )
        if not cache.connected:
            self.seen = Seen()
        if postgres.connected and cache.connected and self._silence is not None:
            postgres = Check(connected=False, error=self._silence)
        checks = {"postgresql": postgres, "redis": cache}
        return {**checks, "streams": streams} if cache.connected else checks

    async def close(self) -> None:
        """End the questions that still wait: their connections are about to be closed."""
        questions = (self._of_postgres, self._of_redis, self._of_streams)
        await end_all(one.asking for one in questions if one.asking is not None)

    async def _ask_postgres(self) -> None:
        await self._pool.fetchval("SELECT 1")

    async def _ask_redis(self) -> None:
        await self._redis.execute_command("PING")  # type: ignore[no-untyped-call]
        self._silence = await read_silence(self._redis)
        self.seen = Seen(last_maintenance=await self._last_run(), worker_at_work=await self._worker_at_work())

    async def _last_run(self) -> str | None:
        try:
            text: Any = await self._redis.get(keys.LAST_RUN.pattern)
        except ResponseError:
            return None  # somebody put something else there
        return None if text is None else str(text)

    async def _worker_at_work(self) -> bool:
        try:
            workers: Any = await self._redis.xinfo_consumers(keys.TASKS.name, keys.GROUP)
        except ResponseError:
            return False  # no stream, or no group yet
        return any(int(one["idle"]) < AT_WORK_WITHIN_MS for one in workers)

    async def _ask_streams(self) -> None:
        finding = await check_spoilt(self._redis)
        if finding.level is Level.REFUSED:
            raise Spoilt(finding.seen)


class Question:
    """Asked by one task at a time, which nobody waits for longer than his patience lasts.

    Cancelled, it would wait for the connection to be given back, and a new one each time would use up the pool.
    """

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self.asking: asyncio.Task[Check] | None = None

    async def answer(self) -> Check:
        if self.asking is None or self.asking.done():
            self.asking = asyncio.create_task(self._timed())
        asking = self.asking
        await asyncio.wait({asking}, timeout=PATIENCE_S)
        return asking.result() if asking.done() else Check(connected=False, error=f"no answer within {PATIENCE_S:g} s")

    async def _timed(self) -> Check:
        began = time.perf_counter()
        try:
            await self._ask()
        except Spoilt as error:
            return Check(connected=False, error=str(error))
        except AWAY as error:
            return Check(connected=False, error=f"{type(error).__name__}: {error}")
        return Check(connected=True, latency_ms=round(1000 * (time.perf_counter() - began), 2))
