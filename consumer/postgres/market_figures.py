"""Counts what the bars of a session say of the whole market: rows, shares traded, closes of the session before.

One session costs a look at its own rows and at those of the session before it: whoever shows many keeps what he read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from contract import data_sets

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection


class MarketFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A session's bars: how many, the shares they traded, and of *compared* symbols whose close is *unchanged*.

    *compared*: those that have a bar of the session before as well; 0 where nothing is stored of it.
    """

    rows: int
    volume: float
    compared: int
    unchanged: int


class StoredSession(msgspec.Struct, frozen=True, kw_only=True):
    """The load that a session's bars are of, and how many it is to have."""

    load_id: int
    rows: int


async def stored_sessions(connection: Connection, days: Sequence[dt.date]) -> dict[dt.date, StoredSession]:
    """Return those of *days* whose bars are proven to be there; what retention deleted is not."""
    rows = await connection.fetch(
        "SELECT trading_day, load_id, row_count FROM coverage WHERE data_set = $1 AND trading_day = ANY ($2) "
        "AND retired_at IS NULL",
        data_sets.DAILY_BARS,
        list(days),
    )
    return {row["trading_day"]: StoredSession(load_id=row["load_id"], rows=row["row_count"]) for row in rows}


async def read_market_figures(connection: Connection, day: dt.date, *, before: dt.date) -> MarketFigures:
    """Return the figures of *day*, held against *before*, the session right before it."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS rows, coalesce(sum(own.volume), 0)::float8 AS volume, count(other.close) AS compared,
               count(*) FILTER (WHERE other.close = own.close) AS unchanged
        FROM (SELECT symbol, close, volume FROM daily_bar WHERE trading_date = $1) AS own
        LEFT JOIN (SELECT symbol, close FROM daily_bar WHERE trading_date = $2) AS other USING (symbol)
        """,
        day,
        before,
    )
    return msgspec.convert(dict(row or {}), MarketFigures)
