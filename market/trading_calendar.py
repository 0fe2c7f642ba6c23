"""Answers which days the New York Stock Exchange trades, and when a session begins and ends.

Days are New York dates, instants are aware UTC; a date outside the horizon is refused, never guessed.
Built once from tables (a few milliseconds), then every look-up is a dictionary hit or a bisection.
Where the tables come from: exchange_closures; how an operator corrects them: calendar_overrides.
"""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from market.calendar_errors import BadOverrides, CalendarError, NotATradingDay, OutsideHorizon
from market.calendar_overrides import REGULAR_CLOSE, REGULAR_OPEN, Overrides, load_overrides
from market.exchange_closures import closures, early_closes
from market.session import EXTENDED_CLOSE, EXTENDED_OPEN, SessionPhase, TradingSession, Transition

__all__ = [
    "NEW_YORK",
    "BadOverrides",
    "CalendarError",
    "NotATradingDay",
    "OutsideHorizon",
    "Overrides",
    "TradingCalendar",
    "load_overrides",
    "refuse_early_extended_close",
]

NEW_YORK = ZoneInfo("America/New_York")

_SATURDAY = 5


class TradingCalendar:
    """Sessions from FIRST_DAY to LAST_DAY; immutable, so one instance serves the whole process.

    `early_extended_close` is the New York time at which extended trading ends after an early close
    (16:00 to 20:00): the exchanges' late sessions then end at 17:00, some venues go on until 20:00.
    """

    FIRST_DAY = dt.date(1998, 1, 1)
    LAST_DAY = dt.date(2030, 12, 31)

    def __init__(self, overrides: Overrides | None = None, *, early_extended_close: dt.time = dt.time(17, 0)) -> None:
        refuse_early_extended_close(early_extended_close)
        self._early_extended_close = early_extended_close
        self._read_tables(overrides or Overrides())
        self._trading_day_set = frozenset(self._trading_days)
        self._sessions: dict[dt.date, TradingSession] = {}

    def _read_tables(self, overrides: Overrides) -> None:
        overrides.check(self.FIRST_DAY, self.LAST_DAY)
        years = self.FIRST_DAY.year, self.LAST_DAY.year
        self._closures = {**closures(*years), **{entry.day: entry.reason for entry in overrides.closures}}
        self._early_closes = {**early_closes(*years), **{e.day: e.closes for e in overrides.early_closes}}
        for early in overrides.early_closes:
            self._closures.pop(early.day, None)
        for full in overrides.full_sessions:
            self._closures.pop(full.day, None)
            self._early_closes.pop(full.day, None)
        every_day = map(dt.date.fromordinal, range(self.FIRST_DAY.toordinal(), self.LAST_DAY.toordinal() + 1))
        self._trading_days = tuple(day for day in every_day if day.weekday() < _SATURDAY and day not in self._closures)

    # Days

    def is_trading_day(self, day: dt.date) -> bool:
        """Whether the exchange has a regular session, full or early, on that New York date."""
        return self._inside(day) in self._trading_day_set

    def closure_name(self, day: dt.date) -> str | None:
        """Why the exchange is shut ("Good Friday", "Saturday"); None on a trading day."""
        if self.is_trading_day(day):
            return None
        return self._closures.get(day) or day.strftime("%A")

    def next_trading_day(self, day: dt.date) -> dt.date:
        """First trading day after `day`, itself excluded."""
        position = bisect_right(self._trading_days, self._inside(day))
        if position == len(self._trading_days):
            raise self._outside(self.LAST_DAY + dt.timedelta(days=1))
        return self._trading_days[position]

    def previous_trading_day(self, day: dt.date) -> dt.date:
        """Last trading day before `day`, itself excluded."""
        position = bisect_left(self._trading_days, self._inside(day))
        if position == 0:
            raise self._outside(self.FIRST_DAY - dt.timedelta(days=1))
        return self._trading_days[position - 1]

    def trading_days(self, first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
        """Trading days from `first` to `last`, both included, ascending; empty if they are reversed."""
        start = bisect_left(self._trading_days, self._inside(first))
        return self._trading_days[start : bisect_right(self._trading_days, self._inside(last))]

    def last_trading_days(self, count: int, *, up_to: dt.date) -> tuple[dt.date, ...]:
        """The latest `count` trading days not after `up_to`, ascending."""
        if count < 0:
            raise ValueError(f"cannot count {count} trading days")
        end = bisect_right(self._trading_days, self._inside(up_to))
        if end < count:
            raise self._outside(self.FIRST_DAY - dt.timedelta(days=1))
        return self._trading_days[end - count : end]

    # Instants

    def session(self, day: dt.date) -> TradingSession:
        """Boundaries of the day's session; NotATradingDay, which names the closure, if there is none."""
        if (known := self._sessions.get(day)) is not None:
            return known
        if (closure := self.closure_name(day)) is not None:
            raise NotATradingDay(day, closure)
        return self._sessions.setdefault(day, self._session_on(day, early=self._early_closes.get(day)))

    def _session_on(self, day: dt.date, *, early: dt.time | None) -> TradingSession:
        return TradingSession(
            day=day,
            pre_market_opens_at=_utc(day, EXTENDED_OPEN),
            opens_at=_utc(day, REGULAR_OPEN),
            closes_at=_utc(day, early or REGULAR_CLOSE),
            extended_closes_at=_utc(day, self._early_extended_close if early else EXTENDED_CLOSE),
            early_close=early is not None,
        )

    def session_after(self, day: dt.date) -> TradingSession:
        """The session after that of `day`. After LAST_DAY one that is supposed, with regular hours on the next weekday:
        for deadlines, so that the last day's own evening has an end; never for data."""
        if self.FIRST_DAY <= day < self._trading_days[-1]:
            return self.session(self.next_trading_day(day))
        supposed = day + dt.timedelta(days=1)
        while supposed.weekday() >= _SATURDAY:
            supposed += dt.timedelta(days=1)
        return self._session_on(supposed, early=None)

    def last_completed(self, now: dt.datetime) -> dt.date:
        """Latest trading day whose regular session has closed by `now`."""
        today = _new_york_day(now)
        if self.is_trading_day(today) and self.session(today).closes_at <= now:
            return today
        return self.previous_trading_day(today)

    def phase_at(self, now: dt.datetime) -> SessionPhase:
        """Phase of the market at an aware instant; the transition's own instant is in the new phase."""
        # The extended session lies inside one New York date, so only that date's session can matter.
        today = _new_york_day(now)
        return self.session(today).phase_at(now) if self.is_trading_day(today) else SessionPhase.CLOSED

    def transitions(self, after: dt.datetime, until: dt.datetime) -> Iterator[Transition]:
        """Transitions with after < at <= until, ascending; refuses an interval that leaves the horizon."""
        days = self.trading_days(_new_york_day(after), _new_york_day(until))
        return (
            transition
            for day in days
            for transition in self.session(day).transitions()
            if after < transition.at <= until
        )

    # Horizon

    def _inside(self, day: dt.date) -> dt.date:
        # A datetime is a date to Python, and 03:00 UTC is still yesterday in New York.
        if isinstance(day, dt.datetime):
            raise TypeError(f"a New York date is needed, not the instant {day!r}")
        if not self.FIRST_DAY <= day <= self.LAST_DAY:
            raise self._outside(day)
        return day

    def _outside(self, day: dt.date) -> OutsideHorizon:
        return OutsideHorizon(day, self.FIRST_DAY, self.LAST_DAY)


def refuse_early_extended_close(time: dt.time) -> None:
    """Raises CalendarError where the extended session of an early-close day cannot end at *time*."""
    if not REGULAR_CLOSE <= time <= EXTENDED_CLOSE:
        raise CalendarError(
            f"extended trading cannot end at {time} after an early close: give a New York time from 16:00 to 20:00"
        )


def _utc(day: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(day, time, tzinfo=NEW_YORK).astimezone(dt.UTC)


def _new_york_day(now: dt.datetime) -> dt.date:
    if now.tzinfo is None:
        raise ValueError(f"an aware instant is needed, not {now!r}")
    return now.astimezone(NEW_YORK).date()
