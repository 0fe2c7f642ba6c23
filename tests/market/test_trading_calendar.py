"""Holds the trading calendar to an independent one, to named days, and to its own properties."""

import datetime as dt
import itertools

import exchange_calendars
import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.exchange_closures import USUAL_EARLY_CLOSE, closures, early_close_time
from market.session import SessionPhase
from market.trading_calendar import (
    NEW_YORK,
    CalendarError,
    NotATradingDay,
    OutsideHorizon,
    TradingCalendar,
)

CALENDAR = TradingCalendar()
FIRST, LAST = TradingCalendar.FIRST_DAY, TradingCalendar.LAST_DAY
days = st.dates(FIRST + dt.timedelta(days=30), LAST - dt.timedelta(days=30))
instants = st.timedeltas(dt.timedelta(days=40), LAST - FIRST - dt.timedelta(days=40)).map(
    lambda since: dt.datetime(1998, 1, 1, tzinfo=dt.UTC) + since
)


def new_york(year: int, month: int, day: int, hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime(year, month, day, hour, minute, second, tzinfo=NEW_YORK)


# Against an independent calendar


@pytest.mark.filterwarnings("ignore:Series.values:DeprecationWarning")  # the oracle's own
def test_every_day_of_thirty_years_agrees_with_exchange_calendars():
    # Without an explicit end the oracle stops a year from today.
    oracle = exchange_calendars.get_calendar("XNYS", start="1998-01-01", end="2027-12-31")
    table = oracle.schedule[["open", "close"]].itertuples()
    expected = {row.Index.date(): (row.open.to_pydatetime(), row.close.to_pydatetime()) for row in table}
    early = {label.date() for label in oracle.early_closes}

    trading_days = CALENDAR.trading_days(dt.date(1998, 1, 1), dt.date(2027, 12, 31))
    sessions = [CALENDAR.session(day) for day in trading_days]

    assert trading_days == tuple(expected)
    assert {s.day: (s.opens_at, s.closes_at) for s in sessions} == expected
    assert {s.day for s in sessions if s.early_close} == early
    assert len(early) > 60


def test_is_trading_day_agrees_with_the_listing_on_every_day_of_the_horizon():
    every_day = [FIRST + dt.timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    assert tuple(d for d in every_day if CALENDAR.is_trading_day(d)) == CALENDAR.trading_days(FIRST, LAST)


# Days that calendars get wrong


@pytest.mark.parametrize(
    "day",
    [
        "2001-09-11", "2001-09-14", "2004-06-11", "2007-01-02", "2012-10-29", "2012-10-30", "2018-12-05",
        "2022-06-20", "2024-03-29", "2025-01-09", "2025-12-25",
    ],
)  # fmt: skip
def test_named_closures_have_no_session(day: str):
    assert not CALENDAR.is_trading_day(dt.date.fromisoformat(day))
    assert CALENDAR.closure_name(dt.date.fromisoformat(day))


@pytest.mark.parametrize("day", ["2021-06-18", "2013-10-14", "2025-11-11", "2021-12-31", "1999-12-31"])
def test_days_that_a_federal_calendar_closes_are_trading_days(day: str):
    assert CALENDAR.is_trading_day(dt.date.fromisoformat(day))


def test_the_federal_calendar_would_be_wrong_here():
    federal = holidays.country_holidays("US", years=2013)
    assert dt.date(2013, 10, 14) in federal
    assert dt.date(2013, 3, 29) not in federal
    assert CALENDAR.closure_name(dt.date(2013, 3, 29)) == "Good Friday"


def test_a_half_day_is_a_trading_day_that_closes_at_one():
    session = CALENDAR.session(dt.date(2025, 11, 28))
    assert session.early_close
    assert session.closes_at == new_york(2025, 11, 28, 13)
    assert CALENDAR.closure_name(dt.date(2025, 11, 28)) is None


def test_an_unscheduled_halt_late_in_the_day_is_no_early_close():
    assert CALENDAR.session(dt.date(2005, 6, 1)).closes_at == new_york(2005, 6, 1, 16)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("Christmas Eve (markets close at 1:00pm)", dt.time(13)),
        ("Snow (markets close at 2:30pm)", dt.time(14, 30)),
        ("Bell (markets close at 12:15pm)", dt.time(12, 15)),
        ("Bell (markets close at 11:05am)", dt.time(11, 5)),
        ("Christmas Eve", USUAL_EARLY_CLOSE),
    ],
)
def test_the_time_of_an_early_close_is_read_from_its_name(name: str, time: dt.time):
    assert early_close_time(dt.date(2025, 12, 24), name) == time


@pytest.mark.parametrize("language", ["gu", "hi", "mr"])
def test_a_translated_early_close_is_refused_loudly(language: str):
    half_days = holidays.financial_holidays("XNYS", years=2025, categories=("half_day",), language=language)
    for day, name in half_days.items():
        with pytest.raises(CalendarError, match="holidays package"):
            early_close_time(day, name)


