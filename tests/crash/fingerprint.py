"""Takes the fingerprint of everything a cycle has left: rows and keys, without the times and ids of the run."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg
    from redis.asyncio import Redis

TABLES = {
    "daily_bar": "trading_date, symbol, open, high, low, close, volume, vwap, trades_count",
    "session_slots": "trading_date, symbol, outcome, volumes, trades, trades_unknown",
    "listed_ticker": "symbol, is_active, ticker_type",
    "ticker_profile": "symbol, company_name, sector, industry, market_cap, float_shares, shares_outstanding, "
    "avg_volume_30d, avg_volume_10d, avg_volume_5d, avg_price_30d, details_outcome, list_date, as_of",
    "listed_ticker_history": "symbol, valid_from, valid_to, is_listed, state, listed_figi, listed_cik, issuer_since",
    "ticker_profile_history": "symbol, valid_from, valid_to, company_name, exchange, ticker_type, sector, industry, "
    "shares_outstanding, shares_counted_on, float_shares, float_percent, list_date, issuer_since",
    "stock_split": "symbol, execution_day, split_from, split_to",
    "stock_dividend": "symbol, ex_dividend_day, cash_amount, currency, distribution_type, verdict, price_drop",
    "dividend_factor": "symbol, ex_dividend_day, paid, close_before, factor, left_out",
    "ticker_atr": "trading_date, symbol, atr, atr_percent, bars_used",
}
CACHES = (
    "metadata:ticker:", "rvol:hist:avg:", "trades:baseline:", "ticker:avg_volume:", "atr:daily", "ticker:universe",
)  # fmt: skip


async def of_tables(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, tuple[int, str]]:
    """Rows and checksum of every data table."""
    found = {}
    for table, columns in TABLES.items():
        row = await connection.fetchrow(
            "SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY t::text)) "
            f"FROM (SELECT {columns} FROM {table}) AS t"
        )
        found[table] = (row[0], row[1])
    return found


async def of_caches(redis: Redis) -> dict[str, tuple[int, str]]:
    """Keys and checksum of every cache."""
    found = {}
    for prefix in CACHES:
        names = sorted([name async for name in redis.scan_iter(match=f"{prefix}*", count=5000)])
        digest = hashlib.sha256()
        for name in names:
            digest.update(f"{name}={await _content(redis, name)}\n".encode())
        found[prefix] = (len(names), digest.hexdigest())
    return found


async def _content(redis: Redis, name: str) -> str:
    kind = await redis.type(name)
    value: Any
    if kind == "string":
        value = json.loads(await redis.get(name))
        value.pop("updated_at", None)
    elif kind == "hash":
        value = await redis.hgetall(name)
    else:
        value = sorted(await redis.smembers(name))
    return json.dumps(value, sort_keys=True)
