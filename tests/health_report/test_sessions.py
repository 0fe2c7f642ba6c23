"""What a report says of each session, and which it calls late."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.health_report.build import build_report
from consumer.health_report.month import BadMonth, Month
from consumer.health_report.report import Standing, WhyLate
from consumer.health_report.sections import headline, notes, sections, standing_line
from consumer.health_report.sessions import late_of
from consumer.verdict import words
from contract import data_sets as sets
from tests.health_report.months import (
    NOVEMBER,
    SATURDAY,
    backfill,
    facts_of,
    noted_final,
    november,
    up_to,
    utc,
    whole_november,
)
from tests.verdict.worlds import World, at


def test_a_whole_month_is_nineteen_final_sessions_with_its_holiday_and_its_early_close() -> None:
    report = build_report(facts_of(whole_november(), now=SATURDAY))
    days = {one.day: one for one in report.days}
    assert report.is_whole
    assert report.counts[Standing.FINAL] == 19
    assert sum(report.counts.values()) == 19
    assert len(days) == 20
    assert (days[november(27)].closed, days[november(27)].standing) == ("Thanksgiving Day", None)
    assert [day for day, one in days.items() if one.early_close] == [november(28)]
    assert days[november(28)].early_close == "13:00"
    assert report.late.sessions == ()
    assert headline(report) == "November 2025 is whole so far: nothing is to be seen to of its 19 sessions"


def test_each_session_is_counted_as_its_verdict_has_it_and_told_in_its_sentence() -> None:
    world = whole_november()
    world.slots("2025-11-12T20:17-05:00", day=november(11), missing=312)
    world.bars("2025-11-13T16:30-05:00", day=november(13))
    world.change(findings={(november(18), sets.DAILY_BARS): ("98 % of closes are those of the day before",)})
    world.change(sessions={
        **world.holdings.sessions,
        sets.DAILY_BARS: {day: one for day, one in world.holdings.of(sets.DAILY_BARS).items() if day != november(20)},
        sets.VOLUME_SLOTS: {d: one for d, one in world.holdings.of(sets.VOLUME_SLOTS).items() if d != november(20)},
    })  # fmt: skip
    facts = facts_of(world, now=SATURDAY)
    report = build_report(facts)
    standing = {one.day.day: one.standing for one in report.days}
    assert standing[11] is Standing.PARTIAL
    assert standing[13] is Standing.PROVISIONAL
    assert standing[18] is Standing.SUSPECT
    assert standing[20] is Standing.MISSING
    assert report.counts[Standing.FINAL] == 15
    assert not report.is_whole
    assert headline(report) == "November 2025 lacks something of 4 of 19 sessions"
    assert standing_line(report) == "15 final · 1 provisional · 1 partial · 1 missing · 1 suspect"
    assert sections(report)[0].lines == (
        "to repair it: maintenance backfill --from 2025-11-11 --to 2025-11-20",
        "to settle what is suspect: maintenance findings list",
    )
    for one in report.days:
        if one.standing is not None:
            verdict = facts.judged.verdicts[one.day]
            assert (one.state, one.condition) == (verdict.state, verdict.condition)
            assert one.sentence == words.sentence(verdict, facts.noted[one.day].since)


def test_what_is_not_due_yet_is_not_missing() -> None:
    """On the morning of the 12th: eleven sessions are still to come, and so is what they bring."""
    report = build_report(facts_of(up_to(whole_november(), november(12)), now=at(november(12), "11:00")))
    assert report.counts[Standing.NOT_YET_DUE] == 12
    assert report.counts[Standing.MISSING] == 0
    assert report.is_whole
    assert not report.is_over


def test_sessions_before_the_data_begin_are_told_and_not_counted_as_missing() -> None:
    """The window of thirty sessions up to 2025-12-01 begins in October; up to 2025-12-22 it begins on 2025-11-07."""
    world = World(dt.date(2025, 12, 22))
    report = build_report(facts_of(world, now=at(dt.date(2025, 12, 22), "12:00")))
    assert report.data_since == november(7)
    assert report.counts[Standing.BEFORE_THE_DATA] == 4
    assert report.counts[Standing.FINAL] == 15
    assert report.is_whole
    assert notes(report)[0] == "the data begin on 2025-11-07: 4 sessions before it are not counted"
    assert "of its 15 sessions" in headline(report)


def test_a_month_from_before_the_data_is_no_empty_report() -> None:
    with pytest.raises(
        BadMonth, match="2024-05 is before the data begin: the first session that is kept is 2025-10-01"
    ):
        build_report(facts_of(whole_november(), now=SATURDAY, month=Month(year=2024, number=5)))


def test_a_session_that_is_final_since_after_its_deadline_is_late_by_the_time_between() -> None:
    """The deadline is an hour after 20:15: 21:15 in New York, 02:15 UTC."""
    facts = facts_of(whole_november(), now=SATURDAY)
    noted = noted_final(facts, d11=utc(12, "02:15"), d12=utc(13, "02:16"), d13=utc(15, "02:15"))
    late = late_of(facts_of(whole_november(), now=SATURDAY, noted=noted)).sessions
    assert [(one.day.day, one.late_by_seconds) for one in late] == [(12, 60.0), (13, 86_400.0)]
    assert late[0].deadline == utc(13, "02:15")
    assert {one.why for one in late} == {None}


def test_an_early_close_has_an_early_deadline() -> None:
    """Extended trading ends at 17:00 on the 28th, so it is final at 17:15, and late from 18:15 on."""
    facts = facts_of(whole_november(), now=SATURDAY)
    late = late_of(facts_of(whole_november(), now=SATURDAY, noted=noted_final(facts, d28=utc(28, "23:25"))))
    assert [(one.day.day, one.late_by_seconds) for one in late.sessions] == [(28, 600.0)]


def test_why_a_session_is_late_is_said_where_it_is_known() -> None:
    world = whole_november()
    world.bars("2025-11-20T10:05-05:00", day=november(11), cycle=7)
    facts = facts_of(world, now=SATURDAY)
    noted = noted_final(facts, d11=utc(20, "15:10"), d12=utc(20, "16:00"))
    late = late_of(
        facts_of(
            world, now=SATURDAY, noted=noted, origins={7: backfill(7, november(10), november(11))},
            settled_last={november(12): utc(20, "15:59")},
        )
    )  # fmt: skip
    assert [one.why for one in late.sessions] == [WhyLate.BACKFILL, WhyLate.FINDING_SETTLED]


def test_of_a_session_that_nobody_noted_it_is_said_that_it_is_not_known_and_not_that_it_was_in_time() -> None:
    facts = facts_of(whole_november(), now=SATURDAY)
    others = {day: one for day, one in facts.noted.items() if day != november(11)}
    assert late_of(facts_of(whole_november(), now=SATURDAY, noted=others)).unknown == 1


def test_an_old_session_that_somebody_wanted_later_is_nobodys_delay() -> None:
    """The service began on 2025-11-20, with a window of five sessions: the 12th was never owed."""
    world = whole_november()
    world.expectations = World(november(28), ohlc_sessions=5).expectations
    world.change(began_at=at(november(20), "20:20"))
    facts = facts_of(world, now=SATURDAY)
    noted = noted_final(facts, d12=utc(25, "15:00"), d18=utc(25, "15:00"))
    late = late_of(facts_of(world, now=SATURDAY, noted=noted))
    assert [one.day.day for one in late.sessions] == [18]
    assert NOVEMBER.first < late.sessions[0].day
