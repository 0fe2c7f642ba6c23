"""Judges what comes beside a session's rows: known, left unsaid by the source, or not observed.  Pure.

It decides nothing about the session. What is not known is said with its reason, and never as a zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.data_sets.volume_slots import UNPROVEN_TOLERATED
from consumer.verdict.data_set import freshness, nothing_of, verdict_on
from consumer.verdict.states import Condition, SessionState
from contract import data_sets as sets

if TYPE_CHECKING:
    from consumer.postgres.holdings import Held
    from consumer.verdict.data_set import Case
    from consumer.verdict.states import DataSetVerdict


def beside(held: Held | None, name: str, case: Case) -> DataSetVerdict:
    """The verdict on it. A few rows without are the source's oddities, as of slots without a proof."""
    if held is None or (held.oldest is None and not held.retired):
        told = verdict_on(case, name, SessionState.MISSING, nothing_of(0))
        return msgspec.structs.replace(told, beside=True, why=f"it comes with {sets.VOLUME_SLOTS}")
    if held.retired or held.missing + held.unproven <= UNPROVEN_TOLERATED * held.expected:
        told = verdict_on(case, name, freshness(held, case), held)
        return msgspec.structs.replace(told, beside=True)
    state = SessionState.PARTIAL if held.loaded else SessionState.MISSING
    told = msgspec.structs.replace(verdict_on(case, name, state, held), beside=True, why=_why(held))
    # What a source left unsaid it may say the next time; what nobody asked for comes by itself only if it is restated.
    return told if held.missing > held.unproven else msgspec.structs.replace(told, condition=Condition.PENDING)


def _why(held: Held) -> str:
    """Why it is not known, the larger share first."""
    unasked = f"not observed of {held.missing:,} symbols: fetched before trades were kept, and not again since"
    unsaid = f"the source does not say it of {held.unproven:,} symbols"
    said = [(held.missing, unasked), (held.unproven, unsaid)]
    return "; ".join(words for count, words in sorted(said, reverse=True) if count)
