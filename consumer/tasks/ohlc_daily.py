"""ohlc_daily: a session's bars (one request each), the list of splits, and ATR(14) over all stored history.

Prices are stored raw. ATR is computed on bars adjusted for the splits executed up to the cycle's day, with TA-Lib's
seed (market/atr.py), so a split never shows as volatility.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from consumer.massive.errors import BadAnswer
from consumer.postgres import bars, coverage, ledger
from consumer.tasks import data_sets
from consumer.tasks.part import require_coverage
from market.atr import latest_atr
from market.splits import Split, price_factors
from market.symbols import is_test_issue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.massive.rows import SplitRow
    from consumer.postgres.bars import BarHistory
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write

# A session is never replaced by one that holds less than this share of what is stored: such an answer was cut.
SMALLEST_SHARE = 0.7
SPLITS_AHEAD = dt.timedelta(days=7)
# From this many stored splits on, a list with far fewer was cut; below, they may all have been taken back.
ENOUGH_SPLITS = 10


async def load_session_bars(ctx: PartContext) -> Write:
    """One session's bars of the whole market. An empty or shrunken answer is refused: on a trading day it is wrong."""
    day = dt.date.fromisoformat(ctx.payload["session"])
    fetched_at = ctx.services.now()
    answer = await ctx.services.massive.grouped_daily(day)
    rows = [row for row in answer.rows if not is_test_issue(row.T)]
    if not rows:
        raise BadAnswer(f"no bars for {day}, which is a trading day", request_id=answer.request_id)
    rejected = {flaw.value: count for flaw, count in answer.rejected.items()}

    async def write(connection: Connection) -> PartReport:
        stored = await bars.count_bars(connection, day)
        if len(rows) < SMALLEST_SHARE * stored:
            raise BadAnswer(f"{len(rows)} bars for {day} where {stored} are stored", request_id=answer.request_id)
        load_id = await coverage.record_load(
            connection, ctx.part, fence=ctx.fence, source="massive:rest", fetched_at=fetched_at, rows=len(rows),
            request_id=answer.request_id, rejected=rejected,
        )  # fmt: skip
        await bars.replace_bars(connection, day, rows, load_id=load_id)
        await coverage.record_coverage(
            connection, data_sets.DAILY_BARS, [day], rows=len(rows), fetched_at=fetched_at, load_id=load_id
        )
        return ledger.PartReport(rows=len(rows), warnings=rejected_warnings(f"bars {day}", rejected))

    return write


def rejected_warnings(what: str, rejected: dict[str, int]) -> tuple[str, ...]:
    """Say how many rows were set aside and why; nothing when there were none."""
    if not rejected:
        return ()
    return (f"{what}: " + ", ".join(f"{count} rows set aside ({flaw})" for flaw, count in sorted(rejected.items())),)


async def load_splits(ctx: PartContext) -> Write:
    """The splits of the window and of the week ahead. No split at all is a possible answer.

    One that the vendor lists no more goes here too: a split moved to another day would be applied twice.
    """
    since, until = dt.date.fromisoformat(ctx.payload["since"]), ctx.day + SPLITS_AHEAD
    fetched_at = ctx.services.now()
    rows = await ctx.services.massive.list_splits(since, until)
    splits, conflicting = one_per_day(rows)

    async def write(connection: Connection) -> PartReport:
        stored = await bars.count_splits(connection, since=since, until=until)
        if stored >= ENOUGH_SPLITS and len(splits) < SMALLEST_SHARE * stored:
            raise BadAnswer(f"{len(splits)} splits for {since}..{until} where {stored} are stored: nothing changed")
        load_id = await coverage.record_load(
            connection, ctx.part, fence=ctx.fence, source="massive:rest", fetched_at=fetched_at, rows=len(splits)
        )
        await bars.upsert_splits(connection, splits, load_id=load_id)
        withdrawn = await bars.withdraw_splits(connection, splits, since=since, until=until)
        await coverage.record_coverage(
            connection, data_sets.SPLITS, [ctx.day], rows=len(splits), fetched_at=fetched_at, load_id=load_id,
            detail={"since": since.isoformat()},
        )  # fmt: skip
        warnings = [f"splits: {key} is given with different ratios, the first was kept" for key in conflicting]
        warnings += [f"splits: {symbol} {day} is listed no more and was taken back" for symbol, day in withdrawn]
        return ledger.PartReport(rows=len(splits), warnings=tuple(warnings))

    return write


def one_per_day(rows: list[SplitRow]) -> tuple[list[Split], list[str]]:
    """Return one split a symbol and day, and which of them the vendor gave with different ratios."""
    kept: dict[tuple[str, dt.date], Split] = {}
    conflicting: list[str] = []
    for row in rows:
        split = Split(
            symbol=row.ticker,
            execution_day=row.execution_date,
            split_from=row.split_from,
            split_to=row.split_to,
            kind=row.adjustment_type or "split",
        )
        first = kept.setdefault((row.ticker, row.execution_date), split)
        if first.split_from * split.split_to != first.split_to * split.split_from:
            conflicting.append(f"{row.ticker} {row.execution_date}")
    return list(kept.values()), conflicting


async def compute_atr(ctx: PartContext) -> Write:
    """ATR(14) of every symbol with a bar in the window and enough history; percent of the adjusted last close."""
    await require_coverage(ctx, data_sets.DAILY_BARS)
    computed_at = ctx.services.now()
    window_start = ctx.sessions(ctx.services.options.ohlc_sessions)[0]
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        history = await bars.read_history(connection, up_to=ctx.day)
        splits = await bars.read_splits(connection, up_to=ctx.day)
    period = ctx.services.options.atr_period
    values = await asyncio.to_thread(_atr_values, history, splits, ctx.day, window_start, period)

    async def write(connection: Connection) -> PartReport:
        load_id = await coverage.record_load(
            connection, ctx.part, fence=ctx.fence, source="computed", fetched_at=computed_at, rows=len(values)
        )
        await bars.replace_atr(connection, ctx.day, values, load_id=load_id)
        await coverage.record_coverage(
            connection, data_sets.ATR, [ctx.day], rows=len(values), fetched_at=computed_at, load_id=load_id
        )
        return ledger.PartReport(rows=len(values))

    return write


def split_factors(history: BarHistory, splits: dict[str, list[Split]], day: dt.date) -> NDArray[np.float64]:
    """Return the price factor of every bar of *history*, as of *day*."""
    factors = np.ones(len(history.days))
    for number, symbol in enumerate(history.symbols):
        if symbol in splits:
            own = slice(history.offsets[number], history.offsets[number + 1])
            factors[own] = price_factors(history.days[own], splits[symbol], as_of=day)
    return factors


def _atr_values(
    history: BarHistory, splits: dict[str, list[Split]], day: dt.date, window_start: dt.date, period: int
) -> list[tuple[str, float, float, int]]:
    if not history.symbols:
        return []
    factors = split_factors(history, splits, day)
    high, low, close = history.high * factors, history.low * factors, history.close * factors
    atr = latest_atr(high, low, close, history.offsets, period)
    last = history.offsets[1:] - 1
    wanted = np.isfinite(atr) & (close[last] > 0) & (history.days[last] >= np.datetime64(window_start))
    percent = np.divide(100.0 * atr, close[last], out=np.zeros_like(atr), where=wanted)
    used = np.diff(history.offsets)
    return [
        (history.symbols[i], float(atr[i]), float(percent[i]), int(used[i])) for i in np.flatnonzero(wanted).tolist()
    ]
