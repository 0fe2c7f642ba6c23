"""Says what is being waited for, with the evidence for it: for the newest session, and for any other.  Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.checks.pending_work import HeldAs
from consumer.cycle.run_report import TRIED_AGAIN
from consumer.verdict import words
from contract.reports import CycleState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumer.checks.pending_work import Held
    from consumer.postgres.run_timeline import Blocked
    from consumer.verdict.ruler import Ruler
    from consumer.verdict.states import SessionVerdict
    from contract.reports import RunReport


class Wait(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """*what* is waited for, the *evidence* that it is so, and *until* when, where that is known."""

    what: str
    evidence: str
    until: dt.datetime | None = None


def of_run(run: RunReport | None, blocked: Sequence[Blocked] = ()) -> Iterator[Wait]:
    """What a cycle that has not ended waits for."""
    if run is None or run.state not in (CycleState.RUNNING, CycleState.WAITING):
        return
    if run.state is CycleState.WAITING:
        # Each line names what lacks, then why; the reasons stand beside the verdict.
        names = ", ".join(dict.fromkeys(line.partition(":")[0] for line in run.missing))
        lacks = f"; it lacks {names}" if names else ""
        yield Wait(
            what="the next pass of the cycle",
            evidence=f"cycle {run.cycle}: {run.reason or 'what it asked for was not there yet'}{lacks}",
            until=run.next_try_at,
        )
    for line in run.warnings if run.state is CycleState.RUNNING else []:
        if TRIED_AGAIN in line:
            yield Wait(what="the vendor, or a server", evidence=f"cycle {run.cycle}: {line}")
    for one in blocked:
        yield Wait(
            what=f"{one.stage.replace('/', ', ')}",
            evidence=f"{one.parts:,} {'part' if one.parts == 1 else 'parts'} of {one.task} "
            f"{'begins' if one.parts == 1 else 'begin'} when its {one.left:,} "
            f"open {'part has' if one.left == 1 else 'parts have'} ended",
        )


def of_holders(held: Sequence[Held]) -> Iterator[Wait]:
    """The workers that hold something, each with how much and when it was last heard."""
    for name in dict.fromkeys(one.holder for one in held):
        own = [one for one in held if one.holder == name]
        worst = max(own, key=lambda one: one.idle_seconds)
        gone = " and nobody has taken it over" if worst.standing is HeldAs.ABANDONED else ""
        what = worst.work.part or worst.work.task or worst.work.note or "work"
        yield Wait(
            what=f"{name}, at work on {len(own)} {'entry' if len(own) == 1 else 'entries'}",
            evidence=f"{what}: last beat {worst.idle_seconds:,.0f} s ago of a lease of {worst.lease_seconds:,.0f} s"
            f"{gone}, delivery {worst.deliveries} of {worst.max_deliveries}",
        )


def of_time(verdict: SessionVerdict, ruler: Ruler) -> Iterator[Wait]:
    """What is not due yet, or comes later on this plan."""
    day = verdict.trading_day
    closes = ruler.schedule.calendar.session(day).closes_at
    if ruler.now < closes:
        yield Wait(what="the close", evidence=f"the session of {day} is in progress", until=closes)
    for one in verdict.data_sets:
        if one.later and not one.beside:
            at = words.new_york(one.due_at, day)
            yield Wait(what=f"{one.data_set}, by {at}", evidence="this plan brings it later", until=one.due_at)
    dues = {one.due_at for one in verdict.data_sets if one.lacks and ruler.now < one.due_at}
    for due in sorted(dues):
        names = ", ".join(one.data_set for one in verdict.data_sets if one.lacks and one.due_at == due)
        yield Wait(what=f"its time: {words.new_york(due, day)}", evidence=f"{names} fall due then", until=due)
