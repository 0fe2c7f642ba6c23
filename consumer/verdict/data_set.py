"""Completes the verdict on one data set of a session: its findings, what the plan brings later, the word for readers.

What stands of it, and whether that is enough, is `judge`'s to say.  Pure.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from consumer.catalogue.registry import PARTS_OF_CACHES, parts_that_bring
from consumer.postgres.holdings import Held, Holdings
from consumer.verdict import ruler as rulers
from consumer.verdict.in_all import condition_of
from consumer.verdict.ruler import Ruler
from consumer.verdict.states import LACKING, DataSetVerdict, SessionState
from contract import data_sets as sets


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Which session is judged, by what stands, and by what it is measured."""

    day: dt.date
    holdings: Holdings
    ruler: Ruler


def verdict_on(
    case: Case, name: str, state: SessionState, held: Held, *, waits_for: str | None = None
) -> DataSetVerdict:
    """Complete it; what lacks of the data set may be made of another, that it *waits for*."""
    findings = case.holdings.findings.get((case.day, name), ())
    if findings and state in (SessionState.PROVISIONAL, SessionState.FINAL):
        state = SessionState.SUSPECT
    due_at = case.ruler.due_at(name if waits_for is None or state not in LACKING else waits_for, case.day)
    later = state in LACKING and case.ruler.is_later(waits_for or name, case.day)
    return DataSetVerdict(
        data_set=name,
        state=state,
        condition=condition_of(state, pending=later or case.ruler.now < due_at),
        due_at=due_at,
        expected=held.expected,
        loaded=held.loaded,
        empty=held.empty,
        unproven=held.unproven,
        missing=held.missing,
        set_aside=held.set_aside,
        restated=held.restated,
        since=held.oldest,
        later=later,
        outdated=_is_outdated(name, held, case),
        why="; ".join(findings) or held.why or _reason(name, state, case),
        source=held.source,
        request_id=held.request_id,
        cycle=held.cycle,
        fence=held.fence,
    )


def _is_outdated(name: str, held: Held, case: Case) -> bool:
    """Whether it should have been fetched again since: at a due time of its own, or on an evening after."""
    if name not in rulers.SESSION_SETS or held.retired or held.oldest is None:
        return False
    ruler = case.ruler
    since = ruler.schedule.settled_since(case.day, ruler.now, restate=ruler.expectations.restate_sessions)
    return held.oldest < since


def _reason(name: str, state: SessionState, case: Case) -> str | None:
    """Why the parts that bring it have not, where the ledger says."""
    if state not in LACKING:
        return None
    parts = PARTS_OF_CACHES if name == sets.CACHES_ALL else parts_that_bring(name)
    told = (case.holdings.reasons.get((case.day, part)) for part in parts)
    return next((reason for reason in told if reason is not None), None)


def nothing_of(expected: int) -> Held:
    """What stands where nothing does."""
    return Held(expected=expected, loaded=0, missing=expected)


def freshness(held: Held, case: Case) -> SessionState:
    """What a whole data set is, by when it was fetched."""
    if held.retired:
        return SessionState.RETIRED
    assert held.oldest is not None, "what is not retired was fetched"
    return by_time(held.oldest, case)


def by_time(since: dt.datetime, case: Case) -> SessionState:
    """Final, unless it was fetched before the session was."""
    return SessionState.FINAL if since >= case.ruler.final_at(case.day) else SessionState.PROVISIONAL