def test_the_machine_s_language_does_not_reach_the_calendar(monkeypatch: pytest.MonkeyPatch):
    for variable in ("LANG", "LANGUAGE", "LC_ALL"):
        monkeypatch.setenv(variable, "hi_IN.UTF-8")
    assert closures.__wrapped__(2025, 2025)[dt.date(2025, 12, 25)] == "Christmas Day"


def test_an_instant_is_not_taken_for_a_date():
    christmas_in_utc_only = dt.datetime(2025, 12, 25, 0, 30, tzinfo=dt.UTC)
    assert CALENDAR.phase_at(christmas_in_utc_only) is SessionPhase.CLOSED
    assert CALENDAR.last_completed(christmas_in_utc_only) == dt.date(2025, 12, 24)
    for ask in (CALENDAR.is_trading_day, CALENDAR.session, CALENDAR.next_trading_day):
        with pytest.raises(TypeError, match="New York date"):
            ask(christmas_in_utc_only)


def test_an_evening_belongs_to_the_new_york_day():
    assert CALENDAR.phase_at(dt.datetime(2025, 11, 12, 0, 30, tzinfo=dt.UTC)) is SessionPhase.POST_MARKET


def test_a_naive_instant_is_refused():
    with pytest.raises(ValueError, match="aware"):
        CALENDAR.phase_at(dt.datetime(2025, 11, 12, 12))  # noqa: DTZ001


# Hours, daylight saving time and half days


@pytest.mark.parametrize(
    ("day", "utc_hours"),
    [
        (dt.date(2025, 3, 7), (9, 14, 21, 25)),
        (dt.date(2025, 3, 10), (8, 13, 20, 24)),
        (dt.date(2025, 10, 31), (8, 13, 20, 24)),
        (dt.date(2025, 11, 3), (9, 14, 21, 25)),
        (dt.date(2006, 4, 3), (8, 13, 20, 24)),  # before 2007 the change came in April
    ],
)
def test_the_hours_follow_daylight_saving_time(day: dt.date, utc_hours: tuple[int, ...]):
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    pre, opens, closes, extended = (midnight + dt.timedelta(hours=hour) for hour in utc_hours)
    session = CALENDAR.session(day)
    assert (session.pre_market_opens_at, session.opens_at) == (pre, opens + dt.timedelta(minutes=30))
    assert (session.closes_at, session.extended_closes_at) == (closes, extended)
    assert session.opens_at.tzinfo is dt.UTC


def test_extended_trading_ends_at_five_after_an_early_close_unless_told_otherwise():
    half_day = dt.date(2025, 12, 24)
    until_eight = TradingCalendar(early_extended_close=dt.time(20, 0))
    assert CALENDAR.session(half_day).extended_closes_at == new_york(2025, 12, 24, 17)
    assert until_eight.session(half_day).extended_closes_at == new_york(2025, 12, 24, 20)
    assert until_eight.session(dt.date(2025, 12, 23)) == CALENDAR.session(dt.date(2025, 12, 23))


@pytest.mark.parametrize("time", [dt.time(13, 0), dt.time(20, 1)])
def test_an_extended_close_at_an_impossible_time_is_refused(time: dt.time):
    with pytest.raises(CalendarError, match="16:00 to 20:00"):
        TradingCalendar(early_extended_close=time)


@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ((3, 59, 59), SessionPhase.CLOSED),
        ((4, 0, 0), SessionPhase.PRE_MARKET),
        ((9, 29, 59), SessionPhase.PRE_MARKET),
        ((9, 30, 0), SessionPhase.MARKET_OPEN),
        ((15, 59, 59), SessionPhase.MARKET_OPEN),
        ((16, 0, 0), SessionPhase.POST_MARKET),
        ((19, 59, 59), SessionPhase.POST_MARKET),
        ((20, 0, 0), SessionPhase.CLOSED),
    ],
)
def test_a_boundary_belongs_to_the_phase_it_opens(clock: tuple[int, int, int], phase: SessionPhase):
    assert CALENDAR.phase_at(new_york(2025, 11, 12, *clock)) is phase
    assert CALENDAR.phase_at(new_york(2025, 11, 15, *clock)) is SessionPhase.CLOSED


def test_a_day_is_completed_the_moment_it_closes():
    just_before, closed = new_york(2025, 11, 28, 12, 59, 59), new_york(2025, 11, 28, 13)
    assert CALENDAR.last_completed(just_before) == dt.date(2025, 11, 26)
    assert CALENDAR.last_completed(closed) == dt.date(2025, 11, 28)
    assert CALENDAR.last_completed(new_york(2025, 11, 30, 23)) == dt.date(2025, 11, 28)


# Properties


@given(days)
def test_next_and_previous_undo_each_other_on_trading_days(day: dt.date):
    following, before = CALENDAR.next_trading_day(day), CALENDAR.previous_trading_day(day)
    assert before < day < following
    assert CALENDAR.previous_trading_day(following) == (day if CALENDAR.is_trading_day(day) else before)
    assert CALENDAR.next_trading_day(before) == (day if CALENDAR.is_trading_day(day) else following)


