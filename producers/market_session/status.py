"""Says of an instant what neighbours want to know of the market: its phase, the day's hours, the next change, holidays.

Pure: calendar and instant are handed to it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from contract.keys import MARKET_HOLIDAY
from contract.market_status import CLOSED, EARLY_CLOSE, EXCHANGES, MarketHoliday, MarketStatus, encode_for_neighbours
from market.calendar_overrides import REGULAR_CLOSE, REGULAR_OPEN
from market.session import EXTENDED_CLOSE, EXTENDED_OPEN
from market.trading_calendar import NEW_YORK
from producers.market_session.due import LONGEST_SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from market.trading_calendar import TradingCalendar

#: Of the holidays: readers look back from yesterday for the last session, and a month ahead.
LOOK_BACK = dt.timedelta(days=14)
LOOK_AHEAD = dt.timedelta(days=366)
_SATURDAY = 5


def new_york_day(now: dt.datetime) -> dt.date:
    """The date in New York."""
    return now.astimezone(NEW_YORK).date()


def next_midnight(now: dt.datetime) -> dt.datetime:
    """When the date in New York becomes the next one."""
    day = new_york_day(now) + dt.timedelta(days=1)
    return dt.datetime.combine(day, dt.time(), tzinfo=NEW_YORK).astimezone(dt.UTC)


def market_status(calendar: TradingCalendar, now: dt.datetime) -> MarketStatus:
    """The status at *now*. Raises CalendarError."""
    day = new_york_day(now)
    trades = calendar.is_trading_day(day)
    holiday = None if trades or day.weekday() >= _SATURDAY else calendar.closure_name(day)
    opens, closes, ends = REGULAR_OPEN, REGULAR_CLOSE, EXTENDED_CLOSE
    if trades:
        session = calendar.session(day)
        closes, ends = (at.astimezone(NEW_YORK).time() for at in (session.closes_at, session.extended_closes_at))
    upcoming = next(calendar.transitions(now, now + LONGEST_SILENCE))
    return MarketStatus(
        timestamp=now.astimezone(NEW_YORK),
        current_session=calendar.phase_at(now),
        trading_date=day,
        is_trading_day=trades,
        is_holiday=holiday is not None,
        holiday_name=holiday,
        pre_market_start=EXTENDED_OPEN,
        market_open=opens,
        market_close=closes,
        post_market_end=ends,
        next_session=upcoming.to_phase,
        next_session_time=upcoming.at.astimezone(NEW_YORK).time(),
        seconds_until_next_session=int((upcoming.at - now).total_seconds()),
    )


def holidays(calendar: TradingCalendar, day: dt.date) -> dict[str, str]:
    """Key and value of every holiday and early close around *day*."""
    first, last = max(day - LOOK_BACK, calendar.FIRST_DAY), min(day + LOOK_AHEAD, calendar.LAST_DAY)
    return {
        MARKET_HOLIDAY.pattern.format(day=one.isoformat(), exchange=holiday.exchange): encode_for_neighbours(holiday)
        for one in map(dt.date.fromordinal, range(first.toordinal(), last.toordinal() + 1))
        for holiday in _holidays_on(calendar, one)
    }


def _holidays_on(calendar: TradingCalendar, day: dt.date) -> Iterator[MarketHoliday]:
    if day.weekday() >= _SATURDAY:
        return
    if (name := calendar.closure_name(day)) is not None:
        for exchange in EXCHANGES:
            yield MarketHoliday(name=name, status=CLOSED, exchange=exchange)
        return
    session = calendar.session(day)
    if session.early_close:
        opens, closes = session.opens_at, session.closes_at
        for exchange in EXCHANGES:
            yield MarketHoliday(name="Early close", status=EARLY_CLOSE, exchange=exchange, open=opens, close=closes)
