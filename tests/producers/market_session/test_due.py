"""Proves what is due, from the calendar alone."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from market.session import SessionPhase
from market.trading_calendar import NEW_YORK, TradingCalendar
from producers.market_session.due import LONGEST_PAUSE, due_transitions, pause_until_next, session_changed

CALENDAR = TradingCalendar()
TEN_DAYS = dt.timedelta(days=10)

moments = st.integers(0, 20 * 365 * 24 * 60).map(
    lambda minutes: dt.datetime(2005, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
)


def in_new_york(*when: int) -> dt.datetime:
    return dt.datetime(*when, tzinfo=NEW_YORK).astimezone(dt.UTC)


def due_on(*day: int) -> list[tuple[str, str]]:
    start = in_new_york(*day)
    due = due_transitions(CALENDAR, published_at=start, now=start + dt.timedelta(days=1), catch_up=TEN_DAYS)
    return [(f"{t.at.astimezone(NEW_YORK):%H:%M}", t.to_phase) for t in due.transitions]


def test_a_full_day_has_four_transitions() -> None:
    assert due_on(2024, 11, 27) == [
        ("04:00", SessionPhase.PRE_MARKET),
        ("09:30", SessionPhase.MARKET_OPEN),
        ("16:00", SessionPhase.POST_MARKET),
        ("20:00", SessionPhase.CLOSED),
    ]


def test_an_early_close_moves_the_close_and_the_end_of_the_extended_session() -> None:
    assert [time for time, _ in due_on(2024, 11, 29)] == ["04:00", "09:30", "13:00", "17:00"]


def test_a_holiday_and_a_weekend_have_none() -> None:
    assert due_on(2024, 11, 28) == []
    assert due_on(2024, 11, 30) == []


def test_the_message_says_when_the_regular_session_ends() -> None:
    start = in_new_york(2024, 11, 29)
    first = next(CALENDAR.transitions(start, start + dt.timedelta(days=1)))
    message = session_changed(CALENDAR, first)
    assert message.regular_close == in_new_york(2024, 11, 29, 13)
    assert message.early_close
    assert message.timestamp == in_new_york(2024, 11, 29, 4)
    assert message.trading_date == dt.date(2024, 11, 29)


@given(moments)
def test_with_nothing_known_only_the_latest_transition_is_due(now: dt.datetime) -> None:
    due = due_transitions(CALENDAR, published_at=None, now=now, catch_up=TEN_DAYS)
    [latest] = due.transitions
    assert latest.at <= now
    assert latest.to_phase == CALENDAR.phase_at(now)
    assert due.skipped == 0


@given(moments, st.lists(st.timedeltas(dt.timedelta(), dt.timedelta(days=9)), max_size=6))
def test_however_often_it_looks_every_transition_is_due_exactly_once(
    start: dt.datetime, pauses: list[dt.timedelta]
) -> None:
    now = state = start
    published = []
    for pause in pauses:
        now += pause
        due = due_transitions(CALENDAR, published_at=state, now=now, catch_up=TEN_DAYS)
        published += due.transitions
        state = published[-1].at if published else state
        assert due.skipped == 0
    assert published == list(CALENDAR.transitions(start, now))


@given(moments, st.timedeltas(dt.timedelta(), dt.timedelta(days=60)), st.integers(1, 40))
def test_what_is_older_than_the_bound_is_skipped_and_counted_but_never_the_latest(
    state: dt.datetime, away: dt.timedelta, days: int
) -> None:
    now = state + away
    missed = list(CALENDAR.transitions(state, now))
    due = due_transitions(CALENDAR, published_at=state, now=now, catch_up=dt.timedelta(days=days))
    assert list(due.transitions) == missed[due.skipped :]
    assert missed[-1:] == list(due.transitions[-1:])
    assert all(t.at > now - dt.timedelta(days=days) for t in due.transitions[:-1])


@given(moments, st.timedeltas(dt.timedelta(), dt.timedelta(days=400)))
def test_a_state_ahead_of_the_clock_makes_nothing_due(now: dt.datetime, ahead: dt.timedelta) -> None:
    due = due_transitions(CALENDAR, published_at=now + ahead, now=now, catch_up=TEN_DAYS)
    assert (due.transitions, due.skipped) == ((), 0)


def test_a_state_before_the_calendar_begins_is_only_a_long_absence() -> None:
    epoch = dt.datetime.fromtimestamp(0, dt.UTC)
    due = due_transitions(CALENDAR, published_at=epoch, now=in_new_york(2024, 11, 27), catch_up=TEN_DAYS)
    assert 20 <= len(due.transitions) <= 32
    assert due.skipped > 25_000


@given(moments)
def test_the_pause_never_passes_over_a_transition(now: dt.datetime) -> None:
    pause = pause_until_next(CALENDAR, now)
    assert dt.timedelta() < pause <= LONGEST_PAUSE
    assert list(CALENDAR.transitions(now, now + pause - dt.timedelta(microseconds=1))) == []


def test_the_pause_ends_at_the_transition() -> None:
    opening = in_new_york(2024, 11, 27, 9, 30)
    assert pause_until_next(CALENDAR, opening - dt.timedelta(seconds=7)) == dt.timedelta(seconds=7)
    assert pause_until_next(CALENDAR, opening) == LONGEST_PAUSE
