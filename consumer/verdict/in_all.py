"""Sums up the verdicts on a session's data sets: its state, and the word for readers."""

from __future__ import annotations

from consumer.verdict import ruler as rulers
from consumer.verdict.states import Condition, DataSetVerdict, SessionState
from contract import data_sets as sets


def condition_of(state: SessionState, *, pending: bool) -> Condition:
    """Return the word that users of market data know; *pending*: its time is still to come."""
    match state:
        case SessionState.FINAL:
            return Condition.AVAILABLE
        case SessionState.PROVISIONAL:
            return Condition.PENDING
        case SessionState.SUSPECT:
            return Condition.DEGRADED
        case SessionState.RETIRED:
            return Condition.MISSING
        case SessionState.PARTIAL:
            return Condition.PENDING if pending else Condition.DEGRADED
        case SessionState.MISSING:
            return Condition.PENDING if pending else Condition.MISSING


def state_in_all(judged: list[DataSetVerdict]) -> SessionState:
    """Return the session's state: what lacks outranks what is suspect, that what is provisional, that what is final."""
    judged = [one for one in judged if not one.beside]
    own = [one for one in judged if one.data_set in rulers.SESSION_SETS]
    # Without its bars a session is none; slots that are retired beside bars are told by themselves.
    if any(one.state is SessionState.RETIRED and one.data_set == sets.DAILY_BARS for one in own):
        return SessionState.RETIRED
    if all(one.state is SessionState.MISSING for one in own):
        return SessionState.MISSING
    if any(one.lacks for one in judged):
        return SessionState.PARTIAL
    if any(one.state is SessionState.SUSPECT for one in judged):
        return SessionState.SUSPECT
    early = any(one.later or one.state is SessionState.PROVISIONAL for one in judged)
    return SessionState.PROVISIONAL if early else SessionState.FINAL


def condition_in_all(state: SessionState, judged: list[DataSetVerdict]) -> Condition:
    """Return the same for the session: pending while all that lacks is."""
    if state is SessionState.MISSING:
        lacking = [one for one in judged if one.data_set in rulers.SESSION_SETS]
    else:
        lacking = [one for one in judged if one.lacks]
    return condition_of(state, pending=all(one.condition is Condition.PENDING for one in lacking))
