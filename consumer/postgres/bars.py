"""Stores daily bars and ATR values, and reads bars back as arrays, by the issuer of today.

A session's bars are replaced as a whole inside the caller's transaction: readers see the old session or the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.postgres.copy_binary import DATE, FLOAT8, INT4, PADDED_SYMBOL, SYMBOL, copy_out, fixed_rows

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
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def from_on(self, first: Mapping[str, dt.date]) -> BarHistory:
        """The same without the bars of a symbol before the day that *first* has for it."""
        at = [(number, first[symbol]) for number, symbol in enumerate(self.symbols) if symbol in first]
        stays = np.ones(len(self.days), dtype=np.bool_)
        for number, day in at:
            own = slice(self.offsets[number], self.offsets[number + 1])
            stays[own] = self.days[own] >= np.datetime64(day)
        if stays.all():
            return self
        counts = np.add.reduceat(stays, self.offsets[:-1], dtype=np.int64)
        return BarHistory(
            symbols=[symbol for symbol, count in zip(self.symbols, counts, strict=True) if count],
            offsets=np.concatenate([[0], np.cumsum(counts[counts > 0])]),
            days=self.days[stays],
            close=self.close[stays],
            volume=self.volume[stays],
        )


class NumberedBars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars in any order, raw; *number* is the place of a bar's symbol in the list that was asked for."""

    number: NDArray[np.int64]
    days: NDArray[np.datetime64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]


async def count_bars(connection: Connection | Pool, day: dt.date) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM daily_bar WHERE trading_date = $1", day))


async def replace_bars(
    connection: Connection, day: dt.date, rows: Iterable[DailyRow], *, load_id: int, keep: Collection[str] = ()
) -> None:
    """Make *rows* the bars of *day*; those of *keep* stay as they stand, from the load that brought them."""
    # <> ALL of an empty list is true of every row: with nothing to keep, the whole session goes.
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


async def read_history(connection: Connection, *, since: dt.date, up_to: dt.date) -> BarHistory:
    """Return the bars of *since*…*up_to*, ordered by symbol and day.

    A renamed company's bars stand under its present symbol; those of another company that had the symbol are left out.
    """
    body = await copy_out(
        connection,
        f"SELECT {PADDED_SYMBOL}, trading_date, close, volume FROM daily_history "
        f"WHERE trading_date BETWEEN '{since}' AND '{up_to}' ORDER BY symbol, trading_date",
    )
    symbols, days, close, volume = fixed_rows(body, (SYMBOL, DATE, FLOAT8, FLOAT8))
    # The rows where a symbol begins; of no rows, none.
    first = np.flatnonzero(np.concatenate([np.ones(min(len(symbols), 1), np.bool_), symbols[1:] != symbols[:-1]]))
    return BarHistory(
        symbols=[name.decode().rstrip() for name in cast("list[bytes]", symbols[first].tolist())],
        offsets=np.append(first, len(symbols)),
        days=cast("NDArray[np.datetime64]", days),
        close=cast("NDArray[np.float64]", close),
        volume=cast("NDArray[np.float64]", volume),
    )


async def traded_symbols(connection: Connection, *, since: dt.date, up_to: dt.date) -> list[str]:
    """Return the present symbols of those that have a bar in *since*…*up_to*, in order."""
    rows = await connection.fetch(
        "SELECT DISTINCT symbol FROM daily_history WHERE trading_date BETWEEN $1 AND $2 ORDER BY symbol", since, up_to
    )
    return [row["symbol"] for row in rows]


async def read_sessions(
    connection: Connection, symbols: Sequence[str], *, since: dt.date, up_to: dt.date
) -> NumberedBars:
    """Return the bars that *symbols* have in *since*…*up_to*: for whole sessions, whose rows stand together."""
    return await _numbered(
        connection,
        "SELECT (n.number - 1)::integer, h.trading_date, h.high, h.low, h.close FROM daily_history AS h "
        "JOIN unnest($1::text[]) WITH ORDINALITY AS n (symbol, number) ON n.symbol = h.symbol "
        "WHERE h.trading_date BETWEEN $2 AND $3",
        symbols,
        since,
        up_to,
    )


async def read_symbols(
    connection: Connection, symbols: Sequence[str], *, since: dt.date, up_to: dt.date
) -> NumberedBars:
    """Return the bars that *symbols* have in *since*…*up_to*: for a few of them over many sessions."""
    # Symbol by symbol (OFFSET 0 holds the planner to it): a page a bar. Joined, each bar looks up its listing and
    # renames anew, three pages a bar, or every bar that was ever stored is read.
    return await _numbered(
        connection,
        """
        SELECT (n.number - 1)::integer, h.trading_date, h.high, h.low, h.close
        FROM unnest($1::text[]) WITH ORDINALITY AS n (symbol, number)
        CROSS JOIN LATERAL (
            SELECT h.trading_date, h.high, h.low, h.close FROM daily_history AS h
            WHERE h.symbol = n.symbol AND h.trading_date BETWEEN $2 AND $3 OFFSET 0) AS h
        """,
        symbols,
        since,
        up_to,
    )


async def _numbered(
    connection: Connection, query: str, symbols: Sequence[str], since: dt.date, up_to: dt.date
) -> NumberedBars:
    body = await copy_out(connection, query, list(symbols), since, up_to)
    number, days, high, low, close = fixed_rows(body, (INT4, DATE, FLOAT8, FLOAT8, FLOAT8))
    return NumberedBars(
        number=cast("NDArray[np.int64]", number),
        days=cast("NDArray[np.datetime64]", days),
        high=cast("NDArray[np.float64]", high),
        low=cast("NDArray[np.float64]", low),
        close=cast("NDArray[np.float64]", close),
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
