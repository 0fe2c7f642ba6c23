"""The vendor's closures ahead against ours: agreement is silent, each kind of difference names the day and the cure."""

from __future__ import annotations

import datetime as dt

from market.calendar_check import ListedClosure, disagreements
from market.trading_calendar import TradingCalendar

CALENDAR = TradingCalendar()
TODAY = dt.date(2026, 11, 20)
THANKSGIVING, HALF_DAY, CHRISTMAS = dt.date(2026, 11, 26), dt.date(2026, 11, 27), dt.date(2026, 12, 25)
EARLY = ListedClosure(day=HALF_DAY, status="early-close", closes_at=dt.datetime(2026, 11, 27, 18, tzinfo=dt.UTC))


def closed(day: dt.date) -> ListedClosure:
    return ListedClosure(day=day, status="closed")


def test_a_list_that_agrees_is_silent() -> None:
    assert disagreements([closed(THANKSGIVING), EARLY, closed(THANKSGIVING)], CALENDAR, TODAY) == []


def test_a_closure_that_we_do_not_know_is_named() -> None:
    mourning = closed(dt.date(2026, 11, 24))
    (line,) = disagreements([mourning, closed(THANKSGIVING)], CALENDAR, TODAY)
    assert line.startswith("calendar: the vendor has 2026-11-24 closed, ours has a session")
    assert "TRADING_CALENDAR_OVERRIDES" in line


def test_a_closure_that_the_vendor_does_not_list_is_named_up_to_its_last_day() -> None:
    (line,) = disagreements([closed(CHRISTMAS)], CALENDAR, TODAY)
    assert "2026-11-26 closed (Thanksgiving" in line


def test_another_time_of_an_early_close_is_named() -> None:
    other = ListedClosure(day=HALF_DAY, status="early-close", closes_at=dt.datetime(2026, 11, 27, 19, tzinfo=dt.UTC))
    (line,) = disagreements([closed(THANKSGIVING), other], CALENDAR, TODAY)
    assert "at 19:00 UTC, ours at 18:00 UTC" in line


def test_the_past_and_an_empty_list_say_nothing() -> None:
    assert disagreements([closed(dt.date(2026, 11, 18))], CALENDAR, TODAY) == []
    assert disagreements([], CALENDAR, TODAY) == []
