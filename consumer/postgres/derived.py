"""Stores what is computed from bars for each ticker: market cap, average volumes and prices, last close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection


class DerivedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is computed here for one symbol as of a trading day; None = cannot be known."""

    symbol: str
    market_cap: float | None
    last_close: float
    avg_volume_30d: float
    avg_volume_10d: float
    avg_volume_5d: float
    avg_price_30d: float
    avg_volume_sessions: int = 0  # of how many observed sessions the first average is, then the others
    avg_volume_sessions_10d: int = 0
    avg_volume_sessions_5d: int = 0
    avg_volume_3m: float | None = None  # None: of one of its 63 sessions nothing is known
    avg_volume_sessions_3m: int | None = None


# Of an older day nothing is stored: a backfill that ends late must not put last week's figures over today's.
_STORE = """
INSERT INTO ticker_profile AS m (symbol, market_cap, last_close, avg_volume_30d, avg_volume_10d, avg_volume_5d,
                                  avg_price_30d, avg_volume_sessions, avg_volume_sessions_10d,
                                  avg_volume_sessions_5d, avg_volume_3m, avg_volume_sessions_3m, as_of, created_at,
                                  updated_at, is_actively_trading)
SELECT d.symbol, d.market_cap, d.last_close, d.volume30, d.volume10, d.volume5, d.price30, d.sessions30,
       d.sessions10, d.sessions5, d.volume63, d.sessions63, $13, $14, $14,
       EXISTS (SELECT FROM listed_ticker AS u WHERE u.symbol = d.symbol AND u.is_active)
FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
            $8::integer[], $9::integer[], $10::integer[], $11::float8[], $12::integer[])
     AS d (symbol, market_cap, last_close, volume30, volume10, volume5, price30, sessions30, sessions10,
           sessions5, volume63, sessions63)
ON CONFLICT (symbol) DO UPDATE
    SET market_cap = coalesce(excluded.market_cap, m.market_cap), last_close = excluded.last_close,
        avg_volume_30d = excluded.avg_volume_30d, avg_volume_10d = excluded.avg_volume_10d,
        avg_volume_5d = excluded.avg_volume_5d, avg_price_30d = excluded.avg_price_30d,
        avg_volume_sessions = excluded.avg_volume_sessions,
        avg_volume_sessions_10d = excluded.avg_volume_sessions_10d,
        avg_volume_sessions_5d = excluded.avg_volume_sessions_5d,
        avg_volume_3m = excluded.avg_volume_3m, avg_volume_sessions_3m = excluded.avg_volume_sessions_3m,
        as_of = excluded.as_of, updated_at = excluded.updated_at
    WHERE m.as_of IS NULL OR m.as_of <= excluded.as_of
"""


async def store_derived(
    connection: Connection, figures: Sequence[DerivedFigures], *, day: dt.date, now: dt.datetime
) -> None:
    """Store what was computed for *day*; an unknown market cap leaves the old one, an earlier day leaves all."""
    rows = [msgspec.structs.astuple(figure) for figure in figures]
    columns = [[row[number] for row in rows] for number in range(12)]
    await connection.execute(_STORE, *columns, day, now)
