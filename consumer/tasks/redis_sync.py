"""redis_sync: brings the Redis caches to what PostgreSQL holds, in the formats their readers know.

The formats are those of streams.md. One part a cache (the RVOL averages in four); each is fenced, read back and
counted, and its mark in `maintenance:caches` lets the planner see when Redis has lost it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from consumer.postgres import coverage, ledger, slots
from consumer.postgres import splits as splits_table
from consumer.redis_cache.writer import CacheWriter
from consumer.tasks.cache_rows import atr_text, average_volumes_text, left_out_warning, metadata_text, texts_of
from consumer.tasks.part import require_coverage
from contract import data_sets, keys
from market.bounded_fields import DAY_VOLUME
from market.rvol import mean_accumulated_volume
from market.splits import price_factors
from market.volume_slots import SLOTS_PER_DAY, first_unobserved_slot

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from numpy.typing import NDArray

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.redis_cache.comparer import CacheComparer
    from consumer.tasks.part import PartContext, Write
    from market.splits import Split

_SLOT_NAMES = [str(slot) for slot in range(SLOTS_PER_DAY)]
# A mean of whole numbers that float arithmetic left a hair below the next one is that one.
_HAIR = 1e-6

Replace: TypeAlias = "Callable[[CacheWriter | CacheComparer], int]"


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What writes a cache, or compares it, and the symbols whose rows cannot be said."""

    replace: Any  # Replace
    left_out: tuple[str, ...] = ()


async def sync_cache(ctx: PartContext) -> Write:
    """Write one cache and read it back; the ledger then says as of which day it stands."""
    cache = str(ctx.payload["cache"])
    await require_coverage(ctx, *data_sets.CACHE_REQUIRES.get(cache, ()))
    synced_at = ctx.services.now()
    prepared = await prepare(ctx, cache)
    ttl = None if cache == data_sets.CACHE_UNIVERSE else keys.CACHE_TTL
    writer = CacheWriter(ctx.services.cache, cache=cache, fence=ctx.fence, ttl=ttl, source=ctx.services.source)
    entries = await asyncio.to_thread(_write, writer, prepared.replace, ctx.day)

    async def write(connection: Connection) -> PartReport:
        load_id = await coverage.record_load(
            connection, ctx.part, fence=ctx.fence, source="computed", fetched_at=synced_at, rows=entries
        )
        await coverage.record_coverage(
            connection,
            cache,
            [ctx.day],
            rows=entries,
            fetched_at=synced_at,
            load_id=load_id,
            detail={"fence": ctx.fence},
        )
        return ledger.PartReport(rows=entries, warnings=left_out_warning(cache, prepared.left_out))

    return write


def _write(writer: CacheWriter, replace: Replace, day: dt.date) -> int:
    writer.begin()
    entries = replace(writer)
    mark = {"trading_day": day, "fence": writer.fence, "entries": entries}
    writer.finish(msgspec.json.encode(mark).decode())
    return entries


async def prepare(ctx: PartContext, cache: str) -> Prepared:
    """Read what *cache* is made of, and return what writes it, or compares it."""
    if cache == data_sets.CACHE_METADATA:
        return await _metadata(ctx)
    if cache == data_sets.CACHE_ATR:
        return await _atr(ctx)
    if cache == data_sets.CACHE_RVOL_SESSIONS:
        return await _rvol_sessions(ctx)
    if cache == data_sets.CACHE_UNIVERSE:
        return await _universe(ctx)
    if cache == data_sets.CACHE_AVERAGE_VOLUMES:
        return await _average_volumes(ctx)
    return await _rvol(ctx, data_sets.CACHE_RVOL.index(cache))


async def _metadata(ctx: PartContext) -> Prepared:
    rows = await ctx.services.pool.fetch(
        "SELECT m.* FROM ticker_profile AS m JOIN listed_ticker AS u USING (symbol) WHERE u.is_active"
    )
    texts = texts_of(map(dict, rows), metadata_text)
    return Prepared(
        replace=lambda writer: writer.replace_strings(keys.TICKER_METADATA.pattern, texts.by_symbol),
        left_out=texts.left_out,
    )


async def _average_volumes(ctx: PartContext) -> Prepared:
    rows = await ctx.services.pool.fetch(
        "SELECT symbol, avg_volume_30d, avg_volume_10d, avg_volume_5d, avg_volume_sessions AS sessions, "
        "avg_volume_sessions_10d AS sessions_10d, avg_volume_sessions_5d AS sessions_5d, as_of FROM ticker_profile "
        "JOIN listed_ticker AS u USING (symbol) WHERE u.is_active AND as_of IS NOT NULL"
    )
    texts = texts_of(map(dict, rows), average_volumes_text)
    return Prepared(
        replace=lambda writer: writer.replace_strings(keys.AVERAGE_VOLUMES.pattern, texts.by_symbol),
        left_out=texts.left_out,
    )


