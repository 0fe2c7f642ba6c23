"""Gets a walk through the bars past all that came before the window: by the states that were kept, or by bars again.

States are used only while everything that they are made of is as it was: the chain of sessions, every session's rows,
and of each symbol its splits, names and holes. Whose alone has changed is made again from its own bars, by its index;
where more have changed, or a session has, all are made again. So no change that comes late makes a figure wrong.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import atr_state, bars, coverage
from consumer.postgres.atr_state import SymbolState
from consumer.tasks.atr_walk import AtrWalk, Figure
from contract import data_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.atr_state import Past
    from consumer.postgres.pool import Connection
    from consumer.tasks.atr_walk import Basis
    from consumer.tasks.part import PartContext

# Sessions read at once: 12 MB of 11,000 symbols.
_BLOCK = 32
# Made again one by one where no more than this share of the symbols are to be.
_FEW = 0.1
# What was fetched before the states were computed may have been committed after: longer than any part lasts.
_MARGIN = dt.timedelta(days=1)


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions an ATR is of, ascending: without a hole up to the cycle's day."""

    needed: int  # bars after which the earlier ones weigh nothing
    unbroken: tuple[dt.date, ...]
    window: tuple[dt.date, ...]  # of these, those of which every symbol's bars are read, where no states are known
    after_hole: bool  # there are older sessions, beyond one that is not proven
    keep: dt.date  # the last session that nothing of a night changes any more


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """What the walks came to, by symbol."""

    figures: dict[str, Figure]
    bars: dict[str, int]
    kept: dict[str, SymbolState]

    def but(self, other: Walked) -> Walked:
        """The same with what *other* knows better."""
        return Walked(
            figures={symbol: one for symbol, one in self.figures.items() if symbol not in other.bars} | other.figures,
            bars=self.bars | other.bars,
            kept={symbol: one for symbol, one in self.kept.items() if symbol not in other.bars} | other.kept,
        )


async def is_valid(ctx: PartContext, connection: Connection, past: Past | None, reach: Reach) -> bool:
    """Whether the chain of sessions and their rows are as they were when the states of *past* were computed."""
    if past is None or ctx.cycle.force or past.period != ctx.services.options.atr_period:
        return False
    first = reach.unbroken[0]
    # Further back than a chain is followed, it may have begun earlier.
    begins = past.unbroken_since == first or (not reach.after_hole and past.unbroken_since < first)
    inputs = (data_sets.DAILY_BARS, data_sets.TAKEN)
    changed_at = await coverage.newest_input(connection, inputs, up_to=past.as_of)
    return begins and changed_at is not None and changed_at < past.computed_at - _MARGIN


async def carry_on(
    connection: Connection, symbols: Sequence[str], past: Past, basis: Basis, reach: Reach
) -> Walked | None:
    """Walk from the states of *past* through the sessions since; None where too many symbols' are void."""
    stored = await atr_state.read_states(connection, symbols)
    states = [one for one in stored if one.basis == basis.until(one.symbol, past.as_of)]
    known = {one.symbol for one in states}
    anew = [symbol for symbol in symbols if symbol not in known]
    if len(anew) > len(symbols) * _FEW:
        return None
    carried = [one.symbol for one in states]
    walk = AtrWalk(carried, basis, keep=reach.keep)
    walk.resume(states, past.as_of)
    walked = await _through(connection, walk, carried, [day for day in reach.unbroken if day > past.as_of])
    return walked.but(await _each(connection, anew, basis, reach))


async def begin_anew(connection: Connection, symbols: Sequence[str], basis: Basis, reach: Reach) -> Walked:
    """Walk through the bars of the window; of symbols that have too few there, of all that the chain has."""
    walk = AtrWalk(symbols, basis, keep=reach.keep)
    walked = await _through(connection, walk, symbols, reach.window)
    if len(reach.unbroken) == len(reach.window):
        return walked
    few = [symbol for symbol, count in walked.bars.items() if count < reach.needed]
    return walked.but(await _each(connection, few, basis, reach))


async def _through(
    connection: Connection, walk: AtrWalk, symbols: Sequence[str], sessions: Sequence[dt.date]
) -> Walked:
    for at in range(0, len(sessions), _BLOCK):
        block = sessions[at : at + _BLOCK]
        rows = await bars.read_sessions(connection, symbols, since=block[0], up_to=block[-1])
        await asyncio.to_thread(walk.add, rows)
    return _outcome(walk)


async def _each(connection: Connection, symbols: Sequence[str], basis: Basis, reach: Reach) -> Walked:
    walk = AtrWalk(symbols, basis, keep=reach.keep)
    if symbols:
        rows = await bars.read_symbols(connection, symbols, since=reach.unbroken[0], up_to=reach.unbroken[-1])
        await asyncio.to_thread(walk.add, rows)
    return _outcome(walk)


def _outcome(walk: AtrWalk) -> Walked:
    return Walked(figures=walk.figures(), bars=walk.bars(), kept=walk.kept())
