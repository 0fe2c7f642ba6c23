"""Names a month as an operator writes it, and says from when to when it lasts in New York.  Pure."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import msgspec

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from market.trading_calendar import TradingCalendar

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class BadMonth(Exception):
    """There is no report on what was asked for; the text says why, and what to write instead."""


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month of New York dates."""

    year: int
    number: int

    @property
    def first(self) -> dt.date:
        return dt.date(self.year, self.number, 1)

    @property
    def last(self) -> dt.date:
        return (self.first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)

    @property
    def begins_at(self) -> dt.datetime:
        """Midnight of its first day."""
        return _midnight(self.first)

    @property
    def ends_at(self) -> dt.datetime:
        """Midnight after its last day: no part of it."""
        return _midnight(self.last + dt.timedelta(days=1))

    @property
    def name(self) -> str:
        """As it is written: 2025-11."""
        return f"{self.first:%Y-%m}"

    @property
    def words(self) -> str:
        """As people read it: November 2025."""
        return f"{self.first:%B %Y}"


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=NEW_YORK).astimezone(dt.UTC)


def month_of(day: dt.date) -> Month:
    return Month(year=day.year, number=day.month)


def read_month(text: str, calendar: TradingCalendar, *, today: dt.date) -> Month:
    """Return the month that *text* names. Raises BadMonth where it is none, or none that has begun by *today*."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise BadMonth(f"--month {text!r} is no month: write YYYY-MM, for example {today:%Y-%m}")
    first, last = month_of(calendar.FIRST_DAY), month_of(calendar.LAST_DAY)
    if not first.name <= text <= last.name:
        raise BadMonth(f"--month {text}: the trading calendar knows the months from {first.name} to {last.name}")
    month = Month(year=int(found[1]), number=int(found[2]))
    if month.first > today:
        raise BadMonth(f"--month {text} lies in the future: the present month is {today:%Y-%m}")
    return month