async def _universe(ctx: PartContext) -> Prepared:
    rows = await ctx.services.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active")
    symbols = [row["symbol"] for row in rows]
    return Prepared(replace=lambda writer: writer.replace_set(keys.TICKER_UNIVERSE.pattern, symbols))


async def _atr(ctx: PartContext) -> Prepared:
    rows = await ctx.services.pool.fetch(
        "SELECT symbol, atr, atr_percent, bars_used FROM ticker_atr WHERE trading_date = $1", ctx.day
    )
    texts = texts_of(map(dict, rows), lambda row: atr_text(row, ctx.day))
    flat = [text for pair in texts.by_symbol.items() for text in pair]
    return Prepared(replace=lambda writer: writer.replace_hash(keys.ATR_DAILY.pattern, flat), left_out=texts.left_out)


async def _rvol(ctx: PartContext, partition: int) -> Prepared:
    sessions = ctx.sessions(ctx.services.options.rvol_sessions)
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows, traded = await slots.read_slots(
            connection, sessions, partition=partition, partitions=data_sets.RVOL_PARTITIONS
        )
        splits = await splits_table.read_splits(connection, after=sessions[0], up_to=ctx.day)
    observed_until = [first_unobserved_slot(ctx.services.calendar.session(day)) for day in sessions]
    averages = await asyncio.to_thread(rvol_averages, sessions, observed_until, rows, traded, splits=splits)
    left_out = tuple(symbol for symbol, flat in averages.items() if not flat)
    said = {symbol: flat for symbol, flat in averages.items() if flat}
    return Prepared(replace=lambda writer: writer.replace_hashes(keys.RVOL_AVERAGES.pattern, said), left_out=left_out)


async def _rvol_sessions(ctx: PartContext) -> Prepared:
    """Of how many observed sessions each symbol's averages are."""
    sessions = ctx.sessions(ctx.services.options.rvol_sessions)
    counts = await slots.observed_sessions(ctx.services.pool, sessions)
    flat = [text for symbol, count in counts.items() for text in (symbol, str(count))]
    return Prepared(replace=lambda writer: writer.replace_hash(keys.RVOL_SESSIONS.pattern, flat))


def rvol_averages(
    sessions: tuple[dt.date, ...],
    observed_until: list[int],
    rows: list[tuple[dt.date, str, str]],
    traded: NDArray[np.float64],
    *,
    splits: dict[str, list[Split]],
) -> dict[str, list[str]]:
    """Return per symbol slot, mean, slot, mean, …: the mean accumulated volume as whole numbers, zeros left out.

    Nothing for a symbol whose volumes, on the basis of its splits, are beyond any day's.
    *rows* name (session, symbol, outcome), the traded ones first, as *traded* float64[traded rows, 192] has them.
    Not observed, so left out of the mean: sessions without a row or a proven outcome (those before the symbol's company
    had it have none here), and the slots after an early close. Volumes are on the split basis of the last session.
    """
    symbols = sorted({symbol for _, symbol, _ in rows})
    column = {symbol: number for number, symbol in enumerate(symbols)}
    line = {day: number for number, day in enumerate(sessions)}
    volumes = np.zeros((len(sessions), len(symbols), SLOTS_PER_DAY))
    observed = np.zeros((len(sessions), len(symbols), SLOTS_PER_DAY), dtype=bool)
    for number, (day, symbol, outcome) in enumerate(rows):
        if outcome == "traded":
            volumes[line[day], column[symbol]] = traded[number]
        if outcome != "unproven":
            observed[line[day], column[symbol], : observed_until[line[day]]] = True
    for symbol in splits.keys() & column.keys():
        factors = price_factors(np.array(sessions, dtype="datetime64[D]"), splits[symbol], as_of=sessions[-1])
        volumes[:, column[symbol]] /= factors[:, None]
    means = mean_accumulated_volume(volumes, observed)
    means = np.nan_to_num(means, nan=0.0)
    beyond = means.max(axis=1, initial=0.0) > DAY_VOLUME.most
    whole = np.floor(np.where(beyond[:, None], 0.0, means) + _HAIR).astype(np.int64)
    found: dict[str, list[str]] = {symbols[place]: [] for place in np.flatnonzero(beyond).tolist()}
    for symbol, values in zip(symbols, whole, strict=True):
        at = np.flatnonzero(values)
        if at.size:
            found[symbol] = [text for slot in at.tolist() for text in (_SLOT_NAMES[slot], str(values[slot]))]
    return found
