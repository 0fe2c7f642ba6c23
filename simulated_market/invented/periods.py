"""Cuts time into fortnights in each of which something happens to the list of tickers.

Any thirty sessions contain a whole fortnight, so a delisting, a fresh listing, a change of ticker and
splits of each sort lie within the window of any day, without a history that has to be played through.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from simulated_market.invented import dice

if TYPE_CHECKING:
    from market.trading_calendar import TradingCalendar

HISTORY_BEGINS = dt.date(2003, 9, 10)
DAYS = 14


def period_of(day: dt.date) -> int:
    """Number of the fortnight that contains the date."""
    return day.toordinal() // DAYS


FIRST_PERIOD = period_of(HISTORY_BEGINS) + 1


def last_period(calendar: TradingCalendar) -> int:
    """The last fortnight in which an event and its follow-up still fit the calendar."""
    return period_of(calendar.LAST_DAY) - 2


def event_day(calendar: TradingCalendar, seed: int, period: int, topic: str) -> dt.date:
    """A trading day in the fortnight, drawn for the topic."""
    offset = dice.label(seed, dice.Purpose.LIFECYCLE, period, topic) % 9
    return on_or_after(calendar, dt.date.fromordinal(period * DAYS + offset))


def on_or_after(calendar: TradingCalendar, day: dt.date) -> dt.date:
    """The date itself if it is a trading day, else the next one."""
    return day if calendar.is_trading_day(day) else calendar.next_trading_day(day)
