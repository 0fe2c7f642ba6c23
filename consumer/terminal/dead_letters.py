"""`maintenance dead-letters list | replay | drop`: shows what was given up, sends it again, or settles it."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.cycle import resend as resending
from consumer.cycle.stores import Stores
from consumer.postgres import dead_letters, letter_causes
from consumer.postgres.dead_letters import KeptLetter, Selection
from consumer.postgres.decisions import Decision
from consumer.postgres.states import LetterState
from consumer.runtime import utc_now
from consumer.terminal.answers import Dropped, Resent, write_json
from consumer.terminal.cancel import operator
from consumer.terminal.reach import looking, reached
from consumer.terminal.refused import usage
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.postgres.letter_causes import Cause
    from consumer.settings import Settings

SHOWN_OF_A_CAUSE = 3


async def show(settings: Settings, *, settled: bool, as_json: bool) -> int:
    """List the open letters, or all of them with *settled*; 3 while any is open."""
    async with looking(settings) as service:
        letters = await dead_letters.find(service.pool, Selection(), settled=settled)
        causes = await letter_causes.read_causes(service.pool)
    if as_json:
        write_json(letters)
    elif letters:
        _print(letters, causes)
    else:
        sys.stderr.write("no dead letters\n")
    return ExitCode.FINDING if any(letter.state is LetterState.OPEN for letter in letters) else ExitCode.OK


class Settling(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are to be settled, by whom and why; *dry_run*: only show it."""

    selection: Selection
    reason: str | None
    by: str | None
    dry_run: bool
    as_json: bool = False

    @property
    def decision(self) -> Decision:
        return Decision(by=self.by or operator(), reason=self.reason, at=utc_now())


async def replay(settings: Settings, settling: Settling, *, changes: Sequence[str]) -> int:
    """Send the selected letters again; 3 when none of them is open."""
    try:
        wanted = _changes(changes)
    except ValueError as error:
        raise usage(error) from error
    try:
        resent = await _resend(settings, settling, wanted)
    except resending.CannotReplay as error:
        raise usage(error) from error
    sent = not settling.dry_run
    if settling.as_json:
        write_json([Resent(dead_letter_id=one.letter.dead_letter_id, sent=sent, fields=one.fields) for one in resent])
    for one in resent if not settling.as_json else ():
        fields = " ".join(f"{name} {value}" for name, value in one.fields.items())
        sys.stdout.write(f"{one.letter.dead_letter_id} {'would be sent' if settling.dry_run else 'sent'}: {fields}\n")
    return _say_how_many(len(resent))


async def _resend(settings: Settings, settling: Settling, changes: Mapping[str, str]) -> list[resending.Resent]:
    if settling.dry_run:
        async with looking(settings) as service:
            letters = await dead_letters.find(service.pool, settling.selection)
        return [resending.Resent(letter=one, fields=resending.message_again(one, changes)) for one in letters]
    async with reached(settings) as service:
        stores = Stores(pool=service.pool, redis=service.redis, stream=service.stream)
        return await resending.resend(stores, settling.selection, changes, settling.decision)


async def drop(settings: Settings, settling: Settling) -> int:
    """Settle the selected letters without sending them; they stay in the ledger with who and why."""
    if settling.dry_run:
        async with looking(settings) as service:
            letters = await dead_letters.find(service.pool, settling.selection)
    else:
        async with reached(settings) as service:
            letters = await resending.drop(service.pool, service.redis, settling.selection, settling.decision)
    done, dropped = "would be dropped" if settling.dry_run else "dropped", not settling.dry_run
    if settling.as_json:
        rows = [Dropped(dead_letter_id=one.dead_letter_id, dropped=dropped, reason=one.reason) for one in letters]
        write_json(rows)
    for letter in letters if not settling.as_json else ():
        sys.stdout.write(f"{letter.dead_letter_id} {done}: {letter.reason}\n")
    return _say_how_many(len(letters))


def _changes(texts: Sequence[str]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise ValueError(f"--set {name!r} is no name=value: write --set trading_day=2025-11-11")
    return {name: value for name, _, value in pairs}


def _say_how_many(count: int) -> int:
    if not count:
        sys.stderr.write("none of these is open; `maintenance dead-letters list --all` shows the settled ones\n")
    return ExitCode.OK if count else ExitCode.FINDING


def _print(letters: Sequence[KeptLetter], causes: Sequence[Cause]) -> None:
    """A table in which a flood of one cause takes three lines and a count."""
    table = Table("id", "when (UTC)", "what", "deliveries", "cause", "reason", box=None, pad_edge=False)
    seen: Counter[str] = Counter()
    for letter in letters:
        seen[letter.fingerprint] += 1
        if seen[letter.fingerprint] <= SHOWN_OF_A_CAUSE:
            table.add_row(
                str(letter.dead_letter_id),
                f"{letter.dead_at:%Y-%m-%d %H:%M:%S}",
                _what(letter),
                str(letter.deliveries),
                letter.fingerprint,
                letter.reason + _settled(letter),
            )
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table, highlight=False, markup=False)
    for cause, count in seen.items():
        if count > SHOWN_OF_A_CAUSE:
            console.print(f"and {count - SHOWN_OF_A_CAUSE} more of cause {cause}", highlight=False)
    for one in causes:
        console.print(
            f"and {one.not_kept:,} more of cause {one.fingerprint} on {one.stream}, only counted: {one.seen:,} in all, "
            f"{one.first_at:%Y-%m-%d %H:%M} to {one.last_at:%Y-%m-%d %H:%M} UTC",
            highlight=False,
        )


def _what(letter: KeptLetter) -> str:
    if letter.task is None:
        return letter.stream
    return " ".join(filter(None, (str(letter.trading_day or ""), letter.task, letter.part)))


def _settled(letter: KeptLetter) -> str:
    if letter.settled_at is None:
        return ""
    why = f": {letter.settled_reason}" if letter.settled_reason else ""
    return f" [{letter.state} {letter.settled_at:%Y-%m-%d %H:%M} by {letter.settled_by}{why}]"
