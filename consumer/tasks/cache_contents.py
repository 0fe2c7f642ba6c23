"""Reads what the caches of metadata, averages, universe and ATR hold; those of RVOL are in rvol_caches.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.tasks.cache_rows import atr_text, average_volumes_text, metadata_text, texts_of
from consumer.tasks.metadata_document import OF_PROFILE
from consumer.tasks.redis_sync import Prepared
from contract import keys

if TYPE_CHECKING:
    from consumer.tasks.part import PartContext


async def metadata(ctx: PartContext) -> Prepared:
    """A JSON document a listed symbol."""
    rows = await ctx.services.pool.fetch(
        f"SELECT {', '.join(f'm.{name}' for name in OF_PROFILE)} FROM ticker_profile AS m "
        "JOIN listed_ticker AS u USING (symbol) WHERE u.is_active"
    )
    texts = texts_of(map(dict, rows), metadata_text)
    return Prepared(
        replace=lambda writer: writer.replace_strings(keys.TICKER_METADATA.pattern, texts.by_symbol),
        left_out=texts.left_out,
    )


async def average_volumes(ctx: PartContext) -> Prepared:
    """A JSON document a listed symbol: its averages, and of how many sessions they are."""
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


async def universe(ctx: PartContext) -> Prepared:
    """The set of listed symbols."""
    rows = await ctx.services.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active")
    symbols = [row["symbol"] for row in rows]
    return Prepared(replace=lambda writer: writer.replace_set(keys.TICKER_UNIVERSE.pattern, symbols))


async def atr(ctx: PartContext) -> Prepared:
    """One hash: a JSON document a symbol."""
    rows = await ctx.services.pool.fetch(
        "SELECT symbol, atr, atr_percent, bars_used FROM ticker_atr WHERE trading_date = $1", ctx.day
    )
    texts = texts_of(map(dict, rows), lambda row: atr_text(row, ctx.day))
    flat = [text for pair in texts.by_symbol.items() for text in pair]
    return Prepared(replace=lambda writer: writer.replace_hash(keys.ATR_DAILY.pattern, flat), left_out=texts.left_out)
