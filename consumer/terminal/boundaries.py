"""`maintenance boundary list | accept | reject`: where a series may not be read across, which a person decides.

A price that jumped over night proposes one and changes no figure: most jumps are what a scanner looks for.
"""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.postgres import boundaries
from consumer.postgres.boundaries import Around, Boundary, Named, State
from consumer.postgres.decisions import Decision
from consumer.runtime import utc_now
from consumer.terminal.answers import Decided, write_json
from consumer.terminal.cancel import operator
from consumer.terminal.reach import looking, reached
from consumer.terminal.refused import CommandRefused, usage
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Pool
    from consumer.settings import Settings


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of one boundary."""

    symbol: str
    day: dt.date
    state: State
    reason: str
    by: str | None
    as_json: bool = False


async def show(settings: Settings, *, decided: bool, as_json: bool) -> int:
    """Print the boundaries that wait for a person, with *decided* those that are decided too."""
    async with looking(settings) as service:
        found = await boundaries.find(service.pool, decided=decided)
    if as_json:
        write_json(found)
    elif found:
        _print(found)
    else:
        sys.stderr.write("no boundary is proposed\n" if not decided else "there are none\n")
    return ExitCode.OK


async def decide(settings: Settings, word: Word) -> int:
    """Write a person's word; 2 where there is no such series to cut, 3 where it says nothing new."""
    async with reached(settings) as service:
        new = await _decide(service.pool, word)
    if not new:
        text = f"the boundary of {word.symbol} at {word.day} is {word.state} already"
        raise CommandRefused(text, ExitCode.FINDING)
    if word.as_json:
        write_json(Decided(symbol=word.symbol, day=word.day, state=word.state))
        return ExitCode.OK
    follows = (
        "figures are made of nothing before it, as soon as they are computed anew"
        if word.state is State.ACCEPTED
        else "the series goes on across it"
    )
    sys.stdout.write(f"{word.symbol} {word.day}: {word.state}; {follows}\n")
    return ExitCode.OK


async def _decide(pool: Pool, word: Word) -> bool:
    decision = Decision(by=word.by or operator(), at=utc_now(), reason=word.reason)
    async with pool.acquire() as connection, connection.transaction():
        bars = await boundaries.around(connection, word.symbol, word.day)
        named = Named(symbol=_whose(bars, word), day=word.day, evidence=_evidence(bars))
        return await boundaries.decide(connection, named, word.state, decision)


def _whose(bars: Around, word: Word) -> str:
    """The symbol that the bar of that day was traded as. Raises CommandRefused where there is no series to cut."""
    if bars.traded_as is not None and bars.last_before is not None:
        return bars.traded_as
    if bars.first_bar is None and bars.last_before is None:
        raise usage(f"{word.symbol} has no bar at all: give the symbol as `daily_history` has it")
    if bars.last_before is None:
        raise usage(f"{word.symbol} has no bar before {word.day}: there is nothing to keep apart")
    nearest = "none since" if bars.first_bar is None else f"its next one is of {bars.first_bar}"
    raise usage(f"{word.symbol} has no bar of {word.day}, {nearest}: give the first session of the new series")


def _evidence(bars: Around) -> str:
    if bars.open_on is None or bars.close_before is None:
        return "a person's word"
    return f"opened at {bars.open_on:.6g}, the close of {bars.last_before} was {bars.close_before:.6g}"


def _print(found: Sequence[Boundary]) -> None:
    table = Table("symbol", "session", "state", "what", box=None, pad_edge=False)
    for one in found:
        said = "" if one.state is State.PROPOSED else f" [by {one.decided_by}: {one.decided_reason}]"
        table.add_row(one.company, str(one.boundary_day), one.state.value, one.evidence + said)
    Console(width=None if sys.stdout.isatty() else 200).print(table, highlight=False, markup=False)
