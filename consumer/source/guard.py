"""Stamps both servers with the source of a run, and refuses a run of another one before it has written anything.

The database's stamp is the ledger's; Redis has a copy, which may be lost with it and is written again at start and by
the catch-up. A crash between the two leaves one of them, and the next start writes the other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from loguru import logger

from consumer.postgres import source_stamp as in_postgres
from consumer.redis_cache import source_stamp as in_redis
from consumer.source import simulated_session
from consumer.source.judgement import (
    Held,
    SourceRefused,
    Unstamped,
    refuse_another_simulated,
    refuse_postgres,
    refuse_redis,
    told_by,
)
from market.data_source import source_of_mark

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from market.data_source import DataSource


class SourceGuard:
    """The stamps of one database and one Redis, as a run of *source* sees them."""

    def __init__(self, pool: Pool, redis: Redis, source: DataSource, *, now: Callable[[], dt.datetime]) -> None:
        self._pool = pool
        self._redis = redis
        self.source = source
        self._now = now

    async def refuse_foreign(self) -> None:
        """Raise SourceRefused where one of the two holds another source's data. Writes nothing."""
        held: Held | None = await in_postgres.read_stamp(self._pool)
        if held is None:
            held = told_by(await in_postgres.read_loads(self._pool))
        refuse_postgres(self.source, held)
        if held is Unstamped.SIMULATED:
            await self._refuse_another_simulated()
        tokens = await in_postgres.cache_tokens(self._pool)
        refuse_redis(self.source, await in_redis.read_redis(self._redis), cache_tokens=tokens)

    async def _refuse_another_simulated(self) -> None:
        session = await in_postgres.read_oldest_session(self._pool)
        if session is not None and not await asyncio.to_thread(simulated_session.is_of, self.source, *session):
            refuse_another_simulated(self.source)

    async def stamp(self) -> None:
        """Write what is missing, once the schema is there. Raises SourceRefused where another run was quicker."""
        if await in_postgres.read_stamp(self._pool) is None:
            told = told_by(await in_postgres.read_loads(self._pool))
            by = "first load" if told is Unstamped.EMPTY else "data_load rows"
            await in_postgres.write_stamp(self._pool, self.source, now=self._now(), by=by)
            logger.info("data_source_stamped", source=self.source.mark, by=by)
        refuse_postgres(self.source, await in_postgres.read_stamp(self._pool) or Unstamped.UNTOLD)
        await in_redis.write_stamp(self._redis, self.source.mark)
        refuse_redis(self.source, await in_redis.read_redis(self._redis), cache_tokens={})

    async def keep(self) -> None:
        """Write again what was lost while the run goes on. Raises SourceRefused where another source has moved in."""
        stamps = await in_postgres.read_stamp(self._pool), await in_redis.read_stamp(self._redis)
        if stamps[0] is not None and self.source.is_same(stamps[0]) and stamps[1] == self.source.mark:
            return
        if stamps[0] is not None and self.source.is_same(stamps[0]) and _names_none(stamps[1]):
            # It was ours a moment ago, and whoever wrote over it is no source: nobody's data has moved in.
            logger.warning("data_source_stamped_again", source=self.source.mark, runbook="spoilt-by-hand")
            await in_redis.write_stamp(self._redis, self.source.mark, replace=True)
            return
        try:
            await self.refuse_foreign()
        except SourceRefused:
            # It was written over, and perhaps mended by another process, between two reads: the next look tells.
            now = await in_redis.read_stamp(self._redis)
            ours = stamps[0] is not None and self.source.is_same(stamps[0])
            if ours and (now == self.source.mark or _names_none(now)):
                return
            raise
        logger.warning("data_source_stamped_again", source=self.source.mark, runbook="redis-lost")
        await self.stamp()


def _names_none(stamp: str | None) -> bool:
    return stamp is not None and source_of_mark(stamp) is None
