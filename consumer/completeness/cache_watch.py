"""Watches the caches: notices what others delete from them or write over, and puts it in place again, asking nobody.

Each look reads some keys of every cache and holds them against the fingerprints of what was written; a cache of which
one is not as written is held against the tables as `maintenance verify` does it, and what differs is written anew under
the fence of the write that stands. One consumer looks at a time. Caches whose mark is lost are the catch-up's.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from redis.exceptions import RedisError

from consumer.catalogue.registry import CACHES
from consumer.completeness.cache_repairs import CacheHistory, keep_history, read_histories
from consumer.completeness.caches import compared_with_tables
from consumer.completeness.likely_author import Left, likely_author
from consumer.completeness.reading_context import reading_context
from consumer.cycle.lost_caches import written_caches
from consumer.fence import FenceLost
from consumer.postgres.pool import POSTGRES_ERRORS
from consumer.redis_cache.fingerprints import look_at, look_at_lives
from consumer.redis_cache.marks import tokens_in
from consumer.redis_cache.mender import CacheMender
from consumer.redis_cache.writer import CacheMismatch, CacheWriter, ForeignCache
from contract import keys
from process.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from redis.asyncio import Redis

    from consumer.tasks.part import PartContext, Services
    from consumer.tasks.redis_sync import Prepared

EVERY = dt.timedelta(seconds=30)
#: Looks in which the content of every key of a cache was read once; of a small cache each look has so many keys.
LOOKS_A_ROUND, LEAST_KEYS = 360, 8
#: The same of whether it is there, and how long it lives.
LOOKS_A_ROUND_OF_LIVES, LEAST_LIVES = 20, 100
# How much less than it should a key may live: writers' clocks, and how long a cache takes to be written.
_SLACK = dt.timedelta(minutes=10)
#: The one key of a cache of all symbols is read whole that often, and every look counted.
READ_WHOLE_EVERY = dt.timedelta(minutes=5)
# A look that meets a difference may take seconds; a consumer that dies in it keeps the others waiting no longer.
_LOOKING_MS = int(EVERY.total_seconds() * 800)
_SHOWN = 3


class CacheWatch:
    """The watch of one consumer."""

    def __init__(self, services: Services, redis: Redis, *, every: dt.timedelta = EVERY) -> None:
        self._services = services
        self._redis = redis
        self._every = every

    async def run(self) -> None:
        """Look at start, then every *every*, until cancelled."""
        trouble = Trouble("cache_watch_postponed")
        while True:
            try:
                if await self._redis.set(keys.WATCHING.pattern, "looking", nx=True, px=_LOOKING_MS):
                    await self.look()
                trouble.over()
            except (RedisError, OSError, *POSTGRES_ERRORS) as error:
                trouble.met(error)
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> int:
        """Look once; return how many keys were put in place again. Raises RedisError."""
        written = await written_caches(self._services.pool)
        marks: Any = await self._redis.hgetall(keys.CACHES.pattern)
        tokens, histories = tokens_in(marks), await read_histories(self._redis)
        mended = 0
        for row in written:
            name, fence = row["data_set"], row["fence"]
            if fence is None or tokens.get(name) != fence:
                continue  # being written, or lost: nothing in it can be held against anything
            known = histories.get(name)
            history = known if known is not None and known.fence == fence else CacheHistory(fence=fence)
            age = self._services.now() - row["fetched_at"]
            mended += await _Look(self._services, self._redis, name, row["trading_day"], age).through(history)
        return mended


class _Look:
    """One look at one cache, which stands as of *day* and was written *age* ago."""

    def __init__(self, services: Services, redis: Redis, name: str, day: dt.date, age: dt.timedelta) -> None:
        self._services, self._redis = services, redis
        self._name, self._day, self._age = name, day, age
        self._now = services.now()

    async def through(self, history: CacheHistory) -> int:
        """Look at the keys whose turn it is, and mend what is to be; return how many keys that was."""
        history, found, size = await asyncio.to_thread(self._read, history)
        suspects = history.unexpected(found, self._now)
        mended = 0
        # Without any fingerprint it was written by a release that keeps none: its formats may be older, too.
        if suspects or (size == 0 and not history.is_empty):
            history, mended = await self._mend(history, suspects, all_of_it=size == 0)
            history = msgspec.structs.replace(history, is_empty=size == 0)
        await keep_history(self._redis, self._name, history)
        return mended

    def _read(self, history: CacheHistory) -> tuple[CacheHistory, set[str], int]:
        """The keys that are not as written, of those whose turn it is; and how many the cache has."""
        cache, name = self._services.cache, self._name
        size: Any = cache.hlen(keys.FINGERPRINTS.pattern.format(cache=name))
        whole = size != 1 or history.read_at is None or self._now - history.read_at >= READ_WHOLE_EVERY
        about = max(LEAST_KEYS, -(-size // LOOKS_A_ROUND))
        page = look_at(cache, name, history.cursor, about=about, content=whole)
        least = None if CACHES[name].lasts else keys.CACHE_TTL - self._age - _SLACK
        about = max(LEAST_LIVES, -(-size // LOOKS_A_ROUND_OF_LIVES))
        lives = look_at_lives(cache, name, history.lives_cursor, about=about, least=least)
        looked = msgspec.structs.replace(
            history,
            cursor=page.cursor,
            lives_cursor=lives.cursor,
            read_at=self._now if whole and size == 1 else history.read_at,
        )
        return looked, {*page.differing, *lives.differing}, size

    async def _mend(
        self, history: CacheHistory, suspects: Collection[str], *, all_of_it: bool
    ) -> tuple[CacheHistory, int]:
        ctx = reading_context(self._services, self._day)
        prepared, comparer = await compared_with_tables(ctx, CACHES[self._name])
        fought = history.fought_over(comparer.differing, self._now)
        differing = {key: kind for key, kind in comparer.differing.items() if key not in fought}
        if fought and (history.contested is None or history.unexpected(fought, self._now)):
            history = await self._contested(history, fought)
        # A suspect that does not differ has a fingerprint of another time: to write it brings it one of its own.
        only = None if all_of_it and not fought else {*differing, *suspects} - {*fought}
        try:
            await asyncio.to_thread(self._write, ctx, prepared, only, differing, history.fence)
        except (FenceLost, ForeignCache, CacheMismatch) as error:
            logger.info("cache_not_mended", cache=self._name, reason=str(error))
            return history, 0
        if not differing:
            return history, 0
        self._tell(differing)
        return history.repaired(differing.keys(), self._now), len(differing)

    def _write(
        self, ctx: PartContext, prepared: Prepared, only: set[str] | None, differing: Mapping[str, str], fence: int
    ) -> None:
        ttl = None if CACHES[self._name].lasts else keys.CACHE_TTL
        writer = CacheWriter(ctx.services.cache, cache=self._name, fence=fence, ttl=ttl, source=ctx.services.source)
        writer.drop(key for key, kind in differing.items() if kind == "left over")
        prepared.replace(CacheMender(writer, only))

    def _tell(self, differing: Mapping[str, str]) -> None:
        kinds = list(differing.values())
        logger.warning(
            "cache_mended",
            cache=self._name,
            missing=kinds.count("missing"),
            different=kinds.count("different"),
            left_over=kinds.count("left over"),
            examples=", ".join(sorted(differing)[:_SHOWN]),
        )

    async def _contested(self, history: CacheHistory, fought: list[str]) -> CacheHistory:
        example = min(fought)
        left = Left(key=example, ttl=int(await self._redis.ttl(example)), found_at=self._now)
        clients: Any = await self._redis.client_list()
        contested = history.contesting(fought, likely_author(left, clients), self._now)
        assert contested.contested is not None
        logger.error(
            "cache_contested",
            cache=self._name,
            keys=len(fought),
            example=example,
            author=contested.contested.author,
            runbook="cache-contested",
        )
        return contested
