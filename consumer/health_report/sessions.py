"""Says of each day of a month what its session's data are worth, and which became whole too late.  Pure.

The verdicts are those that every other surface tells; here they are only counted.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.health_report.report import DayHealth, Lateness, LateSession, Standing, WhyLate
from consumer.verdict import words
from consumer.verdict.gaps import is_gap
from consumer.verdict.ruler import SESSION_SETS
from consumer.verdict.states import LACKING, Condition, SessionState
from contract import data_sets as sets
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from consumer.health_report.facts import Facts
    from consumer.verdict.ruler import Ruler
    from consumer.verdict.states import SessionVerdict

_FRIDAY = 4
#: A verdict is published within so long after what changes it.
_PUBLISHED_WITHIN = dt.timedelta(hours=1)


def data_since(facts: Facts) -> dt.date:
    """The first session that is kept: the window's, or the oldest that is stored."""
    ruler = facts.judged.ruler
    window = ruler.schedule.calendar.last_trading_days(ruler.expectations.ohlc_sessions, up_to=ruler.front)[0]
    oldest = facts.judged.holdings.first_day(sets.DAILY_BARS)
    return window if oldest is None else min(window, oldest)


def days_of(facts: Facts) -> tuple[DayHealth, ...]:
    """Every weekday of the month, ascending."""
    first, last = facts.month.first, facts.month.last
    every = (first + dt.timedelta(days=number) for number in range((last - first).days + 1))
    return tuple(_day(day, facts) for day in every if day.weekday() <= _FRIDAY)


def _day(day: dt.date, facts: Facts) -> DayHealth:
    verdict = facts.judged.verdicts.get(day)
    calendar = facts.judged.ruler.schedule.calendar
    if verdict is None:
        return DayHealth(day=day, closed=calendar.closure_name(day))
    session = calendar.session(day)
    closes = f"{session.closes_at.astimezone(NEW_YORK):%H:%M}" if session.early_close else None
    if not _is_kept(verdict, facts.judged.ruler):
        return DayHealth(day=day, early_close=closes, standing=Standing.BEFORE_THE_DATA)
    noted = facts.noted.get(day)
    since = noted.since if noted is not None and noted.state == verdict.state.value else None
    return DayHealth(
        day=day,
        early_close=closes,
        standing=_standing(verdict),
        state=verdict.state,
        condition=verdict.condition,
        sentence=words.sentence(verdict, since),
        gaps=tuple(one.data_set for one in verdict.data_sets if is_gap(one, verdict, facts.judged.ruler)),
    )


def _is_kept(verdict: SessionVerdict, ruler: Ruler) -> bool:
    """Whether anybody is to have it: nothing lacks of a session before the first one."""
    return verdict.state is not SessionState.MISSING or ruler.kept(sets.DAILY_BARS, verdict.trading_day)


def _standing(verdict: SessionVerdict) -> Standing:
    if verdict.state in LACKING and verdict.condition is Condition.PENDING:
        return Standing.NOT_YET_DUE
    return Standing(verdict.state.value)


def late_of(facts: Facts) -> Lateness:
    """The whole sessions of the month that were not so by their deadline, ascending.

    One from before the first start's window is nobody's delay: it was asked for when somebody wanted it.
    """
    ruler = facts.judged.ruler
    calendar = ruler.schedule.calendar
    began_on = calendar.last_completed(ruler.began_at)
    owed_since = calendar.last_trading_days(ruler.expectations.ohlc_sessions, up_to=began_on)[0]
    late, unknown = [], 0
    for day, verdict in sorted(facts.judged.verdicts.items()):
        if day < owed_since or verdict.state not in (SessionState.FINAL, SessionState.PROVISIONAL):
            continue
        noted = facts.noted.get(day)
        if noted is None or noted.state != verdict.state.value:
            unknown += 1
        elif (found := _late(verdict, noted.since, facts)) is not None:
            late.append(found)
    return Lateness(sessions=tuple(late), unknown=unknown)


def _late(verdict: SessionVerdict, since: dt.datetime, facts: Facts) -> LateSession | None:
    day = verdict.trading_day
    deadline = facts.judged.ruler.deadline(_due_at(verdict), day)
    if since <= deadline:
        return None
    return LateSession(
        day=day,
        state=verdict.state,
        deadline=deadline,
        since=since,
        late_by_seconds=(since - deadline).total_seconds(),
        why=_why_late(verdict, since, facts),
    )


def _due_at(verdict: SessionVerdict) -> dt.datetime:
    """When the session was to be in the state that it is in: bars and slots by the plan, final once it can be."""
    own = [one.due_at for one in verdict.data_sets if one.data_set in SESSION_SETS and not one.later]
    final = [verdict.final_at] if verdict.state is SessionState.FINAL else []
    return max([verdict.due_at, *own, *final])


def _why_late(verdict: SessionVerdict, since: dt.datetime, facts: Facts) -> WhyLate | None:
    settled_at = facts.settled_last.get(verdict.trading_day)
    if settled_at is not None and settled_at <= since < settled_at + _PUBLISHED_WITHIN:
        return WhyLate.FINDING_SETTLED
    bars = verdict.of(sets.DAILY_BARS)
    origin = None if bars is None or bars.cycle is None else facts.origins.get(bars.cycle)
    return WhyLate.BACKFILL if origin is not None and origin.kind == "backfill" else None
