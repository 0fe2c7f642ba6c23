"""ohlc_daily: ATR(14) as over all stored history since its last hole, of as much of it as still weighs anything.

Prices are stored raw. ATR is computed on bars adjusted for the splits executed up to the cycle's day, with TA-Lib's
seed (market/atr.py), so a split never shows as volatility. What is read is bounded: docs/decisions/0005.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import atr_state, bars, boundaries, coverage, holes, ledger, splits
from consumer.postgres.atr_state import Past
from consumer.tasks.atr_past import Reach, begin_anew, carry_on, is_valid
from consumer.tasks.atr_walk import Basis
from consumer.tasks.part import require_coverage
from contract import data_sets
from market.atr import bars_needed
from market.holes import unbroken_since

if TYPE_CHECKING:
    from consumer.postgres.ledger import PartReport
    from consumer.postgres.pool import Connection
    from consumer.tasks.atr_past import Walked
    from consumer.tasks.part import PartContext, Write

# Further back nobody looks for the bars that a symbol had before a hole.
_BEFORE_A_HOLE = dt.timedelta(days=365)
# All bars are read of the sessions in which a symbol that trades on eight days of nine has those that are needed; of a
# symbol that trades less often, twice as many sessions.
_SESSIONS_A_BAR = 9 / 8
_SELDOM = 2


async def compute_atr(ctx: PartContext) -> Write:
    """ATR(14) of every symbol with a bar in the window and enough history; percent of the adjusted last close.

    No figure reads across a hole: it is of the bars since the last one.
    """
    await require_coverage(ctx, data_sets.DAILY_BARS)
    computed_at = ctx.services.now()
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        reach = await _reach(ctx, connection)
        basis = await _basis(ctx, connection, reach)
        past = await atr_state.read_past(connection)
        valid = await is_valid(ctx, connection, past, reach)
        walked = await _walked(ctx, connection, past if valid else None, basis, reach)
        broken = await _broken(connection, walked, basis, reach)
    figures = walked.figures
    detail = {"broken": broken, "unbroken_since": reach.unbroken[0].isoformat()} if broken else {}
    # A cycle of an older day leaves the states where they are: the newest day's are further on.
    keeps = walked.kept and (past is None or not valid or past.as_of <= reach.keep)

    async def write(connection: Connection) -> PartReport:
        loaded = await ctx.note_load(connection, at=computed_at, rows=len(figures))
        values = [(symbol, one.atr, one.percent, one.bars) for symbol, one in sorted(figures.items())]
        await bars.replace_atr(connection, ctx.day, values, load_id=loaded.load_id)
        if keeps:
            await atr_state.replace_states(connection, _past_of(reach, basis, computed_at), walked.kept.values())
        await coverage.record_coverage(connection, data_sets.ATR, ctx.day, loaded, detail=detail)
        return ledger.PartReport(rows=len(values))

    return write


async def _reach(ctx: PartContext, connection: Connection) -> Reach:
    calendar, options = ctx.services.calendar, ctx.services.options
    needed = bars_needed(options.atr_period)
    most = max(round(needed * _SESSIONS_A_BAR), options.ohlc_sessions)
    sessions = calendar.trading_days(calendar.FIRST_DAY, ctx.day)[-_SELDOM * most :]
    proven = await coverage.proven_days(connection, data_sets.DAILY_BARS, since=sessions[0], up_to=ctx.day)
    since = unbroken_since(sessions, proven)
    unbroken = tuple(day for day in sessions if day >= since)
    return Reach(
        needed=needed,
        unbroken=unbroken,
        window=unbroken[-most:],
        after_hole=min(proven) < since,
        keep=calendar.previous_trading_day(ctx.sessions(options.ohlc_sessions)[0]),
    )


async def _basis(ctx: PartContext, connection: Connection, reach: Reach) -> Basis:
    since = reach.unbroken[0]
    own_holes = await holes.of_symbols(connection, since=since, up_to=ctx.day)
    last_hole = {symbol: max(days) for symbol, days in own_holes.items()}
    # What ends on the eve of a boundary counts as little as what ends in a hole.
    for symbol, first in (await boundaries.cuts(connection, up_to=ctx.day)).items():
        last_hole[symbol] = max(first - boundaries.ONE_DAY, last_hole.get(symbol, dt.date.min))
    return Basis(
        day=ctx.day,
        period=ctx.services.options.atr_period,
        splits=await splits.read_splits(connection, after=since, up_to=ctx.day),
        last_hole=last_hole,
        names=await atr_state.read_names(connection),
    )


async def _walked(ctx: PartContext, connection: Connection, past: Past | None, basis: Basis, reach: Reach) -> Walked:
    """The figures of the symbols with a bar in the window."""
    window_start = ctx.sessions(ctx.services.options.ohlc_sessions)[0]
    symbols = await bars.traded_symbols(connection, since=max(window_start, reach.unbroken[0]), up_to=ctx.day)
    if past is not None and past.as_of < ctx.day:
        walked = await carry_on(connection, symbols, past, basis, reach)
        if walked is not None:
            return walked
    return await begin_anew(connection, symbols, basis, reach)


def _past_of(reach: Reach, basis: Basis, computed_at: dt.datetime) -> Past:
    return Past(as_of=reach.keep, period=basis.period, unbroken_since=reach.unbroken[0], computed_at=computed_at)


async def _broken(connection: Connection, walked: Walked, basis: Basis, reach: Reach) -> int:
    """Return how many symbols have no ATR because of the hole before the chain: with the bars before it they had
    enough.

    Who was listed since has no bars before it, and who lost a row alone lost it alone.
    """
    few = {symbol: count for symbol, count in walked.bars.items() if count <= basis.period}
    if not few or not reach.after_hole:
        return 0
    since = reach.unbroken[0]
    day_before = since - dt.timedelta(days=1)
    before = await bars.read_symbols(connection, list(few), since=since - _BEFORE_A_HOLE, up_to=day_before)
    counts = np.bincount(before.number, minlength=len(few))
    return int(np.count_nonzero((counts > 0) & (counts + np.array(list(few.values())) > basis.period)))
