"""A week's sample is a hundredth, within its budget, and the same whoever asks."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from market.trading_calendar import TradingCalendar
from market.weekly_sample import FEWEST_SESSIONS, STRETCH, Candidates, choose, week_of

SESSIONS = TradingCalendar().last_trading_days(750, up_to=dt.date(2025, 11, 11))
SYMBOLS = [f"S{number:05}" for number in range(11_000)]
WEEK = dt.date(2025, 11, 10)
ALL = Candidates(sessions=SESSIONS, slot_sessions=SESSIONS[:-10], symbols=SYMBOLS)


@given(st.integers(0, 750), st.integers(0, 11_000), st.integers(0, 300), st.dates(dt.date(2024, 1, 1)))
def test_it_is_of_what_is_stored_within_the_budget_and_always_the_same(
    sessions: int, symbols: int, most: int, day: dt.date
) -> None:
    of = Candidates(sessions=SESSIONS[:sessions], slot_sessions=SESSIONS[:sessions], symbols=SYMBOLS[:symbols])
    chosen = choose(of, week_of(day), most=most)
    assert chosen == choose(of, week_of(day), most=most)
    assert len(chosen.sessions) + len(chosen.symbols) <= most
    assert set(chosen.sessions) <= set(of.sessions)
    assert set(chosen.symbols) <= set(of.symbols)
    for first, last in chosen.symbols.values():
        assert 1 <= of.slot_sessions.index(last) - of.slot_sessions.index(first) + 1 <= STRETCH


def test_of_three_years_and_eleven_thousand_symbols_it_is_eight_sessions_and_a_hundred_and_ten_symbols() -> None:
    chosen = choose(ALL, WEEK, most=150)
    assert (len(chosen.sessions), len(chosen.symbols)) == (8, 110)
    assert len(choose(ALL, WEEK, most=40).symbols) == 32, "the budget is of both together"


def test_of_a_window_alone_there_is_none() -> None:
    few = Candidates(sessions=SESSIONS[: FEWEST_SESSIONS - 1], symbols=SYMBOLS)
    assert choose(few, WEEK, most=150) == choose(Candidates(), WEEK, most=150)


def test_what_is_left_of_a_week_is_what_was_chosen_at_first() -> None:
    for most in (150, 60):
        whole = choose(ALL, WEEK, most=most)
        slots_left = choose(msgspec.structs.replace(ALL, bars_taken=True), WEEK, most=most)
        assert (slots_left.sessions, slots_left.symbols) == ((), whole.symbols)
        bars_left = choose(msgspec.structs.replace(ALL, slots_taken=True), WEEK, most=most)
        assert (bars_left.sessions, bars_left.symbols) == (whole.sessions, {})


def test_in_a_year_of_weeks_no_session_is_chosen_much_oftener_than_chance_has_it() -> None:
    weeks = [WEEK + dt.timedelta(weeks=number) for number in range(52)]
    seen = Counter(day for week in weeks for day in choose(ALL, week, most=150).sessions)
    assert len(seen) > 250
    assert max(seen.values()) < 8


def test_a_week_begins_on_monday() -> None:
    assert [week_of(WEEK + dt.timedelta(days=number)) for number in (0, 1, 6, 7)] == [WEEK] * 3 + [
        WEEK + dt.timedelta(weeks=1)
    ]
