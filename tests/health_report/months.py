"""Builds what a ledger might hold of November 2025, in which Thanksgiving is the 27th and the 28th closes at 13:00."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from consumer.health_report.facts import Facts, Noted
from consumer.health_report.month import Month
from consumer.postgres.run_figures import Origin
from consumer.verdict.judge import judge, ruler_of
from consumer.verdict.reading import Judged
from tests.verdict.worlds import CALENDAR, World, at

if TYPE_CHECKING:
    from consumer.verdict.states import SessionVerdict

NOVEMBER = Month(year=2025, number=11)
DECEMBER_FIRST = dt.date(2025, 12, 1)


def november(day: int) -> dt.date:
    return dt.date(2025, 11, day)


def utc(day: int, time: str, *, month: int = 11) -> dt.datetime:
    return dt.datetime.combine(dt.date(2025, month, day), dt.time.fromisoformat(time), tzinfo=dt.UTC)


def whole_november() -> World:
    """Every session of it was loaded whole and final on its own evening, and so were those before it."""
    world = World(DECEMBER_FIRST)
    for day in CALENDAR.trading_days(dt.date(2025, 10, 1), november(28)):
        evening = (CALENDAR.session(day).extended_closes_at + dt.timedelta(minutes=17)).isoformat()
        world.bars(evening, day=day).slots(evening, day=day)
        # As a later night has it: fetched again when the session after it was final.
        again = CALENDAR.session_after(day).extended_closes_at + dt.timedelta(minutes=17)
        if day < november(28):
            world.bars(again.isoformat(), day=day).slots(again.isoformat(), day=day)
    return world


def up_to(world: World, day: dt.date) -> World:
    """The same, of which nothing from *day* on has come."""
    kept = {
        name: {each: one for each, one in own.items() if each < day} for name, own in world.holdings.sessions.items()
    }
    return world.change(sessions=kept)


def facts_of(world: World, *, now: dt.datetime, month: Month = NOVEMBER, **changes: Any) -> Facts:
    """What a report is made of, with every session noted as of when it was final, or as *changes* say."""
    ruler = ruler_of(world.holdings, world.expectations, now)
    days = CALENDAR.trading_days(month.first, month.last)
    verdicts = {day: judge(day, world.holdings, ruler) for day in days}
    judged = Judged(verdicts=verdicts, holdings=world.holdings, ruler=ruler)
    noted = {day: _noted(verdict) for day, verdict in verdicts.items()}
    return Facts(**{"month": month, "judged": judged, "noted": noted, **changes})


def _noted(verdict: SessionVerdict) -> Noted:
    return Noted(state=verdict.state.value, since=verdict.final_at + dt.timedelta(minutes=5))


def noted_final(facts: Facts, **since: dt.datetime) -> dict[dt.date, Noted]:
    """The notes of *facts*, but d11=…: the session of the 11th has been final since then."""
    others = {november(int(name[1:])): Noted(state="final", since=since[name]) for name in since}
    return {**facts.noted, **others}


def backfill(cycle_id: int, first: dt.date, last: dt.date, requested_by: str = "ann") -> Origin:
    return Origin(
        cycle_id=cycle_id, kind="backfill", first_day=first, trading_day=last, requested_by=requested_by,
        state="complete", opened_at=utc(20, "15:00"),
    )  # fmt: skip


SATURDAY = at(november(29), "12:00")
