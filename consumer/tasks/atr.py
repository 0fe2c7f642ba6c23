"""ohlc_daily: ATR(14) as over all stored history since its last hole, of as much of it as still weighs anything.

Prices are stored raw. ATR is computed on bars adjusted for the splits executed up to the cycle's day, with TA-Lib's
seed (market/atr.py), so a split never shows as volatility. What is read is bounded: docs/decisions/0005.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres import bars, coverage, holes, ledger, splits
from consumer.tasks.atr_walk import AtrWalk, Basis
from consumer.tasks.part import require_coverage
from contract import data_sets
from market.atr import bars_needed
from market.holes import unbroken_since

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.atr_walk import Figure
    from consumer.tasks.part import PartContext, Write

# Further back nobody looks for the bars that a symbol had before a hole.
_BEFORE_A_HOLE = dt.timedelta(days=365)
# All bars are read of the sessions in which a symbol that trades on eight days of nine has those that are needed; of a
# symbol that trades less often, twice as many sessions.
_SESSIONS_A_BAR = 9 / 8
_SELDOM = 2
# Sessions read at once: 12 MB of 11,000 symbols.
_BLOCK = 32


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions an ATR is of, ascending: without a hole up to the cycle's day."""

    needed: int  # bars after which the earlier ones weigh nothing
    unbroken: tuple[dt.date, ...]
    window: tuple[dt.date, ...]  # of these, those of which every symbol's bars are read
    after_hole: bool  # there are older sessions, beyond one that is not proven

    def with_bar_since(self, window_start: dt.date) -> dt.date:
        """Since when a symbol must have a bar to have a figure."""
        return max(window_start, self.window[0])


async def compute_atr(ctx: PartContext) -> Write:
    """ATR(14) of every symbol with a bar in the window and enough history; percent of the adjusted last close.

    No figure reads across a hole: it is of the bars since the last one.
    """
    await require_coverage(ctx, data_sets.DAILY_BARS)
    computed_at = ctx.services.now()
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        reach = await _reach(ctx, connection)
        figures, broken = await _figures(ctx, connection, reach)
    detail = {"broken": broken, "unbroken_since": reach.unbroken[0].isoformat()} if broken else {}

    async def write(connection: Connection) -> PartReport:
        load_id = await coverage.record_load(
            connection, ctx.part, fence=ctx.fence, source="computed", fetched_at=computed_at, rows=len(figures)
        )
        values = [(symbol, one.atr, one.percent, one.bars) for symbol, one in sorted(figures.items())]
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


async def _reach(ctx: PartContext, connection: Connection) -> Reach:
    calendar, needed = ctx.services.calendar, bars_needed(ctx.services.options.atr_period)
    most = max(round(needed * _SESSIONS_A_BAR), ctx.services.options.ohlc_sessions)
    sessions = calendar.trading_days(calendar.FIRST_DAY, ctx.day)[-_SELDOM * most :]
    proven = await coverage.proven_days(connection, data_sets.DAILY_BARS, since=sessions[0], up_to=ctx.day)
    since = unbroken_since(sessions, proven)
    unbroken = tuple(day for day in sessions if day >= since)
    return Reach(needed=needed, unbroken=unbroken, window=unbroken[-most:], after_hole=min(proven) < since)


async def _figures(ctx: PartContext, connection: Connection, reach: Reach) -> tuple[dict[str, Figure], int]:
    """Return the figures by symbol, and how many symbols have none because of a hole."""
    basis = await _basis(ctx, connection, reach)
    traded_since = reach.with_bar_since(ctx.sessions(ctx.services.options.ohlc_sessions)[0])
    symbols = await bars.traded_symbols(connection, since=traded_since, up_to=ctx.day)
    walk = AtrWalk(symbols, basis)
    for at in range(0, len(reach.window), _BLOCK):
        block = reach.window[at : at + _BLOCK]
        await asyncio.to_thread(
            walk.add, await bars.read_sessions(connection, symbols, since=block[0], up_to=block[-1])
        )
    figures = walk.figures()
    if len(reach.unbroken) > len(reach.window):
        figures |= await _of_seldom_traded(connection, walk.with_fewer_bars(reach.needed), basis, reach)
    few = walk.with_fewer_bars(basis.period + 1) if reach.after_hole else []
    return figures, await _broken(connection, few, walk.bars_of(few), basis.period, since=reach.unbroken[0])


async def _basis(ctx: PartContext, connection: Connection, reach: Reach) -> Basis:
    since = reach.unbroken[0]
    own_holes = await holes.of_symbols(connection, since=since, up_to=ctx.day)
    return Basis(
        day=ctx.day,
        period=ctx.services.options.atr_period,
        splits=await splits.read_splits(connection, after=since, up_to=ctx.day),
        last_hole={symbol: max(days) for symbol, days in own_holes.items()},
    )


async def _of_seldom_traded(
    connection: Connection, symbols: Sequence[str], basis: Basis, reach: Reach
) -> dict[str, Figure]:
    """The figures of symbols that the window has too few bars of, by all that the unbroken sessions have."""
    walk = AtrWalk(symbols, basis)
    since, until = reach.unbroken[0], reach.unbroken[-1]
    await asyncio.to_thread(walk.add, await bars.read_symbols(connection, symbols, since=since, up_to=until))
    return walk.figures()


async def _broken(
    connection: Connection, symbols: Sequence[str], since_hole: Sequence[int], period: int, *, since: dt.date
) -> int:
    """Return how many of *symbols* have no ATR because of the hole before *since*: with the bars before it they had
    enough.

    Who was listed since has no bars before it, and who lost a row alone lost it alone.
    """
    if not symbols:
        return 0
    day_before = since - dt.timedelta(days=1)
    before = await bars.read_symbols(connection, symbols, since=since - _BEFORE_A_HOLE, up_to=day_before)
    together = np.bincount(before.number, minlength=len(symbols)) + np.array(since_hole)
    return int(np.count_nonzero((together > period) & (np.bincount(before.number, minlength=len(symbols)) > 0)))