@given(days, st.integers(0, 15))
def test_the_last_trading_days_end_with_the_day_asked_for(day: dt.date, count: int):
    window = CALENDAR.last_trading_days(count, up_to=day)
    assert len(window) == count
    assert window == tuple(sorted(set(window)))
    if count:
        assert window == CALENDAR.trading_days(window[0], day)
        assert (window[-1] == day) is CALENDAR.is_trading_day(day)


@given(days)
def test_a_session_s_boundaries_ascend_within_its_new_york_date(day: dt.date):
    session = CALENDAR.session(CALENDAR.next_trading_day(day))
    boundaries = [transition.at for transition in session.transitions()]
    assert boundaries == sorted(set(boundaries))
    assert {at.astimezone(NEW_YORK).date() for at in boundaries} == {session.day}


@given(instants, st.timedeltas(dt.timedelta(), dt.timedelta(days=12)))
def test_transitions_ascend_chain_and_agree_with_the_phase(after: dt.datetime, length: dt.timedelta):
    until = after + length
    steps = list(CALENDAR.transitions(after, until))
    assert all(after < step.at <= until for step in steps)
    assert all(a.at < b.at and a.to_phase is b.from_phase for a, b in itertools.pairwise(steps))
    for step in steps:
        assert CALENDAR.phase_at(step.at) is step.to_phase
        assert CALENDAR.phase_at(step.at - dt.timedelta(microseconds=1)) is step.from_phase
        assert step.from_phase is not step.to_phase
    assert CALENDAR.phase_at(until) is (steps[-1].to_phase if steps else CALENDAR.phase_at(after))


@given(instants, st.timedeltas(dt.timedelta(), dt.timedelta(days=4)), st.floats(0, 1))
def test_two_adjoining_intervals_give_each_transition_once(after: dt.datetime, length: dt.timedelta, share: float):
    middle, until = after + share * length, after + length
    halves = itertools.chain(CALENDAR.transitions(after, middle), CALENDAR.transitions(middle, until))
    assert list(halves) == list(CALENDAR.transitions(after, until))


@pytest.mark.parametrize("sunday", [dt.date(2025, 3, 9), dt.date(2025, 11, 2)])
def test_a_week_around_a_clock_change_has_twenty_transitions(sunday: dt.date):
    friday, wednesday = sunday - dt.timedelta(days=3), sunday + dt.timedelta(days=3)
    steps = list(CALENDAR.transitions(new_york(*friday.timetuple()[:3], 0), new_york(*wednesday.timetuple()[:3], 0)))
    assert [step.at.astimezone(NEW_YORK).hour for step in steps] == [4, 9, 16, 20] * 4


@given(instants)
def test_the_last_completed_day_is_the_latest_that_has_closed(now: dt.datetime):
    day = CALENDAR.last_completed(now)
    assert CALENDAR.session(day).closes_at <= now
    assert CALENDAR.session(CALENDAR.next_trading_day(day)).closes_at > now


# Refusals


def test_a_closed_day_s_refusal_names_the_closure():
    with pytest.raises(NotATradingDay, match=r"2025-12-25 is not a trading day \(Christmas Day\)"):
        CALENDAR.session(dt.date(2025, 12, 25))
    assert CALENDAR.closure_name(dt.date(2025, 11, 15)) == "Saturday"


@pytest.mark.parametrize("day", [dt.date(1997, 12, 31), dt.date(2031, 1, 1)])
def test_nothing_is_answered_outside_the_horizon(day: dt.date):
    noon = dt.datetime.combine(day, dt.time(12), tzinfo=NEW_YORK)
    asks = [
        lambda: CALENDAR.is_trading_day(day),
        lambda: CALENDAR.closure_name(day),
        lambda: CALENDAR.session(day),
        lambda: CALENDAR.next_trading_day(day),
        lambda: CALENDAR.previous_trading_day(day),
        lambda: CALENDAR.trading_days(day, day),
        lambda: CALENDAR.last_trading_days(1, up_to=day),
        lambda: CALENDAR.last_completed(noon),
        lambda: CALENDAR.phase_at(noon),
        lambda: CALENDAR.transitions(noon, noon),
    ]
    for ask in asks:
        with pytest.raises(OutsideHorizon, match=r"newer release|later day"):
            ask()


def test_a_look_beyond_either_end_is_refused_not_cut_short():
    with pytest.raises(OutsideHorizon, match="newer release"):
        CALENDAR.next_trading_day(LAST)
    with pytest.raises(OutsideHorizon, match="later day"):
        CALENDAR.previous_trading_day(FIRST)
    with pytest.raises(OutsideHorizon, match="later day"):
        CALENDAR.last_trading_days(3, up_to=dt.date(1998, 1, 5))
    with pytest.raises(OutsideHorizon):
        CALENDAR.transitions(new_york(2030, 12, 30, 0), new_york(2031, 1, 5, 0))


def test_reversed_intervals_are_empty_and_negative_counts_refused():
    assert CALENDAR.trading_days(dt.date(2025, 11, 12), dt.date(2025, 11, 10)) == ()
    assert list(CALENDAR.transitions(new_york(2025, 11, 12, 12), new_york(2025, 11, 10, 12))) == []
    with pytest.raises(ValueError, match="-1"):
        CALENDAR.last_trading_days(-1, up_to=dt.date(2025, 11, 12))
