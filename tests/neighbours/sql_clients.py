"""Reads and writes SQL as the neighbours do, in our own words: what each asks for, and what it makes of the answer."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """What their model of a ticker takes: text is text, a number without a fraction an integer, the address a map."""

    symbol: str
    company_name: str | None
    exchange: str | None
    sector: str | None
    industry: str | None
    market_cap: int | None
    shares_outstanding: int | None
    avg_volume_30d: int | None
    avg_volume_10d: int | None
    avg_price_30d: float | None
    beta: float | None
    is_etf: bool
    is_actively_trading: bool
    updated_at: dt.datetime
    list_date: str | None
    description: str | None = None
    address: dict[str, str] | None = None
    delisted_utc: str | None = None
    type: str | None = None
    free_float: int | None = None
    free_float_percent: float | None = None
    float_shares: int | None = None
    round_lot: int | None = None


_WHOLE = (
    "market_cap", "shares_outstanding", "avg_volume_30d", "avg_volume_10d", "free_float", "float_shares", "round_lot",
)  # fmt: skip


def as_ticker(row: asyncpg.Record) -> Ticker:
    """Read a row into the model, as they do. Raises msgspec.ValidationError where a type is another one."""
    fields: dict[str, Any] = dict(row)
    for name in _WHOLE:
        if isinstance(fields.get(name), float):
            fields[name] = int(fields[name])
    if isinstance(fields.get("address"), str):
        fields["address"] = json.loads(fields["address"])
    return msgspec.convert(fields, Ticker, strict=True)


#: All that the newest heat map can place.
SECTORS = {
    "Technology", "Healthcare", "Financial Services", "Consumer Cyclical", "Consumer Defensive", "Energy", "Utilities",
    "Real Estate", "Industrials", "Basic Materials", "Communication Services",
}  # fmt: skip
#: What the newest revision's service for one ticker names, one by one.
NAMED = (
    "symbol, company_name, exchange, sector, industry, market_cap, free_float, shares_outstanding, avg_volume_30d, "
    "avg_volume_10d, avg_price_30d, beta, description, homepage_url, phone_number, address, total_employees, "
    "list_date, logo_url, icon_url, cik, composite_figi, share_class_figi, ticker_root, ticker_suffix, type, "
    "currency_name, locale, market, round_lot, delisted_utc, is_etf, is_actively_trading, updated_at, created_at"
)


async def closes(connection: Connection, symbol: str, *, relation: str = "market_data_daily") -> list[float]:
    """The ATR calculator's question: one symbol's bars, oldest first."""
    rows = await connection.fetch(
        f"SELECT trading_date, high, low, close FROM {relation} WHERE symbol = $1 ORDER BY trading_date", symbol
    )
    return [float(row["close"]) for row in rows]


async def mean_accumulated(connection: Connection, symbol: str, slot: int, *, before: dt.date) -> int | None:
    """The RVOL question of "historical": the mean over the last five days with rows of the volume up to *slot*."""
    mean = await connection.fetchval(
        "SELECT avg(v) FROM (SELECT date, max(volume_accumulated) AS v FROM volume_slots "
        "WHERE symbol = $1 AND slot_number <= $2 AND date IN (SELECT DISTINCT date FROM volume_slots "
        "WHERE symbol = $1 AND date < $3 ORDER BY date DESC LIMIT 5) GROUP BY date) AS days",
        symbol,
        slot,
        before,
    )
    return None if mean is None else int(mean)


async def slot_before(connection: Connection, symbol: str, day: dt.date, slot: int) -> float:
    """The question of analytics where a slot has no row: the last one before it."""
    found = await connection.fetchval(
        "SELECT volume_accumulated FROM volume_slots WHERE symbol = $1 AND date = $2 AND slot_number <= $3 "
        "ORDER BY slot_number DESC LIMIT 1",
        symbol,
        day,
        slot,
    )
    return found or 0


async def tickers(connection: Connection, relation: str) -> list[Ticker]:
    """The scanner's fallback: everything of each ticker, into the model."""
    return [as_ticker(row) for row in await connection.fetch(f"SELECT * FROM {relation} ORDER BY symbol")]


async def list_in_universe(connection: Connection, symbol: str, at: dt.datetime) -> None:
    """The universe loader of "historical": an upsert that names neither every column nor every instant."""
    await connection.execute(
        "INSERT INTO ticker_universe (symbol, is_active, last_seen) VALUES ($1, true, $2) "
        "ON CONFLICT (symbol) DO UPDATE SET is_active = excluded.is_active, last_seen = excluded.last_seen",
        symbol,
        at,
    )


async def put_metadata(connection: Connection, symbol: str, name: str, at: dt.datetime) -> None:
    """Its metadata loader, in the revision with two tables."""
    await connection.execute(
        "INSERT INTO ticker_metadata (symbol, company_name, exchange, is_actively_trading, updated_at) "
        "VALUES ($1, $2, 'XNAS', true, $3) ON CONFLICT (symbol) DO UPDATE SET company_name = excluded.company_name, "
        "exchange = excluded.exchange, is_actively_trading = excluded.is_actively_trading, "
        "updated_at = excluded.updated_at",
        symbol,
        name,
        at,
    )


async def put_unified(connection: Connection, symbol: str, name: str) -> None:
    """Its metadata loader, in the newest revision."""
    await connection.execute(
        "INSERT INTO tickers_unified (symbol, company_name, exchange, type, market, locale, is_actively_trading, "
        "updated_at, created_at) VALUES ($1, $2, 'XNAS', 'CS', 'stocks', 'us', true, now(), now()) "
        "ON CONFLICT (symbol) DO UPDATE SET "
        "company_name = coalesce(excluded.company_name, tickers_unified.company_name), "
        "type = coalesce(excluded.type, tickers_unified.type), updated_at = now()",
        symbol,
        name,
    )
