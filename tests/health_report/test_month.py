"""What is a month, what is none, and from when to when it lasts in New York."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.health_report.month import BadMonth, Month, read_month
from market.trading_calendar import TradingCalendar

TODAY = dt.date(2025, 11, 26)
CALENDAR = TradingCalendar()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((text, "is no month: write YYYY-MM") for text in (
            "", "2025", "2025-13", "2025-00", "2025-1", "2025-11-01", "11-2025", "November", " 2025-11", "2025-11\n",
            "٢٠٢٥-١١", "-2025-11", "2025/11",
        )),
        ("1997-12", "knows the months from 1998-01 to 2030-12"),
        ("2031-01", "knows the months from 1998-01 to 2030-12"),
        ("9999-12", "knows the months from 1998-01 to 2030-12"),
        ("0000-05", "knows the months"),
        ("2025-12", "lies in the future: the present month is 2025-11"),
        ("2030-12", "lies in the future"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_month_that_has_begun_is_refused_with_the_cure(text: str, words: str) -> None:
    with pytest.raises(BadMonth, match=words):
        read_month(text, CALENDAR, today=TODAY)


def test_the_present_month_and_the_calendars_first_are_months() -> None:
    assert read_month("2025-11", CALENDAR, today=TODAY) == Month(year=2025, number=11)
    assert read_month("1998-01", CALENDAR, today=TODAY).first == CALENDAR.FIRST_DAY


@pytest.mark.parametrize(
    ("month", "last", "begins", "ends"),
    [
        # Five hours behind UTC in winter and four in summer; the clocks change on 2025-11-02 and 2026-03-08.
        (Month(year=2025, number=11), "2025-11-30", "2025-11-01T04:00Z", "2025-12-01T05:00Z"),
        (Month(year=2026, number=3), "2026-03-31", "2026-03-01T05:00Z", "2026-04-01T04:00Z"),
        (Month(year=2024, number=2), "2024-02-29", "2024-02-01T05:00Z", "2024-03-01T05:00Z"),
        (Month(year=2030, number=12), "2030-12-31", "2030-12-01T05:00Z", "2031-01-01T05:00Z"),
    ],
)
def test_a_month_lasts_from_midnight_to_midnight_in_new_york(month: Month, last: str, begins: str, ends: str) -> None:
    assert str(month.last) == last
    assert month.begins_at == dt.datetime.fromisoformat(begins)
    assert month.ends_at == dt.datetime.fromisoformat(ends)
