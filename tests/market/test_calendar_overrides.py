"""Shows that an operator's corrections win, and that a file with a slip in it is refused whole."""

import datetime as dt
from pathlib import Path

import pytest

from market.calendar_overrides import Closure, EarlyClose, FullSession, parse_overrides
from market.trading_calendar import (
    NEW_YORK,
    BadOverrides,
    NotATradingDay,
    Overrides,
    TradingCalendar,
    load_overrides,
)

WEDNESDAY = dt.date(2026, 6, 17)

FILE = """
[[closure]]
day = 2026-06-17
reason = "National day of mourning"

[[early_close]]
day = 2026-06-18
closes = 14:30:00
reason = "Storm"

[[open]]
day = 2026-12-24
reason = "The exchange withdrew the early close"

[[open]]
day = 2026-12-25
reason = "A Christmas session"
"""


def test_an_unforeseen_closure_removes_the_session_everywhere(tmp_path: Path):
    path = tmp_path / "overrides.toml"
    path.write_text(FILE)
    calendar = TradingCalendar(load_overrides(path))
    noon = dt.datetime(2026, 6, 17, 12, tzinfo=NEW_YORK)

    assert not calendar.is_trading_day(WEDNESDAY)
    assert calendar.next_trading_day(dt.date(2026, 6, 16)) == dt.date(2026, 6, 18)
    assert calendar.last_completed(noon + dt.timedelta(hours=8)) == dt.date(2026, 6, 16)
    assert list(calendar.transitions(noon - dt.timedelta(hours=10), noon + dt.timedelta(hours=10))) == []
    with pytest.raises(NotATradingDay, match="National day of mourning"):
        calendar.session(WEDNESDAY)
    assert TradingCalendar().is_trading_day(WEDNESDAY)


def test_an_unforeseen_early_close_moves_the_close():
    session = TradingCalendar(parse_overrides(FILE)).session(dt.date(2026, 6, 18))
    assert session.early_close
    assert session.closes_at == dt.datetime(2026, 6, 18, 14, 30, tzinfo=NEW_YORK)
    assert session.extended_closes_at == dt.datetime(2026, 6, 18, 17, tzinfo=NEW_YORK)


def test_a_day_can_be_given_back_its_full_session():
    calendar = TradingCalendar(parse_overrides(FILE))
    for day in (dt.date(2026, 12, 24), dt.date(2026, 12, 25)):
        session = calendar.session(day)
        assert not session.early_close
        assert session.closes_at == dt.datetime.combine(day, dt.time(16), tzinfo=NEW_YORK)


def test_a_holiday_can_become_a_half_day():
    holiday = EarlyClose(day=dt.date(2026, 12, 25), closes=dt.time(12), reason="announced")
    calendar = TradingCalendar(Overrides(early_closes=(holiday,)))
    assert calendar.session(holiday.day).closes_at == dt.datetime(2026, 12, 25, 12, tzinfo=NEW_YORK)


def test_a_known_half_day_can_be_closed_altogether():
    closed = Closure(day=dt.date(2026, 12, 24), reason="announced")
    assert not TradingCalendar(Overrides(closures=(closed,))).is_trading_day(closed.day)


def test_repeating_what_the_calendar_has_learnt_since_is_harmless():
    repeated = Overrides(
        closures=(Closure(day=dt.date(2025, 1, 9), reason="Carter"),),
        full_sessions=(FullSession(day=WEDNESDAY, reason="rumour denied"),),
    )
    calendar, plain = TradingCalendar(repeated), TradingCalendar()
    first, last = TradingCalendar.FIRST_DAY, TradingCalendar.LAST_DAY
    assert calendar.trading_days(first, last) == plain.trading_days(first, last)


def test_one_calendar_s_overrides_do_not_reach_another():
    TradingCalendar(parse_overrides(FILE))
    assert TradingCalendar().session(dt.date(2026, 12, 24)).early_close


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[closure]\n", "not TOML"),
        ("[[closures]]\nday = 2026-06-17\nreason = 'x'", "closures"),
        ("[[closure]]\nday = 2026-06-17", "reason"),
        ("[[closure]]\nday = 2026-06-17\nreason = ' '", "has no reason"),
        ("[[closure]]\nday = '17 June'\nreason = 'x'", "date"),
        ("[[closure]]\nday = 2026-06-17T00:00:00Z\nreason = 'x'", "date"),
        ("[[closure]]\nday = 2026-06-20\nreason = 'x'", "is a Saturday"),
        ("[[closure]]\nday = 2062-06-20\nreason = 'x'", "outside the calendar"),
        ("[[early_close]]\nday = 2026-06-17\ncloses = 16:00:00\nreason = 'x'", "between 09:30 and 16:00"),
        ("[[early_close]]\nday = 2026-06-17\ncloses = 01:00:00\nreason = 'x'", "between 09:30 and 16:00"),
        (
            "[[closure]]\nday = 2026-06-17\nreason = 'x'\n[[open]]\nday = 2026-06-17\nreason = 'y'",
            "appears 2 times",
        ),
    ],
)
def test_a_slip_refuses_the_whole_file_and_says_which(text: str, said: str):
    with pytest.raises(BadOverrides, match=said):
        TradingCalendar(parse_overrides(text))


def test_all_problems_are_reported_together():
    weekend, unexplained = dt.date(2026, 6, 20), WEDNESDAY
    overrides = Overrides(
        closures=(Closure(day=weekend, reason="x"), Closure(day=unexplained, reason="")),
    )
    with pytest.raises(BadOverrides) as refusal:
        TradingCalendar(overrides)
    assert len(refusal.value.problems) == 2


def test_a_file_that_cannot_be_read_is_refused_with_its_name(tmp_path: Path):
    with pytest.raises(BadOverrides, match=r"nowhere\.toml cannot be read"):
        load_overrides(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"\xff")
    with pytest.raises(BadOverrides, match=r"broken\.toml"):
        load_overrides(broken)
