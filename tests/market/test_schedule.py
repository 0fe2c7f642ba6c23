"""When cycles fall due, and since when data counts as fresh."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.schedule import BadRule, Schedule, final_at, parse_rules
from market.trading_calendar import NEW_YORK, TradingCalendar

CALENDAR = TradingCalendar()
DEFAULT = Schedule(CALENDAR, parse_rules("POST_MARKET+1h CLOSED+15m"))
INSTANTS = st.datetimes(
    min_value=dt.datetime(2024, 1, 5),  # noqa: DTZ001  (hypothesis wants the bounds naive)
    max_value=dt.datetime(2027, 12, 1),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
)


def new_york(instant: dt.datetime) -> str:
    return f"{instant.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (dt.date(2025, 11, 11), ["2025-11-11 17:00", "2025-11-11 20:15"]),
        (dt.date(2025, 11, 28), ["2025-11-28 14:00", "2025-11-28 17:15"]),  # early close, its extended session too
        (dt.date(2025, 3, 10), ["2025-03-10 17:00", "2025-03-10 20:15"]),  # the Monday after the clocks changed
    ],
)
def test_the_default_rules_fall_due_an_hour_after_the_close_and_when_bars_have_settled(
    day: dt.date, due: list[str]
) -> None:
    assert [new_york(occurrence.due_at) for occurrence in DEFAULT.occurrences(day)] == due


@pytest.mark.parametrize(
    "text", ["", "MIDNIGHT", "POST_MARKET+", "POST_MARKET+soon", "PRE_MARKET+1h", "CLOSED+13h", "CLOSED+1h CLOSED+60m"]
)
def test_an_unreadable_schedule_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(BadRule, match=r"write|before it"):
        parse_rules(text)


@given(INSTANTS)
def test_the_latest_due_is_not_after_now_and_the_next_one_is_and_nothing_lies_between(now: dt.datetime) -> None:
    latest, following = DEFAULT.latest_due(now), DEFAULT.next_due(now)
    assert latest.due_at <= now < following.due_at
    assert DEFAULT.next_due(latest.due_at) == following


@given(INSTANTS, st.timedeltas(min_value=dt.timedelta(0), max_value=dt.timedelta(days=4)))
def test_what_counts_as_fresh_only_ever_moves_forward_and_rests_once_the_session_is_final(
    now: dt.datetime, later: dt.timedelta
) -> None:
    day = CALENDAR.last_completed(now)
    assert DEFAULT.fresh_since(day, now) <= DEFAULT.fresh_since(day, now + later)
    settled = final_at(CALENDAR.session(day))
    assert DEFAULT.fresh_since(day, settled + later) == settled


def test_data_of_a_first_look_is_fresh_until_the_final_one_and_not_after() -> None:
    day = dt.date(2025, 11, 11)
    first, final = (occurrence.due_at for occurrence in DEFAULT.occurrences(day))
    loaded_at = first + dt.timedelta(minutes=5)
    assert loaded_at >= DEFAULT.fresh_since(day, final - dt.timedelta(seconds=1))
    assert loaded_at < DEFAULT.fresh_since(day, final)


def test_with_one_early_rule_the_next_night_sees_the_day_as_provisional() -> None:
    only_early = Schedule(CALENDAR, parse_rules("POST_MARKET+1h"))
    loaded_at = dt.datetime(2025, 11, 11, 22, 5, tzinfo=dt.UTC)
    assert loaded_at < only_early.fresh_since(dt.date(2025, 11, 11), dt.datetime(2025, 11, 12, 22, 0, tzinfo=dt.UTC))


@given(INSTANTS)
def test_a_cycle_gives_up_when_the_next_session_opens(now: dt.datetime) -> None:
    day = CALENDAR.last_completed(now)
    gives_up = DEFAULT.give_up_at(day, now)
    assert gives_up > now
    assert any(CALENDAR.session(d).opens_at == gives_up for d in CALENDAR.trading_days(day, day + dt.timedelta(days=8)))


def test_a_cycle_for_a_day_long_past_still_has_until_the_next_open_from_now() -> None:
    now = dt.datetime(2025, 11, 15, 12, 0, tzinfo=dt.UTC)  # a Saturday
    assert new_york(DEFAULT.give_up_at(dt.date(2013, 10, 11), now)) == "2025-11-17 09:30"
