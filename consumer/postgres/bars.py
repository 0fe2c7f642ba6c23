"""Stores daily bars, splits and ATR values, and reads bars back as arrays.

A session's bars are replaced as a whole inside the caller's transaction: readers see the old session or the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.postgres.copy_binary import DATE, FLOAT8, copy_out, fixed_rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from consumer.massive.rows import DailyRow
    from consumer.postgres.pool import Connection, Pool
    from market.splits import Split

_COLUMNS = (
    "trading_date", "symbol", "open", "high", "low", "close", "volume", "vwap", "trades_count", "load_id",
)  # fmt: skip


class BarHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of many symbols: symbol i owns rows offsets[i]:offsets[i+1], days ascending; prices and volumes raw."""

    symbols: list[str]
    offsets: NDArray[np.int64]
    days: NDArray[np.datetime64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


async def count_bars(connection: Connection | Pool, day: dt.date) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM market_data_daily WHERE trading_date = $1", day))


async def replace_bars(connection: Connection, day: dt.date, rows: Iterable[DailyRow], *, load_id: int) -> None:
    """Make *rows* the bars of *day*."""
    await connection.execute("DELETE FROM market_data_daily WHERE trading_date = $1", day)
    ordered = sorted(rows, key=lambda row: row.T)
    await connection.copy_records_to_table(
        "market_data_daily",
        columns=_COLUMNS,
        records=[(day, r.T, r.o, r.h, r.l, r.c, r.v, r.vw, r.n, load_id) for r in ordered],
    )


async def read_history(connection: Connection, *, up_to: dt.date, since: dt.date | None = None) -> BarHistory:
    """Return all stored bars of *since*…*up_to*, ordered by symbol and day. Needs a repeatable-read transaction."""
    where = f"trading_date <= '{up_to}'" + (f" AND trading_date >= '{since}'" if since else "")
    counts = await connection.fetch(
        f"SELECT symbol, count(*) AS bars FROM market_data_daily WHERE {where} GROUP BY symbol ORDER BY symbol"
    )
    body = await copy_out(
        connection,
        f"SELECT trading_date, high, low, close, volume FROM market_data_daily WHERE {where} "
        "ORDER BY symbol, trading_date",
    )
    columns = fixed_rows(body, (DATE, FLOAT8, FLOAT8, FLOAT8, FLOAT8))
    floats = [cast("NDArray[np.float64]", column) for column in columns[1:]]
    ends = np.cumsum([row["bars"] for row in counts], dtype=np.int64)
    return BarHistory(
        symbols=[row["symbol"] for row in counts],
        offsets=np.concatenate([np.zeros(1, np.int64), ends]),
        days=cast("NDArray[np.datetime64]", columns[0]),
        high=floats[0],
        low=floats[1],
        close=floats[2],
        volume=floats[3],
    )


async def upsert_splits(connection: Connection, splits: Sequence[Split], *, load_id: int) -> int:
    """Store *splits* and return how many were new or changed."""
    changed = await connection.fetch(
        """
        INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id)
        SELECT symbol, execution_day, split_from, split_to, kind, $6
        FROM unnest($1::text[], $2::date[], $3::float8[], $4::float8[], $5::text[])
             AS s (symbol, execution_day, split_from, split_to, kind)
        ON CONFLICT (symbol, execution_day) DO UPDATE
            SET split_from = excluded.split_from, split_to = excluded.split_to, kind = excluded.kind,
                load_id = excluded.load_id
            WHERE (stock_split.split_from, stock_split.split_to, stock_split.kind)
                  <> (excluded.split_from, excluded.split_to, excluded.kind)
        RETURNING symbol
        """,
        [s.symbol for s in splits], [s.execution_day for s in splits], [s.split_from for s in splits],
        [s.split_to for s in splits], [s.kind for s in splits], load_id,
    )  # fmt: skip
    return len(changed)


async def count_splits(connection: Connection | Pool, *, since: dt.date, until: dt.date) -> int:
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM stock_split WHERE execution_day BETWEEN $1 AND $2", since, until
        )
    )


async def withdraw_splits(
    connection: Connection, listed: Sequence[Split], *, since: dt.date, until: dt.date
) -> list[tuple[str, dt.date]]:
    """Remove those of *since*…*until* that a complete list no longer has, and return (symbol, day) of them."""
    rows = await connection.fetch(
        """
        DELETE FROM stock_split AS s WHERE s.execution_day BETWEEN $1 AND $2 AND NOT EXISTS (
            SELECT FROM unnest($3::text[], $4::date[]) AS l (symbol, day)
            WHERE l.symbol = s.symbol AND l.day = s.execution_day)
        RETURNING s.symbol, s.execution_day
        """,
        since, until, [s.symbol for s in listed], [s.execution_day for s in listed],
    )  # fmt: skip
    return sorted((row["symbol"], row["execution_day"]) for row in rows)


async def read_splits(connection: Connection | Pool, *, up_to: dt.date) -> dict[str, list[Split]]:
    """Return the splits executed up to *up_to*, per symbol in order of their day."""
    from market.splits import Split

    rows = await connection.fetch(
        "SELECT symbol, execution_day, split_from, split_to, kind FROM stock_split WHERE execution_day <= $1 "
        "ORDER BY symbol, execution_day",
        up_to,
    )
    found: dict[str, list[Split]] = {}
    for row in rows:
        found.setdefault(row["symbol"], []).append(Split(**dict(row)))
    return found


async def replace_atr(
    connection: Connection, day: dt.date, values: Iterable[tuple[str, float, float, int]], *, load_id: int
) -> None:
    """Make *values* (symbol, atr, atr percent, bars used) the ATR values of *day*."""
    await connection.execute("DELETE FROM ticker_atr WHERE trading_date = $1", day)
    await connection.copy_records_to_table(
        "ticker_atr",
        columns=("trading_date", "symbol", "atr", "atr_percent", "bars_used", "load_id"),
        records=[(day, symbol, atr, percent, bars, load_id) for symbol, atr, percent, bars in values],
    )
