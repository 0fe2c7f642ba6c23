"""Verifies the Redis caches against PostgreSQL: every key is made again from the tables and compared."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.catalogue.registry import CACHES
from consumer.postgres import coverage
from consumer.redis_cache.comparer import CacheComparer
from consumer.redis_cache.fingerprints import look_at
from consumer.redis_cache.marks import tokens_in
from contract import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from consumer.tasks.part import PartContext
    from consumer.tasks.redis_sync import Cache, Prepared


_AT_ONCE = 50


class CacheFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one cache: as of which day it stands, and how it differs from the tables."""

    cache: str
    trading_day: dt.date | None
    compared: int
    differences: int
    examples: list[str]


async def verify_caches(context_of: Callable[[dt.date], PartContext]) -> list[CacheFinding]:
    """Compare every cache that the ledger says was written; *context_of* gives a context for its day."""
    some = context_of(dt.date.min)
    marks: Any = await asyncio.to_thread(some.services.cache.hgetall, keys.CACHES.pattern)
    tokens = tokens_in(marks)
    found = []
    for name, cache in CACHES.items():
        day: dt.date | None = await some.services.pool.fetchval(
            "SELECT max(trading_day) FROM coverage WHERE data_set = $1", name
        )
        if day is not None:
            found.append(await _verify(context_of(day), cache, day, tokens.get(name)))
    return found


async def compared_with_tables(ctx: PartContext, cache: Cache) -> tuple[Prepared, CacheComparer]:
    """Return what *cache* should hold by the tables, and how what it holds differs from that."""
    comparer = CacheComparer(ctx.services.cache, cache=cache.name)
    prepared = await cache.prepare(ctx)
    await asyncio.to_thread(prepared.replace, comparer)
    return prepared, comparer


def changed_keys(cache: Redis) -> list[str]:
    """Return every key of a cache that is not as it was written, by its fingerprint; no table is read for it."""
    found: list[str] = []
    for name in CACHES:
        page = look_at(cache, name, "0", about=_AT_ONCE)
        found += page.differing
        while page.cursor != "0":
            page = look_at(cache, name, page.cursor, about=_AT_ONCE)
            found += page.differing
    return sorted(set(found))


async def _verify(ctx: PartContext, cache: Cache, day: dt.date, token: int | None) -> CacheFinding:
    _, comparer = await compared_with_tables(ctx, cache)
    examples = list(comparer.examples)
    differences = comparer.differences
    written = await coverage.covered_on(ctx.services.pool, cache.name, day)
    if token is None or written is None or token != written.detail.get("fence"):
        differences += 1
        examples.insert(0, f"{keys.CACHES.pattern} {cache.name}: not the write that the ledger knows")
    return CacheFinding(
        cache=cache.part,
        trading_day=day,
        compared=comparer.compared,
        differences=differences,
        examples=examples,
    )
