"""Reads what stands of single symbols for answers to others: one statement each, by keys, not a market's rows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool

# A company's rows under all that it was called: by `traded_as`, which indexes have.
_TRADED_AS = (
    "traded_as = ANY (ARRAY(SELECT $1::text UNION SELECT symbol FROM ticker_change "
    "WHERE new_symbol = $1 AND kind = 'renamed' AND closed_on IS NULL)) AND symbol = $1"
)


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """As of which session a data set stands, when that was fetched or made, and what is said of the session.

    *newest_load* and *newest_at* are of whichever session was loaded last: another load makes another of these.
    """

    day: dt.date
    fetched_at: dt.datetime
    state: str | None
    newest_load: int
    newest_at: dt.datetime


class BarRow(msgspec.Struct, frozen=True, kw_only=True):
    """One session's bar of a company, raw."""

    trading_date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None
    trades_count: int | None


class SlotRow(msgspec.Struct, frozen=True, kw_only=True):
    """One session's slots of a company, raw: 192 volumes where it traded, and its trades where they are known."""

    trading_date: dt.date
    outcome: str
    volumes: list[float] | None
    trades: list[int | None] | None


class AtrRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `ticker_atr`."""

    atr: float
    atr_percent: float
    bars_used: int


async def what_stands(connection: Connection | Pool, data_sets: Sequence[str]) -> dict[str, Stands]:
    """Return by data set as of which session it stands; those that never did are left out."""
    rows = await connection.fetch(
        """
        SELECT w.name, day.trading_day AS day, day.fetched_at, s.state,
               newest.load_id AS newest_load, newest.fetched_at AS newest_at
        FROM unnest($1::text[]) AS w (name)
        CROSS JOIN LATERAL (SELECT trading_day, fetched_at FROM coverage WHERE data_set = w.name
                            ORDER BY trading_day DESC LIMIT 1) AS day
        CROSS JOIN LATERAL (SELECT load_id, fetched_at FROM coverage WHERE data_set = w.name
                            ORDER BY fetched_at DESC, load_id DESC LIMIT 1) AS newest
        LEFT JOIN session_condition AS s ON s.trading_day = day.trading_day
        """,
        list(data_sets),
    )
    return {row["name"]: msgspec.convert(dict(row), Stands) for row in rows}


async def known_symbols(connection: Connection | Pool) -> list[tuple[str, bool, str | None]]:
    """Return in order who a listing has ever had: symbol, whether it is listed now, how bars spell it if not so."""
    rows = await connection.fetch(
        'SELECT symbol, is_active, market_data_symbol FROM listed_ticker ORDER BY symbol COLLATE "C"'
    )
    return [tuple(row) for row in rows]


async def symbol_counts(connection: Connection) -> dict[str, Any]:
    """Return how many symbols are listed, are known at all, and have metadata, and when one was seen last."""
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE is_active) AS active, count(*) AS total, max(last_seen) AS last_seen, "
        "(SELECT count(*) FROM ticker_profile) AS profiles FROM listed_ticker"
    )
    return dict(row or {})


async def covered_days(connection: Connection, data_set: str, days: Sequence[dt.date]) -> set[dt.date]:
    """Return which of *days* are stored of *data_set*; what retention has deleted is not."""
    rows = await connection.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = $1 AND trading_day = ANY ($2) AND retired_at IS NULL",
        data_set,
        list(days),
    )
    return {row["trading_day"] for row in rows}


async def bars_of(connection: Connection, symbol: str, first: dt.date, last: dt.date) -> list[BarRow]:
    """Return the bars of the company that is called *symbol* today, ascending."""
    rows = await connection.fetch(
        f"SELECT {', '.join(BarRow.__struct_fields__)} FROM daily_history "
        f"WHERE {_TRADED_AS} AND trading_date BETWEEN $2 AND $3 ORDER BY trading_date",
        symbol,
        first,
        last,
    )
    return [BarRow(**dict(row)) for row in rows]


async def slots_of(connection: Connection, symbol: str, days: Sequence[dt.date]) -> list[SlotRow]:
    """Return the rows of *days* of the company that is called *symbol* today: those that traded first, then by day."""
    rows = await connection.fetch(
        f"SELECT {', '.join(SlotRow.__struct_fields__)} FROM slot_history "
        f"WHERE {_TRADED_AS} AND trading_date = ANY ($2) ORDER BY outcome <> 'traded', trading_date",
        symbol,
        list(days),
    )
    return [SlotRow(**dict(row)) for row in rows]


async def atr_of(connection: Connection, symbol: str, day: dt.date) -> AtrRow | None:
    """Return the ATR of *symbol* as of *day*."""
    row = await connection.fetchrow(
        f"SELECT {', '.join(AtrRow.__struct_fields__)} FROM ticker_atr WHERE trading_date = $1 AND symbol = $2",
        day,
        symbol,
    )
    return None if row is None else AtrRow(**dict(row))
