"""redis_sync: brings one Redis cache to what PostgreSQL holds, in the format its readers know.

The formats are those of streams.md. One part a cache (the RVOL averages in four); each is fenced, read back and
counted, and its mark in `maintenance:caches` lets the planner see when Redis has lost it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from consumer.postgres import coverage, ledger
from consumer.redis_cache.writer import CacheWriter
from consumer.tasks.cache_rows import left_out_warning
from consumer.tasks.part import PartContext, require_coverage
from contract import keys

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.redis_cache.comparer import CacheComparer
    from consumer.tasks.part import Write

Replace: TypeAlias = "Callable[[CacheWriter | CacheComparer], int]"


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What writes a cache, or compares it, and the symbols whose rows cannot be said."""

    replace: Any  # Replace
    left_out: tuple[str, ...] = ()


Prepare: TypeAlias = Callable[[PartContext], Awaitable[Prepared]]


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """A cache in Redis, *name*d as in `maintenance:caches`, made of data sets.

    Older than one of those it is *made_from*, it is stale. Without those that it *requires* of the day itself it stays
    as it was: it carries the day's date, or readers take it for the day's. *prepare* reads what it is made of. One that
    *lasts* has no time to live.
    """

    name: str
    made_from: tuple[str, ...]
    prepare: Prepare
    requires: tuple[str, ...] = ()
    lasts: bool = False

    @property
    def part(self) -> str:
        """The name of the part that writes it."""
        return self.name.removeprefix("cache:")


async def sync_cache(ctx: PartContext, cache: Cache) -> Write:
    """Write one cache and read it back; the ledger then says as of which day it stands."""
    await require_coverage(ctx, *cache.requires)
    synced_at = ctx.services.now()
    prepared = await cache.prepare(ctx)
    ttl = None if cache.lasts else keys.CACHE_TTL
    writer = CacheWriter(ctx.services.cache, cache=cache.name, fence=ctx.fence, ttl=ttl, source=ctx.services.source)
    entries = await asyncio.to_thread(_write, writer, prepared.replace, ctx.day)

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=synced_at, rows=entries)
        await coverage.record_coverage(connection, cache.name, ctx.day, loaded, detail={"fence": ctx.fence})
        return ledger.PartReport(rows=entries, warnings=left_out_warning(cache.name, prepared.left_out))

    return write


def _write(writer: CacheWriter, replace: Replace, day: dt.date) -> int:
    writer.begin()
    entries = replace(writer)
    mark = {"trading_day": day, "fence": writer.fence, "entries": entries}
    writer.finish(msgspec.json.encode(mark).decode())
    return entries
