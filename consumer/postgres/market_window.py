"""Reads stored sessions as a market: bars side by side, exchanges, splits and total volumes around them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import findings
from market.market_table import EARLIER, FARTHEST, NEIGHBOURS, Market
from market.session_bars import VOLUME, SessionBars
from market.volume_totals import NEAREST, WHOLE_MARKET, Totals

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping, Sequence

    from consumer.postgres.pool import Connection, Pool
    from market.trading_calendar import TradingCalendar


async def read_session_bars(connection: Connection | Pool, day: dt.date) -> SessionBars | None:
    """Return the bars of *day*; None where there are none."""
    row = await connection.fetchrow(
        "SELECT array_agg(symbol) AS symbols, array_agg(open) AS o, array_agg(high) AS h, array_agg(low) AS l, "
        "array_agg(close) AS c, array_agg(volume) AS v, array_agg(vwap) AS vw "
        "FROM daily_bar WHERE trading_date = $1",
        day,
    )
    if row is None or row["symbols"] is None:
        return None
    figures = np.array([row[name] for name in "ohlcv"], dtype=np.float64).T
    averages = np.array(row["vw"], dtype=np.float64)
    return SessionBars(symbols=tuple(row["symbols"]), figures=figures, averages=averages)


async def read_market(
    pool: Pool, data_set: str, days: Collection[dt.date], calendar: TradingCalendar, *, stored: Sequence[dt.date]
) -> Market:
    """Return what *days* are held against: themselves, and the nearest of the *stored* sessions on either side."""
    suspect = frozenset(await findings.suspect_days(pool, data_set, min(stored), max(stored))) - frozenset(days)
    order = {day: number for number, day in enumerate(calendar.trading_days(min(stored), max(stored)))}
    wanted = set(days)
    for day in days:
        wanted |= _nearest(day, [other for other in stored if other not in suspect], order)
    sessions = {day: bars for day in sorted(wanted) if (bars := await read_session_bars(pool, day)) is not None}
    return Market(
        sessions=sessions,
        order=order,
        suspect=suspect,
        exchange_of=await _exchanges(pool),
        splits=await _splits(pool, min(wanted), max(wanted)),
        totals=await _totals(pool, days, calendar, stored),
    )


def totals_of(bars: SessionBars, exchange_of: Mapping[str, str], *, early_close: bool) -> Totals:
    """Add up an answer that is not stored."""
    volume: dict[str, float] = {WHOLE_MARKET: 0.0}
    count: dict[str, int] = {WHOLE_MARKET: 0}
    for symbol, shares in zip(bars.symbols, bars.figures[:, VOLUME].tolist(), strict=True):
        for scope in {WHOLE_MARKET, exchange_of.get(symbol, WHOLE_MARKET)}:
            volume[scope] = volume.get(scope, 0.0) + shares
            count[scope] = count.get(scope, 0) + 1
    return Totals(volume=volume, rows=count, early_close=early_close)


def _nearest(day: dt.date, stored: Sequence[dt.date], order: dict[dt.date, int]) -> set[dt.date]:
    near = sorted(
        (other for other in stored if other != day and abs(order[other] - order[day]) <= EARLIER),
        key=lambda other: abs(order[other] - order[day]),
    )
    # One more than it is measured by: a session that turns out suspect stands in for nobody. Of those before it may be
    # a copy.
    after = [other for other in near if other > day and order[other] - order[day] <= FARTHEST]
    return {*(other for other in near if other < day), *after[: NEIGHBOURS + 1]}


async def _exchanges(pool: Pool) -> dict[str, str]:
    rows = await pool.fetch(
        "SELECT exchange, array_agg(symbol) AS symbols FROM ticker_profile WHERE exchange IS NOT NULL GROUP BY exchange"
    )
    return {symbol: row["exchange"] for row in rows for symbol in row["symbols"]}


async def _splits(pool: Pool, first: dt.date, last: dt.date) -> dict[dt.date, frozenset[str]]:
    rows = await pool.fetch(
        "SELECT execution_day, array_agg(DISTINCT symbol) AS symbols FROM stock_split "
        "WHERE execution_day > $1 AND execution_day <= $2 AND verdict <> 'contradicted' GROUP BY execution_day",
        first,
        last,
    )
    return {row["execution_day"]: frozenset(row["symbols"]) for row in rows}


async def _totals(
    pool: Pool, days: Collection[dt.date], calendar: TradingCalendar, stored: Sequence[dt.date]
) -> dict[dt.date, Totals]:
    wanted = set(days)
    for day in days:
        wanted |= set(sorted(other for other in stored if other < day)[-NEAREST:])
        wanted |= set(sorted(other for other in stored if other > day)[:NEAREST])
    rows = await pool.fetch(
        "SELECT b.trading_date, coalesce(m.exchange, '') AS exchange, sum(b.volume) AS volume, count(*) AS rows "
        "FROM daily_bar AS b LEFT JOIN ticker_profile AS m USING (symbol) WHERE b.trading_date = ANY ($1) "
        "GROUP BY b.trading_date, coalesce(m.exchange, '')",
        list(wanted),
    )
    volume: dict[dt.date, dict[str, float]] = defaultdict(lambda: {WHOLE_MARKET: 0.0})
    count: dict[dt.date, dict[str, int]] = defaultdict(lambda: {WHOLE_MARKET: 0})
    for row in rows:
        day = row["trading_date"]
        volume[day][WHOLE_MARKET] += row["volume"]
        count[day][WHOLE_MARKET] += row["rows"]
        if row["exchange"]:
            volume[day][row["exchange"]] = row["volume"]
            count[day][row["exchange"]] = row["rows"]
    return {
        day: Totals(volume=volume[day], rows=count[day], early_close=calendar.session(day).early_close)
        for day in volume
    }
