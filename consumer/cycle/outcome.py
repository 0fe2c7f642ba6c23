"""Says what becomes of a cycle when a pass of it has ended: complete only by proof, else waiting, partial or failed.

Pure.  What its session's data are worth is another question (consumer/verdict).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.cycle_changes import Outcome
from consumer.postgres.states import PartState
from contract.reports import CycleState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.part_outcomes import EndedPart

NOT_YET_RETRY = dt.timedelta(minutes=15)
UNAVAILABLE_RETRIES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15))


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a new plan would do: *missing* a line each, *goes_on* where it is only what this plan brings bit by bit.

    *cut*: the pass asked for as much as one may, and there is more to ask for. *published_at*: before then the vendor
    does not give the day on this plan. *planned*: the names of its parts; *suspect*: it would recheck a session.
    """

    missing: tuple[str, ...]
    planned: frozenset[tuple[str, str]] = frozenset()
    suspect: bool = False
    goes_on: bool = False
    cut: bool = False
    published_at: dt.datetime | None = None


class PassEnd(msgspec.Struct, frozen=True, kw_only=True):
    """When which pass ended, until when there may be another, and why none can help (*fatal*)."""

    run_pass: int
    now: dt.datetime
    give_up_at: dt.datetime
    fatal: str | None = None

    def after(self, delay: dt.timedelta) -> dt.datetime:
        """When the next pass begins."""
        return min(self.now + delay, self.give_up_at)


def judge(left: Left, ended: Sequence[EndedPart], end: PassEnd) -> Outcome:
    """Return what becomes of the cycle."""
    missing, is_over = left.missing, end.now >= end.give_up_at
    if end.fatal is not None:
        return Outcome(state=CycleState.FAILED, missing=missing, reason=end.fatal)
    if not missing and (not left.goes_on or is_over):
        return Outcome(state=CycleState.COMPLETE)
    not_yet = any(part.state is PartState.NOT_YET for part in ended)
    again = any(_is_planned_again(part, left) for part in ended)
    retryable = any(part.state is PartState.FAILED and is_asked_again(part) for part in ended)
    if (left.cut or not missing) and not (not_yet or retryable or is_over):
        # One that was not cut has asked for all there was: what it did not bring is not there yet.
        next_pass_at = end.now if left.cut else end.after(NOT_YET_RETRY)
        return _waiting(missing, next_pass_at, "this plan brings the rest bit by bit")
    if missing and (not (not_yet or retryable or again) or is_over):
        return Outcome(state=CycleState.PARTIAL, missing=missing)
    if not_yet:
        # Where it is known when it will be there, nobody asks every quarter of an hour until then.
        delay = max(NOT_YET_RETRY, (left.published_at or end.now) - end.now)
        return _waiting(missing, end.after(delay), "not yet published by the vendor")
    next_pass_at = end.after(UNAVAILABLE_RETRIES[min(end.run_pass, len(UNAVAILABLE_RETRIES)) - 1])
    reason = _why_again(left) if again and not retryable else "the vendor did not answer"
    return _waiting(missing, next_pass_at, reason)


def _waiting(missing: tuple[str, ...], next_pass_at: dt.datetime, reason: str) -> Outcome:
    return Outcome(state=CycleState.WAITING, missing=missing, next_pass_at=next_pass_at, reason=reason)


def _why_again(left: Left) -> str:
    return "a session is suspect" if left.suspect else "a session has fewer bars than those around it"


def is_asked_again(part: EndedPart) -> bool:
    """Whether another pass may bring what *part* did not."""
    return part.failure_class is not None and part.failure_class.is_asked_again


def _is_planned_again(part: EndedPart, left: Left) -> bool:
    """Whether a session that was just loaded is still missing: it turned out short beside the others."""
    loaded = part.state is PartState.DONE and part.part.startswith("bars:")
    return loaded and (part.task, part.part) in left.planned
