"""Leaves a database as the earlier service does: its tables, with daily bars and slots that were loaded adjusted."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

_TABLES = """
    CREATE TABLE market_data_daily (
        trading_date date NOT NULL, symbol varchar(10) NOT NULL, open numeric(12, 4) NOT NULL,
        high numeric(12, 4) NOT NULL, low numeric(12, 4) NOT NULL, close numeric(12, 4) NOT NULL,
        volume bigint NOT NULL, vwap numeric(12, 4), trades_count integer, PRIMARY KEY (trading_date, symbol));
    CREATE INDEX ON market_data_daily (symbol, trading_date DESC);
    CREATE TABLE volume_slots (
        date date NOT NULL, symbol varchar(10) NOT NULL, slot_number integer NOT NULL, slot_time time NOT NULL,
        volume_accumulated bigint, trades_count integer, avg_price numeric(12, 4),
        PRIMARY KEY (date, symbol, slot_number));
    CREATE INDEX ON volume_slots (symbol, date DESC);
    CREATE TABLE ticker_metadata (
        symbol varchar(10) PRIMARY KEY, company_name varchar(255), exchange varchar(20), sector varchar(100),
        industry varchar(100), market_cap bigint, float_shares bigint, shares_outstanding bigint,
        avg_volume_30d bigint, avg_volume_10d bigint, avg_price_30d numeric(12, 4), beta numeric(6, 4),
        is_etf boolean DEFAULT false, is_actively_trading boolean DEFAULT true,
        updated_at timestamptz DEFAULT now(), created_at timestamptz DEFAULT now());
"""
_UNIVERSE = """
    CREATE TABLE ticker_universe (
        symbol varchar(10) PRIMARY KEY, is_active boolean DEFAULT true, last_seen timestamptz, added_at timestamptz,
        removed_at timestamptz, reason_removed text);
"""
#: The newest revision has one table instead of two, and a view for readers of the one before.
_UNIFIED = """
    ALTER TABLE ticker_metadata RENAME TO tickers_unified;
    ALTER TABLE tickers_unified RENAME float_shares TO free_float;
    ALTER TABLE tickers_unified ADD free_float_percent numeric, ADD type text, ADD list_date text;
    CREATE VIEW ticker_metadata AS SELECT symbol, company_name, exchange, sector, free_float FROM tickers_unified;
"""

Bar = tuple[dt.date, str, float, float, float, float, float]


async def leave_earlier_tables(
    dsn: str, *, bars: Sequence[Bar] = (), slots: Sequence[tuple[dt.date, str, int, float]] = (), unified: bool = False
) -> None:
    """Make the tables in `public`, and fill them: a bar is its session, symbol, open, high, low, close and volume."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_TABLES + (_UNIFIED if unified else _UNIVERSE))
        await connection.executemany(
            "INSERT INTO market_data_daily (trading_date, symbol, open, high, low, close, volume) "
            "VALUES ($1, $2, $3::float8, $4::float8, $5::float8, $6::float8, $7::float8)",
            bars,
        )
        await connection.executemany(
            "INSERT INTO volume_slots (date, symbol, slot_number, slot_time, volume_accumulated) "
            "VALUES ($1, $2, $3, time '04:00' + $3::integer * interval '5 minutes', $4::float8)",
            slots,
        )
    finally:
        await connection.close()
