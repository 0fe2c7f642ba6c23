"""Equal neighbours among sessions become one line; what a person would see to in another way stays apart."""

from __future__ import annotations

import datetime as dt
from typing import Any

from consumer.completeness.folding import folded
from consumer.completeness.sessions import SessionCoverage
from consumer.completeness.symbol_sessions import Held, of_symbol
from consumer.verdict.states import Condition, DataSetVerdict, SessionState
from market.trading_calendar import TradingCalendar

CALENDAR = TradingCalendar()
NOON = dt.datetime(2025, 11, 11, 17, tzinfo=dt.UTC)


def row(day: dt.date, name: str, state: SessionState, *, is_gap: bool = False, **more: Any) -> SessionCoverage:
    one = DataSetVerdict(data_set=name, state=state, condition=Condition.AVAILABLE, due_at=NOON, **more)
    return SessionCoverage(trading_day=day, one=one, is_gap=is_gap)


def days(first: str, last: str) -> list[dt.date]:
    return list(reversed(CALENDAR.trading_days(dt.date.fromisoformat(first), dt.date.fromisoformat(last))))


def test_a_missing_year_of_two_data_sets_is_one_line() -> None:
    year = days("2024-01-02", "2024-12-31")
    rows = [
        row(day, name, SessionState.MISSING, is_gap=True) for day in year for name in ("daily_bars", "volume_slots")
    ]
    (span,) = folded(rows, CALENDAR)
    assert (span.first, span.last, span.sessions) == (dt.date(2024, 1, 2), dt.date(2024, 12, 31), 252)
    assert span.data_sets == ("daily_bars", "volume_slots")
    assert len(rows) == 504


def test_a_session_between_that_is_otherwise_parts_a_span_and_a_holiday_does_not() -> None:
    week = days("2024-12-23", "2025-01-03")  # with Christmas and New Year in it
    rows = [row(day, "daily_bars", SessionState.FINAL, loaded=100 + place) for place, day in enumerate(week)]
    (span,) = folded(rows, CALENDAR)
    assert (span.sessions, span.between("loaded")) == (8, (100, 107))
    rows[3] = row(week[3], "daily_bars", SessionState.PROVISIONAL, loaded=100)
    assert [one.sessions for one in folded(rows, CALENDAR)] == [3, 1, 4]
    del rows[3]
    assert [one.sessions for one in folded(rows, CALENDAR)] == [3, 4], "what is not listed is no neighbour"


def test_sessions_that_lack_in_part_are_equal_where_the_same_number_lacks() -> None:
    first, second, third = days("2025-11-05", "2025-11-07")
    rows = [
        row(first, "volume_slots", SessionState.PARTIAL, is_gap=True, missing=312),
        row(second, "volume_slots", SessionState.PARTIAL, is_gap=True, missing=312),
        row(third, "volume_slots", SessionState.PARTIAL, is_gap=True, missing=5),
    ]
    assert [one.between("missing") for one in folded(rows, CALENDAR)] == [(312, 312), (5, 5)]


def test_a_symbol_lacks_only_what_its_session_could_have_of_it() -> None:
    monday, friday = days("2025-11-07", "2025-11-10")
    held = Held(bars=frozenset({friday}), slots={friday: "traded", monday: "unproven"}, since=friday)

    def of(day: dt.date, name: str, state: SessionState, *, is_gap: bool = False) -> tuple[str, str, bool] | None:
        found = of_symbol(row(day, name, state, is_gap=is_gap), held)
        if found is None:
            return None
        counts = [one for one in ("loaded", "empty", "unproven", "missing") if getattr(found.one, one)]
        return found.one.state.value, counts[0], found.is_gap

    assert of(friday, "daily_bars", SessionState.PARTIAL, is_gap=True) == ("provisional", "loaded", False)
    assert of(monday, "daily_bars", SessionState.FINAL) == ("final", "empty", False), "who traded has a bar there"
    assert of(monday, "daily_bars", SessionState.MISSING, is_gap=True) == ("missing", "missing", True)
    assert of(monday, "volume_slots", SessionState.PARTIAL, is_gap=True) == ("partial", "unproven", True)
    assert of(dt.date(2025, 11, 6), "daily_bars", SessionState.MISSING, is_gap=True) is None, "it was not listed"
    assert of(monday, "slot_trades", SessionState.FINAL) is None


def test_nothing_is_expected_of_a_symbol_after_it_left_the_listing_and_what_is_stored_of_it_is_told() -> None:
    left, after, late = dt.date(2025, 11, 5), dt.date(2025, 11, 6), dt.date(2025, 11, 7)
    held = Held(bars=frozenset({late}), slots={}, since=dt.date(2025, 1, 2), until=left)
    for name in ("daily_bars", "volume_slots"):
        for state in (SessionState.PARTIAL, SessionState.MISSING, SessionState.FINAL):
            assert of_symbol(row(after, name, state, is_gap=state is not SessionState.FINAL), held) is None
    on_its_last_day = of_symbol(row(left, "volume_slots", SessionState.PARTIAL, is_gap=True), held)
    assert on_its_last_day is not None
    assert (on_its_last_day.one.missing, on_its_last_day.is_gap) == (1, True)
    stored = of_symbol(row(late, "daily_bars", SessionState.PARTIAL, is_gap=True), held)
    assert stored is not None
    assert (stored.one.loaded, stored.is_gap) == (1, False)
    assert of_symbol(row(late, "volume_slots", SessionState.PARTIAL, is_gap=True), held) is None


def test_what_retention_deleted_is_missing_of_no_symbol() -> None:
    day = dt.date(2025, 11, 5)
    held = Held(bars=frozenset(), slots={}, since=dt.date(2025, 1, 2))
    for name in ("daily_bars", "volume_slots"):
        found = of_symbol(row(day, name, SessionState.RETIRED), held)
        assert found is not None
        assert (found.one.state, found.one.expected, found.one.missing) == (SessionState.RETIRED, 0, 0)
