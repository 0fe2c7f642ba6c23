"""Shows what a person's word would do, and does it, by the functions that the commands call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from consumer.cycle import acceptance, boundary_word, resend
from consumer.cycle.stores import Stores
from consumer.page.signed import MOST_LETTERS, AskedLetters
from consumer.postgres import boundaries, dead_letters
from consumer.postgres import findings as findings_table
from consumer.postgres.boundaries import State
from consumer.postgres.dead_letters import Selection
from consumer.postgres.decisions import Decision
from consumer.postgres.findings import Settled
from contract.messages import TaskMessage
from producers.trigger import request

if TYPE_CHECKING:
    import datetime as dt

    from consumer.delivery.task_stream import TaskStream
    from consumer.page.signed import AskedBoundary, AskedFinding, AskedTask, Signed
    from consumer.postgres.dead_letters import KeptLetter
    from consumer.web.monitor import Monitor

SHOWN = 8
_DONE = {"replay": "asked for again", "drop": "dropped"}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done, in *words* and *lines*; *body* is posted for just that. *refused*: why it cannot be."""

    words: str
    lines: list[str] = []
    body: dict[str, object] = {}
    refused: str | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, in words; *entry_id* of the stream where a worker was asked."""

    words: str
    entry_id: str | None = None


class NothingLeft(Exception):
    """It says nothing new, or somebody has seen to it meanwhile; the text says which."""


class Refused(Exception):
    """It cannot be done; the text names the cure."""


class Deeds:
    """The words of a person on one service."""

    def __init__(self, monitor: Monitor, stream: TaskStream) -> None:
        self._monitor = monitor
        self._stores = Stores(pool=monitor.pool, redis=monitor.redis, stream=stream)

    async def preview_letters(self, act: Literal["replay", "drop"], stream: str, cause: str) -> Preview:
        """The open letters of one cause, and what would be sent of them."""
        found = await dead_letters.find(self._stores.pool, Selection(fingerprint=cause))
        letters = [one for one in found if one.stream == stream][:MOST_LETTERS]
        refused = None
        try:
            lines = [_line(one, act) for one in letters]
        except resend.CannotReplay as error:
            refused, lines = str(error), [_about(one) for one in letters]
        if not letters:
            refused = "none of them is open any more"
        much = f"{len(letters):,} {'letter' if len(letters) == 1 else 'letters'}"
        words = {
            "replay": f"{much} would be asked for again: each task is planned anew and does only what is missing.",
            "drop": f"{much} would be settled without being done; the ledger keeps them with who and why.",
        }
        more = [f"and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
        body: dict[str, object] = {"act": act, "ids": [one.dead_letter_id for one in letters]}
        return Preview(words=words[act], lines=[*lines[:SHOWN], *more], body=body, refused=refused)

    async def letters(self, asked: AskedLetters) -> Done:
        """Send the named letters again, or drop them. Raises NothingLeft, Refused."""
        selection, decision = Selection(ids=asked.ids), self._decision(asked)
        try:
            if asked.act == "replay":
                settled = len(await resend.resend(self._stores, selection, {}, decision))
            else:
                settled = len(await resend.drop(self._stores.pool, self._stores.redis, selection, decision))
        except resend.CannotReplay as error:
            raise Refused(str(error)) from error
        if not settled:
            raise NothingLeft("none of these letters is open any more: somebody has seen to them")
        others = f"; {len(asked.ids) - settled:,} were seen to by somebody else" if settled < len(asked.ids) else ""
        return Done(words=f"{settled:,} {_DONE[asked.act]}{others}")

    async def preview_boundary(self, state: State, symbol: str, day: dt.date) -> Preview:
        """What the prices around it show, and what would follow."""
        bars = await boundaries.around(self._stores.pool, symbol, day)
        before = [] if bars.last_before is None else [f"the last session before it with a bar is {bars.last_before}"]
        return Preview(
            words=f"{symbol}, {day}: {boundary_word.follows(state)}.", lines=[boundary_word.evidence_of(bars), *before]
        )

    async def boundary(self, asked: AskedBoundary) -> Done:
        """Write whether a new series begins. Raises NothingLeft, Refused."""
        state, decision = State(asked.state), self._decision(asked)
        try:
            new = await boundary_word.decide(self._stores.pool, asked.symbol, asked.day, state, decision)
        except boundary_word.NoSuchSeries as error:
            raise Refused(str(error)) from error
        if not new:
            raise NothingLeft(f"the boundary of {asked.symbol} at {asked.day} is {state} already")
        return Done(words=f"{state}: {boundary_word.follows(state)}")

    async def finding(self, asked: AskedFinding) -> Done:
        """Accept what stands, or take what was kept aside. Raises NothingLeft, Refused."""
        settled = Settled(state=findings_table.State.ACCEPTED, by=asked.by, reason=asked.reason)
        try:
            accepted = await acceptance.accept(
                self._stores.pool, asked.finding_id, settled, take_new=asked.take_new, now=self._monitor.now()
            )
        except acceptance.NothingAside as error:
            raise Refused("nothing was kept aside: the finding is about what stands") from error
        if accepted is None:
            raise NothingLeft(f"finding {asked.finding_id} is not open any more")
        return Done(words="the other answer was taken" if asked.take_new else "what stands was accepted")

    async def task(self, asked: AskedTask) -> Done:
        """Ask a worker for a task. Raises Refused, CalendarError."""
        closes_at = self._monitor.calendar.session(asked.day).closes_at
        if closes_at > self._monitor.now():
            raise Refused(f"{asked.day} has not closed yet: ask after {closes_at:%H:%M} UTC")
        message = TaskMessage(
            task=asked.task, trading_day=asked.day, force=asked.force, requested_by=asked.requested_by
        )
        entry_id = await request(self._stores.redis, message)
        return Done(words=f"asked for ({entry_id})", entry_id=entry_id)

    def _decision(self, asked: Signed) -> Decision:
        return Decision(by=asked.by, reason=asked.reason, at=self._monitor.now())


def _about(letter: KeptLetter) -> str:
    work = " ".join(filter(None, (str(letter.trading_day or ""), letter.task, letter.part)))
    return f"letter {letter.dead_letter_id}: {work or letter.stream}"


def _line(letter: KeptLetter, act: str) -> str:
    """Raises CannotReplay."""
    if act == "drop":
        return f"{_about(letter)}: {letter.reason}"
    fields = resend.message_again(letter, {})
    return f"{_about(letter)}: would send {' '.join(f'{name} {value}' for name, value in fields.items())}"
