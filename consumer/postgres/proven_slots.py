"""Reads the slots that stand of final sessions and what the daily bars say of them, and confirms those that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from consumer.postgres.pool import Connection


async def read_proven(
    connection: Connection, final_since: Mapping[dt.date, dt.datetime], symbols: Sequence[str]
) -> dict[tuple[dt.date, str], list[float] | None]:
    """Return by (day, symbol) the volumes of the proven rows that were fetched when their session was final."""
    # The days once more as a list: by the join alone the rows of all years may be gone over.
    rows = await connection.fetch(
        "SELECT s.trading_date, s.symbol, s.volumes FROM session_slots AS s "
        "JOIN unnest($1::date[], $2::timestamptz[]) AS w (day, since) ON s.trading_date = w.day "
        "WHERE s.trading_date = ANY ($1) AND s.symbol = ANY ($3) AND s.fetched_at >= w.since "
        "AND s.outcome <> 'unproven'",
        list(final_since),
        list(final_since.values()),
        list(symbols),
    )
    return {(row["trading_date"], row["symbol"]): row["volumes"] for row in rows}


async def bar_volumes(
    connection: Connection, days: Sequence[dt.date], symbols: Sequence[str]
) -> dict[dt.date, dict[str, float]]:
    """Return by day that has bars, and by symbol that has one, what the daily bars say was traded."""
    rows = await connection.fetch(
        "SELECT w.day, b.symbol, b.volume FROM unnest($1::date[]) AS w (day) "
        "LEFT JOIN daily_bar AS b "
        "ON b.trading_date = w.day AND b.trading_date = ANY ($1) AND b.symbol = ANY ($2) "
        "WHERE EXISTS (SELECT FROM daily_bar AS one "
        "WHERE one.trading_date = w.day AND one.trading_date = ANY ($1))",
        list(days),
        list(symbols),
    )
    found: dict[dt.date, dict[str, float]] = {row["day"]: {} for row in rows}
    for row in rows:
        if row["symbol"] is not None:
            found[row["day"]][row["symbol"]] = row["volume"]
    return found


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
