"""Says what is missing of a data set, by what it covers; a declaration with a rule of its own outranks it.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Covers
from consumer.postgres.ledger import PartPlan

if TYPE_CHECKING:
    import datetime as dt

    from consumer.data_sets.declaration import DataSet
    from consumer.data_sets.situation import Situation


def parts_of(one: DataSet, situation: Situation) -> list[PartPlan]:
    """Return the parts that would bring what is missing of *one*; none when everything is there."""
    if one.missing is not None:
        return one.missing(situation)
    match one.covers:
        case Covers.PRESENT:
            return [whole(one)] if situation.is_outdated(one.name) else []
        case Covers.NEWEST_SESSION:
            return [whole(one)] if must_compute(one, situation) else []
        case Covers.SESSION:
            return [of_session(one, day) for day in reversed(lacking_sessions(one, situation))]
        case Covers.SYMBOL_AND_SESSION | Covers.BESIDE | Covers.SYMBOL | Covers.NOTE:
            return []  # nothing general can be said of how they are asked for, or nobody asks for it by itself


def whole(one: DataSet) -> PartPlan:
    """The one part that brings all of it."""
    return PartPlan(task=one.task, part=one.kinds[0].name)


def of_session(one: DataSet, day: dt.date) -> PartPlan:
    """The part that brings one session of it."""
    return PartPlan(task=one.task, part=f"{one.kinds[0].name}:{day}", payload={"session": day.isoformat()})


def must_compute(one: DataSet, situation: Situation) -> bool:
    """Whether what is computed of the newest session has to be: also together with any of its inputs.

    Not by a backfill: its days are old ones, and the newest day's own cycle sees that its figures are stale.
    """
    if situation.terms.is_backfill:
        return False
    if situation.is_planned(*one.made_from, *one.planned_with) or situation.is_stale(one.name, one.made_from):
        return True
    known = situation.on_day(one.name)
    return known is not None and known.lost_rows


def lacking_sessions(one: DataSet, situation: Situation) -> list[dt.date]:
    """The sessions of the window that *one* has not, has lost rows of, or has from before an input changed."""
    terms = situation.terms
    sessions = terms.sessions(getattr(terms.options, one.window) if one.window else 1)
    return [day for day in sessions if _lacks(one, situation, day)]


def _lacks(one: DataSet, situation: Situation, day: dt.date) -> bool:
    held = situation.holdings.of(one.name).get(day)
    if held is None or held.oldest is None:
        return True
    if held.retired:
        return False
    if one.is_asked_for:
        return bool(held.missing) or not situation.settled(one.name, day)
    inputs = [situation.holdings.of(name).get(day) for name in one.made_from]
    changed = [other.oldest for other in inputs if other is not None and other.oldest is not None]
    if day == situation.terms.day:
        if situation.is_planned(*one.made_from, *one.planned_with):
            return True
        changed += [at for name in one.made_from if (at := situation.holdings.changed_at.get(name)) is not None]
    return bool(held.missing) or any(at > held.oldest for at in changed)
