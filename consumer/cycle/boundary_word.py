"""Writes a person's word on where a series begins anew, by the symbol he names: for the command and the page alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import boundaries
from consumer.postgres.boundaries import Around, Named, State

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Pool


class NoSuchSeries(Exception):
    """There is no series to cut there; the text says what to name instead."""


async def decide(pool: Pool, symbol: str, day: dt.date, state: State, decision: Decision) -> bool:
    """Write it; False where it says nothing new. Raises NoSuchSeries."""
    async with pool.acquire() as connection, connection.transaction():
        bars = await boundaries.around(connection, symbol, day)
        named = Named(symbol=_whose(bars, symbol, day), day=day, evidence=evidence_of(bars))
        return await boundaries.decide(connection, named, state, decision)


def follows(state: State) -> str:
    """What comes of it, in words."""
    if state is State.ACCEPTED:
        return "figures are made of nothing before it, as soon as they are computed anew"
    return "the series goes on across it"


def evidence_of(bars: Around) -> str:
    """What the prices around it show, in words."""
    if bars.open_on is None or bars.close_before is None:
        return "a person's word"
    return f"opened at {bars.open_on:.6g}, the close of {bars.last_before} was {bars.close_before:.6g}"


def _whose(bars: Around, symbol: str, day: dt.date) -> str:
    """The symbol that the bar of that day was traded as. Raises NoSuchSeries."""
    if bars.traded_as is not None and bars.last_before is not None:
        return bars.traded_as
    if bars.first_bar is None and bars.last_before is None:
        raise NoSuchSeries(f"{symbol} has no bar at all: give the symbol as `daily_history` has it")
    if bars.last_before is None:
        raise NoSuchSeries(f"{symbol} has no bar before {day}: there is nothing to keep apart")
    nearest = "none since" if bars.first_bar is None else f"its next one is of {bars.first_bar}"
    raise NoSuchSeries(f"{symbol} has no bar of {day}, {nearest}: give the first session of the new series")
