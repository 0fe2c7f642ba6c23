"""Puts verdicts into words: one sentence for a person, one line for each thing that lacks.

Times are New York's, which is what a due time means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.catalogue.registry import DATA_SETS
from consumer.verdict.deadlines import missed_deadlines
from consumer.verdict.states import Condition, DataSetVerdict, SessionState
from contract import data_sets as sets
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from consumer.postgres.missed_deadlines import MissedDeadline
    from consumer.verdict.service import Serving
    from consumer.verdict.states import SessionVerdict

_COUNTED_AS = {one.name: one.counted_as for one in DATA_SETS} | {sets.CACHES_ALL: "caches"}


def new_york(instant: dt.datetime, beside: dt.date) -> str:
    """Return e.g. "20:15 ET", with the day where it is not that of *beside*."""
    local = instant.astimezone(NEW_YORK)
    return f"{local:%H:%M} ET" if local.date() == beside else f"{local:%a %d %b %H:%M} ET"


def sentence(verdict: SessionVerdict, since: dt.datetime | None = None, *, reasons: bool = True) -> str:
    """Return the verdict in one sentence; *since* when it has been so, if that is known.

    Without *reasons* only what lacks is named, for whoever shows `missing_lines` beside it.
    """
    day = verdict.trading_day
    told = "" if since is None else f" since {new_york(since, day)}"
    return f"{day:%a %d %b} {_predicate(verdict, told, reasons=reasons)}"


def serving_words(serving: Serving) -> str:
    """Return how the newest due time stands, and until when it has time."""
    due, deadline = (new_york(at, serving.trading_day) for at in (serving.due_at, serving.deadline))
    missed = ", missed" if serving.deadline_missed else ""
    return f"due {serving.rule} at {due}: {serving.service.value} (deadline {deadline}{missed})"


def _predicate(verdict: SessionVerdict, since: str, *, reasons: bool) -> str:
    match verdict.state:
        case SessionState.FINAL:
            return f"is whole and final{since}{_retired(verdict)}"
        case SessionState.PROVISIONAL:
            day = verdict.trading_day
            later = [f"{one.data_set} follow by {new_york(one.due_at, day)}" for one in _later(verdict)]
            return f"is whole and provisional{since}" + "".join(f"; {line} on this plan" for line in later)
        case SessionState.SUSPECT:
            return f"is whole and suspect{since}: {_suspicions(verdict)}"
        case SessionState.RETIRED:
            return "was whole and has been deleted by retention"
        case SessionState.MISSING:
            bars = verdict.of(sets.DAILY_BARS)
            due = new_york(verdict.due_at if bars is None else bars.due_at, verdict.trading_day)
            return f"has no data{' yet' if verdict.condition is Condition.PENDING else ''}; due {due}"
        case SessionState.PARTIAL:
            lacking = [_lack(one, reasons=reasons) for one in verdict.data_sets if one.lacks]
            lacks = f"lacks{since} " + "; ".join(lacking)
            return lacks + (f"; what it has is suspect: {_suspicions(verdict)}" if verdict.is_suspect else "")


def _retired(verdict: SessionVerdict) -> str:
    names = [one.data_set for one in verdict.data_sets if one.state is SessionState.RETIRED]
    return f", but {' and '.join(names)}, deleted by retention" if names else ""


def _suspicions(verdict: SessionVerdict) -> str:
    return "; ".join(one.why for one in verdict.data_sets if one.state is SessionState.SUSPECT and one.why)


def _lack(one: DataSetVerdict, *, reasons: bool) -> str:
    kind = _COUNTED_AS[one.data_set]
    if one.state is SessionState.MISSING or not one.expected:
        words = one.data_set
    elif one.missing:
        words = f"{one.data_set} of {one.missing:,} of {one.expected:,} {kind}"
    else:
        words = f"proof that {one.unproven:,} of {one.expected:,} symbols without {one.data_set} did not trade"
    return words + (f" ({one.why})" if one.why and reasons else "")


def missing_lines(verdict: SessionVerdict) -> list[str]:
    """Return a line for each data set that lacks, none for what is not due, or brought later by this plan."""
    return [f"{one.data_set} {verdict.trading_day}: {_amount(one)}" for one in verdict.data_sets if one.lacks]


def _amount(one: DataSetVerdict) -> str:
    kind = _COUNTED_AS[one.data_set]
    if one.missing and one.expected:
        words = f"{one.missing} of {one.expected} {kind}"
    elif one.unproven:
        words = f"{one.unproven} of {one.expected} symbols have no slot and no proof that nobody traded"
    else:
        words = "nothing"
    return words + (f": {one.why}" if one.why else "")


def later_lines(verdict: SessionVerdict) -> list[str]:
    """Return a line for each data set that this plan brings later."""
    day = verdict.trading_day
    return [f"{one.data_set} {day}: by {new_york(one.due_at, day)}" for one in _later(verdict)]


def missed_lines(verdict: SessionVerdict) -> list[str]:
    """Return a line for each deadline of the session that was missed, with what was not there."""
    return missed_in_words(missed_deadlines([verdict]))


def missed_in_words(missed: Iterable[MissedDeadline]) -> list[str]:
    """Return a line for each session and deadline, in the order of *missed*, with what was not there."""
    lines: dict[tuple[dt.date, dt.datetime], list[str]] = {}
    for one in missed:
        lines.setdefault((one.trading_day, one.deadline), []).append(one.data_set)
    return [f"{', '.join(names)} of {day:%a %d %b} by {new_york(at, day)}" for (day, at), names in lines.items()]


def _later(verdict: SessionVerdict) -> list[DataSetVerdict]:
    """What this plan brings later; that caches are made of it goes without saying."""
    later = [one for one in verdict.data_sets if one.later and not one.beside]
    return [one for one in later if one.data_set != sets.CACHES_ALL] or later
