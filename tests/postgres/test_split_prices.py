"""Holds the reading of prices around splits to: what it looks at grows with the market, not with its square."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from consumer.postgres import split_prices

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

    from consumer.postgres.pool import Connection

MONDAY, WEDNESDAY = dt.date(2025, 11, 10), dt.date(2025, 11, 12)
NOW = dt.datetime(2025, 11, 12, 2, tzinfo=dt.UTC)


async def insert_bars(connection: Connection, first: dt.date, *, days: int, symbols: int) -> None:
    await connection.execute(
        "INSERT INTO daily_bar (trading_date, symbol, open, high, low, close, volume, load_id) "
        "SELECT $1::date + d, 'S' || s, 1, 1, 1, 1, 1, 0 FROM generate_series(0, $2 - 1) AS d, "
        "generate_series(1, $3) AS s",
        first, days, symbols,
    )  # fmt: skip


async def test_the_prices_around_a_markets_splits_cost_no_look_at_every_symbol_for_each_of_them(
    connection: Connection,
) -> None:
    """So it once was, and the second night of 11,000 tickers stood still for minutes."""
    symbols, days, listed = 2_000, 4, 300
    await insert_bars(connection, MONDAY, days=days, symbols=symbols)
    await connection.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) "
        "SELECT 'S' || s, true, $1, $2, $2 FROM generate_series(1, $3) AS s", WEDNESDAY, NOW, symbols,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id, first_listed_at) "
        "SELECT 'S' || s, $1::date + s % $4, 1, 2, 'forward_split', 1, $2 FROM generate_series(1, $3) AS s",
        MONDAY, NOW, listed, days,
    )  # fmt: skip
    asked: list[LoggedQuery] = []
    with connection.query_logger(asked.append):
        groups = await split_prices.read_listed(connection, up_to=MONDAY + dt.timedelta(days=days))
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop
    assert len(groups) == listed
    assert sum(group.prices is not None for group in groups) == listed * (days - 1) // days, "none before the first day"
    (query,) = asked
    (plan,) = json.loads(
        await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query.query}", *query.args)
    )
    assert rows_seen(plan["Plan"]) < 20 * (symbols + listed * days)


def rows_seen(node: dict[str, Any]) -> float:
    """Rows that this node and those below it gave or looked at and dropped."""
    own = sum(value for name, value in node.items() if name == "Actual Rows" or name.startswith("Rows Removed"))
    return float(own * node["Actual Loops"]) + sum(rows_seen(below) for below in node.get("Plans", []))
