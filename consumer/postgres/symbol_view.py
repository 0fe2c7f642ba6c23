"""Reads what is stored of one symbol: bars, splits, dividends, boundaries, ATR, slots, and from which load each came.

By the company that has the symbol today, under all names that it had. Bounded by the sessions asked for.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A daily bar, raw, and what its prices are multiplied by to be on today's basis."""

    trading_day: dt.date
    traded_as: str
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    load_id: int | None
    factor: float = 1.0


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the series: a split, a dividend, a boundary; *counts*: figures are made with it."""

    kind: str
    day: dt.date
    words: str
    counts: bool
    load_id: int | None = None


class SlotRow(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of one session; *volumes* is None where nobody traded, or nothing is proven."""

    trading_day: dt.date
    outcome: str
    volumes: list[float | None] | None
    fetched_at: dt.datetime
    load_id: int | None


class LoadLine(msgspec.Struct, frozen=True, kw_only=True):
    """From which request, or file, by which part of which cycle, something came."""

    load_id: int
    cycle_id: int | None
    task: str
    part: str
    fence: int
    source: str
    request_id: str | None
    fetched_at: dt.datetime
    row_count: int


async def names_of(connection: Connection, symbol: str) -> list[str]:
    """Return the symbol and those under which its company was traded before."""
    rows = await connection.fetch(
        "SELECT symbol FROM ticker_change WHERE new_symbol = $1 AND kind = 'renamed' AND closed_on IS NULL", symbol
    )
    return [symbol, *(row["symbol"] for row in rows if row["symbol"] != symbol)]


async def listed(connection: Connection, symbol: str) -> dict[str, Any] | None:
    """Return what the listing and the profile say of it; None where no listing has ever shown it."""
    row = await connection.fetchrow(
        "SELECT u.symbol, u.state, u.is_active, u.ticker_type, u.issuer_since, u.last_seen, u.reason_removed, "
        "m.company_name, m.sector, m.exchange, m.market_cap "
        "FROM listed_ticker AS u LEFT JOIN ticker_profile AS m USING (symbol) WHERE u.symbol = $1",
        symbol,
    )
    return None if row is None else dict(row)


async def bars_of(
    connection: Connection, symbol: str, names: Sequence[str], *, since: dt.date, up_to: dt.date
) -> list[Bar]:
    """Return the bars of the company from *since* on, oldest first."""
    rows = await connection.fetch(
        "SELECT trading_date AS trading_day, traded_as, open, high, low, close, volume, load_id FROM daily_history "
        "WHERE traded_as = ANY ($2) AND symbol = $1 AND trading_date BETWEEN $3 AND $4 ORDER BY trading_date",
        symbol,
        list(names),
        since,
        up_to,
    )
    return [Bar(**dict(row)) for row in rows]


async def marks_of(connection: Connection, symbol: str, names: Sequence[str], *, since: dt.date) -> list[Mark]:
    """Return its splits, dividends and boundaries from *since* on, by day."""
    rows = await connection.fetch(
        """
        SELECT 'split' AS kind, execution_day AS day, load_id, verdict <> 'contradicted' AS counts,
               split_to::numeric || ' for ' || split_from::numeric || ', ' || verdict || ' by the price' AS words
        FROM stock_split WHERE (symbol = ANY ($2) OR company = $1) AND execution_day >= $3
        UNION ALL
        SELECT 'dividend', ex_dividend_day, load_id, verdict <> 'not_shown',
               cash_amount::numeric || ' ' || currency || coalesce(', ' || distribution_type, '') || ', ' || verdict
        FROM stock_dividend WHERE (symbol = ANY ($2) OR company = $1) AND ex_dividend_day >= $3
        UNION ALL
        SELECT 'boundary', boundary_day, NULL, state = 'accepted',
               state || ': ' || evidence || coalesce(' (by ' || decided_by || ': ' || decided_reason || ')', '')
        FROM series_boundary WHERE symbol = ANY ($2) AND boundary_day >= $3
        ORDER BY day DESC, kind LIMIT 100
        """,
        symbol,
        list(names),
        since,
    )
    return [Mark(**dict(row)) for row in rows]


async def atr_row(connection: Connection, symbol: str, day: dt.date) -> dict[str, Any] | None:
    """Return the row of ATR of that session."""
    row = await connection.fetchrow(
        "SELECT symbol, atr, atr_percent, bars_used, load_id FROM ticker_atr WHERE trading_date = $1 AND symbol = $2",
        day,
        symbol,
    )
    return None if row is None else dict(row)


async def averages_row(connection: Connection, symbol: str) -> dict[str, Any] | None:
    """Return the average volumes of its profile, by the names that the cache has for them."""
    row = await connection.fetchrow(
        "SELECT symbol, avg_volume_30d, avg_volume_10d, avg_volume_5d, avg_volume_sessions AS sessions, "
        "avg_volume_sessions_10d AS sessions_10d, avg_volume_sessions_5d AS sessions_5d, as_of "
        "FROM ticker_profile WHERE symbol = $1 AND as_of IS NOT NULL",
        symbol,
    )
    return None if row is None else dict(row)


async def slots_of(connection: Connection, symbol: str, names: Sequence[str], days: Sequence[dt.date]) -> list[SlotRow]:
    """Return the rows of slots of the company on *days*, oldest first."""
    rows = await connection.fetch(
        "SELECT trading_date AS trading_day, outcome, volumes, fetched_at, load_id FROM slot_history "
        "WHERE traded_as = ANY ($2) AND symbol = $1 AND trading_date = ANY ($3) ORDER BY trading_date",
        symbol,
        list(names),
        list(days),
    )
    return [SlotRow(**dict(row)) for row in rows]


async def loads_of(connection: Connection, load_ids: Sequence[int]) -> list[LoadLine]:
    """Return where these loads came from; one whose record is gone is not among them."""
    rows = await connection.fetch(
        f"SELECT {', '.join(LoadLine.__struct_fields__)} FROM data_load WHERE load_id = ANY ($1) ORDER BY load_id DESC",
        list(load_ids),
    )
    return [LoadLine(**dict(row)) for row in rows]
