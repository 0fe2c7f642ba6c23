"""Says what of a session is a gap: what lacks, what stands as it was before its time, what nobody fetched again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.verdict.states import SessionState

if TYPE_CHECKING:
    from consumer.verdict.ruler import Ruler
    from consumer.verdict.states import DataSetVerdict, SessionVerdict


def is_gap(one: DataSetVerdict, verdict: SessionVerdict, ruler: Ruler) -> bool:
    """Whether somebody should see to this data set of that session: not while its time is still to come."""
    if one.later or one.beside or ruler.now < one.due_at:
        return False
    if one.lacks or one.state is SessionState.SUSPECT:
        return True
    if one.state is SessionState.PROVISIONAL:
        return ruler.now > ruler.deadline(verdict.final_at, verdict.trading_day)
    return one.outdated


def is_behind(verdict: SessionVerdict, ruler: Ruler) -> bool:
    """Whether any data set of the session is a gap."""
    return any(is_gap(one, verdict, ruler) for one in verdict.data_sets)
