"""Reads the slots that stand and what the daily bars say of them, and confirms those that stay."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from market.volume_slots import UNKNOWN_TRADES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import asyncpg

    from consumer.postgres.pool import Connection

_COLUMNS = "s.trading_date, s.symbol, s.fetched_at, s.volumes, s.trades"


class StoredSlots(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of one session and symbol: volumes, None where nobody traded, and in how many trades.

    *trades* int64[192], UNKNOWN_TRADES where a slot's are not known; None where none of them is.
    """

    fetched_at: dt.datetime
    volumes: list[float] | None
    trades: NDArray[np.int64] | None


async def read_rows(
    connection: Connection, days: Sequence[dt.date], symbols: Sequence[str]
) -> dict[tuple[dt.date, str], StoredSlots]:
    """Return by (day, symbol) what stands."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM session_slots AS s WHERE s.trading_date = ANY ($1) AND s.symbol = ANY ($2)",
        list(days),
        list(symbols),
    )
    return _by_key(rows)


async def read_proven(
    connection: Connection, final_since: Mapping[dt.date, dt.datetime], symbols: Sequence[str]
) -> dict[tuple[dt.date, str], StoredSlots]:
    """Return by (day, symbol) the proven rows that were fetched when their session was final."""
    # The days once more as a list: by the join alone the rows of all years may be gone over.
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM session_slots AS s "
        "JOIN unnest($1::date[], $2::timestamptz[]) AS w (day, since) ON s.trading_date = w.day "
        "WHERE s.trading_date = ANY ($1) AND s.symbol = ANY ($3) AND s.fetched_at >= w.since "
        "AND s.outcome <> 'unproven'",
        list(final_since),
        list(final_since.values()),
        list(symbols),
    )
    return _by_key(rows)


def _by_key(rows: Iterable[asyncpg.Record]) -> dict[tuple[dt.date, str], StoredSlots]:
    return {
        (row["trading_date"], row["symbol"]): StoredSlots(
            fetched_at=row["fetched_at"], volumes=row["volumes"], trades=_counts(row["trades"])
        )
        for row in rows
    }


def _counts(trades: list[int | None] | None) -> NDArray[np.int64] | None:
    if trades is None:
        return None
    return np.array([UNKNOWN_TRADES if count is None else count for count in trades], dtype=np.int64)


async def bar_volumes(
    connection: Connection, days: Sequence[dt.date], symbols: Sequence[str]
) -> dict[dt.date, dict[str, float]]:
    """Return by day that has bars, and by symbol that has one, what the daily bars say was traded."""
    # Whether a day has bars is asked once a day: joined to the rows, it was asked again of each symbol and day.
    rows = await connection.fetch(
        "SELECT w.day, NULL AS symbol, NULL AS volume FROM unnest($1::date[]) AS w (day) "
        "WHERE EXISTS (SELECT FROM daily_bar AS one WHERE one.trading_date = w.day AND one.trading_date = ANY ($1)) "
        "UNION ALL "
        "SELECT trading_date, symbol, volume FROM daily_bar WHERE trading_date = ANY ($1) AND symbol = ANY ($2)",
        list(days),
        list(symbols),
    )
    found: dict[dt.date, dict[str, float]] = {row["day"]: {} for row in rows}
    for row in rows:
        if row["symbol"] is not None:
            found[row["day"]][row["symbol"]] = row["volume"]
    return found


async def bar_trades(connection: Connection, keys: Sequence[tuple[dt.date, str]]) -> dict[tuple[dt.date, str], int]:
    """Return by (day, symbol) how many trades the daily bar counts, where it counts them."""
    rows = await connection.fetch(
        "SELECT b.trading_date, b.symbol, b.trades_count FROM daily_bar AS b "
        "JOIN unnest($1::date[], $2::text[]) AS n (day, symbol) ON b.trading_date = n.day AND b.symbol = n.symbol "
        "WHERE b.trading_date = ANY ($3) AND b.trades_count > 0",
        [day for day, _ in keys],
        [symbol for _, symbol in keys],
        sorted({day for day, _ in keys}),
    )
    return {(row["trading_date"], row["symbol"]): row["trades_count"] for row in rows}


async def confirm(connection: Connection, keys: Sequence[tuple[dt.date, str]], *, fetched_at: dt.datetime) -> None:
    """State that rows were asked for again at *fetched_at*, and stay as they stand."""
    # The later of two answers that cross says how fresh the row is, whichever is committed last.
    await connection.execute(
        "UPDATE session_slots AS s SET fetched_at = greatest(s.fetched_at, $3) "
        "FROM unnest($1::date[], $2::text[]) AS n (day, symbol) "
        "WHERE s.trading_date = n.day AND s.symbol = n.symbol AND s.trading_date = ANY ($4)",
        [day for day, _ in keys],
        [symbol for _, symbol in keys],
        fetched_at,
        sorted({day for day, _ in keys}),
    )
