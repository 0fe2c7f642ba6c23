"""Stores daily bars and ATR values, and reads bars back as arrays, by the issuer of today.

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
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from consumer.postgres.pool import Connection, Pool
    from consumer.vendor.rows import DailyRow

_COLUMNS = (
    "trading_date",
    "symbol",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "vwap",
    "trades_count",
    "load_id",
)


class BarHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of many symbols: symbol i owns rows offsets[i]:offsets[i+1], days ascending; prices and volumes raw."""

    symbols: list[str]
    offsets: NDArray[np.int64]
    days: NDArray[np.datetime64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def after(self, holes: Mapping[str, Sequence[dt.date]]) -> BarHistory:
        """The bars of each symbol since the last of its *holes*; a symbol without a bar since then is left out."""
        last = [max(holes[symbol]) if symbol in holes else None for symbol in self.symbols]
        if not any(last):
            return self
        lengths = np.diff(self.offsets)
        bound = np.array([np.datetime64(day or "0001-01-01", "D") for day in last])
        kept = self.days > np.repeat(bound, lengths)
        counts = np.add.reduceat(kept, self.offsets[:-1], dtype=np.int64)
        there = counts > 0
        return BarHistory(
            symbols=[symbol for symbol, stays in zip(self.symbols, there, strict=True) if stays],
            offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[there])]),
            days=self.days[kept],
            high=self.high[kept],
            low=self.low[kept],
            close=self.close[kept],
            volume=self.volume[kept],
        )


async def count_bars(connection: Connection | Pool, day: dt.date) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM daily_bar WHERE trading_date = $1", day))


async def count_by_day(connection: Connection | Pool, days: Iterable[dt.date]) -> dict[dt.date, int]:
    """Return how many bars stand of each of *days* that has any."""
    rows = await connection.fetch(
        "SELECT trading_date, count(*) AS rows FROM daily_bar WHERE trading_date = ANY ($1) GROUP BY 1",
        list(days),
    )
    return {row["trading_date"]: row["rows"] for row in rows}


async def count_atr(connection: Connection | Pool, day: dt.date) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM ticker_atr WHERE trading_date = $1", day))


async def replace_bars(
    connection: Connection, day: dt.date, rows: Iterable[DailyRow], *, load_id: int, keep: Collection[str] = ()
) -> None:
    """Make *rows* the bars of *day*; those of *keep* stay as they stand, from the load that brought them."""
    await connection.execute("DELETE FROM daily_bar WHERE trading_date = $1 AND symbol <> ALL ($2)", day, list(keep))
    ordered = sorted((row for row in rows if row.T not in keep), key=lambda row: row.T)
    await _copy(connection, day, ordered, load_id=load_id)


async def replace_rows(
    connection: Connection, day: dt.date, rows: Iterable[DailyRow], gone: Iterable[str], *, load_id: int
) -> None:
    """Put *rows* in place of those symbols' bars of *day*, and take away the bars of *gone*."""
    ordered = sorted(rows, key=lambda row: row.T)
    await connection.execute(
        "DELETE FROM daily_bar WHERE trading_date = $1 AND symbol = ANY ($2)",
        day,
        [*(row.T for row in ordered), *gone],
    )
    await _copy(connection, day, ordered, load_id=load_id)


async def _copy(connection: Connection, day: dt.date, ordered: Iterable[DailyRow], *, load_id: int) -> None:
    await connection.copy_records_to_table(
        "daily_bar",
        columns=_COLUMNS,
        records=[(day, r.T, r.o, r.h, r.l, r.c, r.v, r.vw, r.n, load_id) for r in ordered],
    )


async def read_session(connection: Connection, day: dt.date) -> dict[str, tuple[float | int | None, ...]]:
    """Return by symbol (open, high, low, close, volume, vwap, trades_count) of *day* as stored."""
    rows = await connection.fetch(
        "SELECT symbol, open, high, low, close, volume, vwap, trades_count FROM daily_bar WHERE trading_date = $1",
        day,
    )
    return {row["symbol"]: tuple(row)[1:] for row in rows}


async def read_history(connection: Connection, *, up_to: dt.date, since: dt.date | None = None) -> BarHistory:
    """Return all stored bars of *since*…*up_to*, ordered by symbol and day. Needs a repeatable-read transaction.

    A renamed company's bars stand under its present symbol; those of another company that had the symbol are left out.
    """
    where = f"trading_date <= '{up_to}'" + (f" AND trading_date >= '{since}'" if since else "")
    counts = await connection.fetch(
        f"SELECT symbol, count(*) AS bars FROM daily_history WHERE {where} GROUP BY symbol ORDER BY symbol"
    )
    body = await copy_out(
        connection,
        f"SELECT trading_date, high, low, close, volume FROM daily_history WHERE {where} ORDER BY symbol, trading_date",
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
