"""Picks symbols by which a session can be checked: the most traded ones, of every exchange alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.pool import Connection, Pool

_AROUND_DAYS = 10


async def most_traded(connection: Connection | Pool, day: dt.date, *, most: int) -> list[str]:
    """Return *most* symbols of *day*, by their largest volume around it: that of the day itself may be wrong."""
    rows = await connection.fetch(
        """
        WITH traded AS (
            SELECT symbol, max(volume) AS volume, bool_or(trading_date = $1) AS there FROM daily_bar
            WHERE trading_date BETWEEN $1::date - $2::integer AND $1::date + $2::integer GROUP BY symbol
        ), ranked AS (
            SELECT symbol, volume, row_number() OVER (PARTITION BY m.exchange ORDER BY volume DESC, symbol) AS place
            FROM traded LEFT JOIN ticker_profile AS m USING (symbol) WHERE there
        )
        SELECT symbol FROM ranked ORDER BY place, volume DESC, symbol LIMIT $3
        """,
        day,
        _AROUND_DAYS,
        most,
    )
    return [row["symbol"] for row in rows]
