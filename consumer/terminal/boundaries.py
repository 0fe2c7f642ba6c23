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

from consumer.cycle import boundary_word
from consumer.postgres import boundaries
from consumer.postgres.boundaries import Boundary, State
from consumer.postgres.decisions import Decision
from consumer.runtime import utc_now
from consumer.terminal.answers import Decided, write_json
from consumer.terminal.cancel import operator
from consumer.terminal.reach import looking, reached
from consumer.terminal.refused import CommandRefused, usage
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    decision = Decision(by=word.by or operator(), at=utc_now(), reason=word.reason)
    try:
        async with reached(settings) as service:
            new = await boundary_word.decide(service.pool, word.symbol, word.day, word.state, decision)
    except boundary_word.NoSuchSeries as error:
        raise usage(error) from error
    if not new:
        text = f"the boundary of {word.symbol} at {word.day} is {word.state} already"
        raise CommandRefused(text, ExitCode.FINDING)
    if word.as_json:
        write_json(Decided(symbol=word.symbol, day=word.day, state=word.state))
        return ExitCode.OK
    sys.stdout.write(f"{word.symbol} {word.day}: {word.state}; {boundary_word.follows(word.state)}\n")
    return ExitCode.OK


def _print(found: Sequence[Boundary]) -> None:
    table = Table("symbol", "session", "state", "what", box=None, pad_edge=False)
    for one in found:
        said = "" if one.state is State.PROPOSED else f" [by {one.decided_by}: {one.decided_reason}]"
        table.add_row(one.company, str(one.boundary_day), one.state.value, one.evidence + said)
    Console(width=None if sys.stdout.isatty() else 200).print(table, highlight=False, markup=False)
