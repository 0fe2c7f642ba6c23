"""Reads what stands of single symbols, and whose they are, for answers to others: by keys, never a whole market's rows.

Every read wants a repeatable-read transaction where several of them make one answer.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.splits import split_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection
    from market.splits import Split

# A company's rows under all that it was called: by `traded_as`, which indexes have.
_TRADED_AS = (
    "traded_as = ANY (ARRAY(SELECT $1::text UNION SELECT symbol FROM ticker_change "
    "WHERE new_symbol = $1 AND kind = 'renamed' AND closed_on IS NULL)) AND symbol = $1"
)


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """As of which session a data set stands, when it was fetched or made, and what is said of that session."""

    day: dt.date
    fetched_at: dt.datetime
    state: str | None


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


async def stands_of(connection: Connection, data_set: str) -> Stands | None:
    """Return as of which session *data_set* stands; None where it never did."""
    row = await connection.fetchrow(
        "SELECT c.trading_day AS day, c.fetched_at, s.state FROM coverage AS c "
        "LEFT JOIN session_condition AS s USING (trading_day) "
        "WHERE c.data_set = $1 ORDER BY c.trading_day DESC LIMIT 1",
        data_set,
    )
    return None if row is None else Stands(**dict(row))


async def listed_symbols(connection: Connection) -> list[str]:
    """Return the symbols that are listed now, in order."""
    rows = await connection.fetch('SELECT symbol FROM listed_ticker WHERE is_active ORDER BY symbol COLLATE "C"')
    return [row["symbol"] for row in rows]


async def known_as(connection: Connection, written: Sequence[str]) -> str | None:
    """Return the first of *written* that a listing has had, or else whose bars are spelled so."""
    found: str | None = await connection.fetchval(
        "SELECT u.symbol FROM unnest($1::text[]) WITH ORDINALITY AS w (name, n) "
        "JOIN listed_ticker AS u ON u.symbol = w.name ORDER BY w.n LIMIT 1",
        list(written),
    )
    if found is None:
        found = await connection.fetchval(
            "SELECT symbol FROM listed_ticker WHERE market_data_symbol = ANY ($1::text[]) AND is_active "
            "ORDER BY symbol LIMIT 1",
            list(written),
        )
    return found


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


async def splits_of(connection: Connection, symbol: str, *, after: dt.date, up_to: dt.date) -> list[Split]:
    """Return the splits of one company that count, as `splits.read_splits` has those of all."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (execution_day, ratio) execution_day, split_from, split_to, kind,
               round(ln(split_from / split_to)::numeric, 9) AS ratio
        FROM stock_split
        WHERE coalesce(company, symbol) = $1 AND execution_day > $2 AND execution_day <= $3
          AND verdict <> 'contradicted'
        ORDER BY execution_day, ratio, symbol
        """,
        symbol,
        after,
        up_to,
    )
    return [split_of(dict(row), symbol=symbol) for row in rows]


async def cut_of(connection: Connection, symbol: str, *, up_to: dt.date) -> dt.date | None:
    """Return the newest day, up to *up_to*, before which nothing belongs to the series of *symbol*, by a person."""
    found: dt.date | None = await connection.fetchval(
        "SELECT max(cut_on) FROM series_cut WHERE kind = 'decided' AND symbol = $1 AND cut_on <= $2", symbol, up_to
    )
    return found
