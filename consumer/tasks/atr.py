"""ohlc_daily: ATR(14) over all stored history since its last hole.

Prices are stored raw. ATR is computed on bars adjusted for the splits executed up to the cycle's day, with TA-Lib's
seed (market/atr.py), so a split never shows as volatility.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import bars, coverage, holes, ledger, splits
from consumer.tasks.part import require_coverage
from contract import data_sets
from market.atr import latest_atr
from market.bounded_fields import RANGE, RANGE_PERCENT
from market.holes import unbroken_since
from market.splits import Split, price_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.postgres.bars import BarHistory
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write

# Further back nobody looks for the bars that a symbol had before a hole.
_BEFORE_A_HOLE = dt.timedelta(days=365)


async def compute_atr(ctx: PartContext) -> Write:
    """ATR(14) of every symbol with a bar in the window and enough history; percent of the adjusted last close.

    No figure reads across a hole: it is of the bars since the last one.
    """
    await require_coverage(ctx, data_sets.DAILY_BARS)
    computed_at = ctx.services.now()
    window_start = ctx.sessions(ctx.services.options.ohlc_sessions)[0]
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        since = await _unbroken_since(ctx, connection)
        history = await bars.read_history(connection, up_to=ctx.day, since=since)
        history = history.after(await holes.of_symbols(connection, since=since, up_to=ctx.day))
        own = await splits.read_splits(connection, up_to=ctx.day)
    period = ctx.services.options.atr_period
    values = await asyncio.to_thread(_atr_values, history, own, ctx.day, window_start, period)
    broken = await _broken(ctx, history, since, window_start)
    detail = {"broken": broken, "unbroken_since": since.isoformat()} if broken else {}

    async def write(connection: Connection) -> PartReport:
        load_id = await coverage.record_load(
            connection, ctx.part, fence=ctx.fence, source="computed", fetched_at=computed_at, rows=len(values)
        )
        await bars.replace_atr(connection, ctx.day, values, load_id=load_id)
        await coverage.record_coverage(
            connection,
            data_sets.ATR,
            [ctx.day],
            rows=len(values),
            fetched_at=computed_at,
            load_id=load_id,
            detail=detail,
        )
        return ledger.PartReport(rows=len(values))

    return write


async def _broken(ctx: PartContext, history: BarHistory, since: dt.date, window_start: dt.date) -> int:
    """Return how many symbols have no ATR because of the hole before *since*: with the bars before it they had enough.

    Who was listed since has no bars before it, and who lost a row alone lost it alone.
    """
    counts = np.diff(history.offsets)
    period = ctx.services.options.atr_period
    trades = history.days[history.offsets[1:] - 1] >= np.datetime64(window_start)
    few = {history.symbols[i]: int(counts[i]) for i in np.flatnonzero(trades & (counts <= period)).tolist()}
    rows = await ctx.services.pool.fetch(
        "SELECT symbol, count(*) AS bars FROM daily_history WHERE symbol = ANY ($1) AND trading_date >= $2 "
        "AND trading_date < $3 GROUP BY symbol",
        list(few),
        since - _BEFORE_A_HOLE,
        since,
    )
    return sum(few[row["symbol"]] + row["bars"] > period for row in rows)


async def _unbroken_since(ctx: PartContext, connection: Connection) -> dt.date:
    """The first session of the proven ones that lead to the cycle's day without a hole."""
    proven = await coverage.proven_days(connection, data_sets.DAILY_BARS, up_to=ctx.day)
    return unbroken_since(ctx.services.calendar.trading_days(min(proven), ctx.day), proven)


def split_factors(history: BarHistory, listed: dict[str, list[Split]], day: dt.date) -> NDArray[np.float64]:
    """Return the price factor of every bar of *history*, as of *day*."""
    factors = np.ones(len(history.days))
    for number, symbol in enumerate(history.symbols):
        if symbol in listed:
            own = slice(history.offsets[number], history.offsets[number + 1])
            factors[own] = price_factors(history.days[own], listed[symbol], as_of=day)
    return factors


def _atr_values(
    history: BarHistory, listed: dict[str, list[Split]], day: dt.date, window_start: dt.date, period: int
) -> list[tuple[str, float, float, int]]:
    if not history.symbols:
        return []
    factors = split_factors(history, listed, day)
    high, low, close = history.high * factors, history.low * factors, history.close * factors
    atr = latest_atr(high, low, close, history.offsets, period)
    last = history.offsets[1:] - 1
    wanted = np.isfinite(atr) & (close[last] > 0) & (history.days[last] >= np.datetime64(window_start))
    percent = np.divide(100.0 * atr, close[last], out=np.zeros_like(atr), where=wanted)
    # Prices that can be and splits that can be may still make a range that cannot.
    wanted &= (atr <= RANGE.most) & (percent <= RANGE_PERCENT.most)
    used = np.diff(history.offsets)
    return [
        (history.symbols[i], float(atr[i]), float(percent[i]), int(used[i])) for i in np.flatnonzero(wanted).tolist()
    ]
