"""Says by what a session is measured: calendar and schedule, windows, plan, and since when there was anybody to do it.

Pure. `due_at` is when this plan should have brought a data set; a deadline is that plus the time it may take.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from consumer.tasks import data_sets as sets
from consumer.verdict.vendor_plan import Capability, VendorPlan
from market.schedule import Schedule, final_at

#: What the session in question is made of; fetched a session, or a session and symbol, at a time.
SESSION_SETS = (sets.DAILY_BARS, sets.VOLUME_SLOTS)
#: What describes the present: fetched since the session closed, it describes the session or what came after it.
PRESENT_SETS = (sets.UNIVERSE, sets.FLOATS, sets.SPLITS)
#: What is computed of the newest day: brought to the session or beyond it.
COMPUTED_SETS = (sets.ATR, sets.DERIVED)

NEEDS: dict[str, Capability] = {
    sets.FLOATS: Capability.FLOATS, sets.SPLITS: Capability.SPLITS, sets.DETAILS: Capability.TICKER_DETAILS,
}  # fmt: skip


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has settled: windows, deadline, budget (None = no limit) and whether files are configured."""

    schedule: Schedule
    ohlc_sessions: int = 30
    slot_sessions: int = 10
    restate_sessions: int = 1
    details_refresh_days: int = 30
    deadline: dt.timedelta = dt.timedelta(hours=1)
    requests_per_second: float | None = None
    slot_files: bool = False


class Ruler(msgspec.Struct, frozen=True, kw_only=True):
    """Expectations, plan and the present instant; *began_at* is when this database was first maintained."""

    expectations: Expectations
    plan: VendorPlan
    now: dt.datetime
    symbols: int
    began_at: dt.datetime
    first_slots: dt.date | None = None
    first_bars: dt.date | None = None

    @property
    def schedule(self) -> Schedule:
        return self.expectations.schedule

    @property
    def front(self) -> dt.date:
        """The newest session that has closed."""
        return self.schedule.calendar.last_completed(self.now)

    def first_due(self, day: dt.date) -> dt.datetime:
        """The schedule's first due time of *day*."""
        return self.schedule.occurrences(day)[0].due_at

    def final_at(self, day: dt.date) -> dt.datetime:
        return final_at(self.schedule.calendar.session(day))

    def not_in_plan(self) -> tuple[str, ...]:
        """The data sets that this plan never brings."""
        without = [name for name, capability in NEEDS.items() if not self.plan.has(capability)]
        return tuple(sorted(without + ([] if self.plan.brings_slots else [sets.VOLUME_SLOTS])))

    def kept(self, data_set: str, day: dt.date) -> bool:
        """Whether *data_set* is kept of *day*: in the window, or since the first session that is stored."""
        windows = {
            sets.DAILY_BARS: (self.expectations.ohlc_sessions, self.first_bars),
            sets.VOLUME_SLOTS: (self.expectations.slot_sessions, self.first_slots),
        }
        if data_set not in windows:
            return True
        sessions, oldest = windows[data_set]
        start = self.schedule.calendar.last_trading_days(sessions, up_to=max(day, self.front))[0]
        return day >= (start if oldest is None else min(start, oldest))

    def due_at(self, data_set: str, day: dt.date) -> dt.datetime:
        """When this plan should have brought *data_set* of *day*."""
        first = self.first_due(day)
        if data_set in PRESENT_SETS:
            return first
        if data_set == sets.DETAILS:
            # One request a symbol on a first load; afterwards some hundred a night.
            work = self.plan.time_for(2 * self.symbols)
            return max(first, self.began_at + work) if self._is_long(work) else first
        published = max(first, self.plan.published_at(self.schedule.calendar.session(day)))
        return max(published, self._slots_due(day, published)) if data_set == sets.VOLUME_SLOTS else published

    def comes_later(self, data_set: str, day: dt.date) -> bool:
        """Whether this plan brings it later than the schedule asks for it."""
        return self.due_at(data_set, day) > self.first_due(day)

    def is_later(self, data_set: str, day: dt.date) -> bool:
        """Whether this plan brings it later, and that instant is still to come."""
        return self.comes_later(data_set, day) and self.now < self.due_at(data_set, day)

    def _slots_due(self, day: dt.date, published: dt.datetime) -> dt.datetime:
        """One request a symbol: a night's work, or that of several nights which rotate through the market."""
        calendar = self.schedule.calendar
        if self.plan.slots_by_file_only:
            return self.plan.file_out_at(calendar.session(day))
        opens_at = calendar.session(calendar.next_trading_day(day)).opens_at
        nights = self.plan.nights_for(self.symbols, opens_at - published)
        if nights == 0:
            return published
        if nights == 1:
            return max(published, self.began_at) + self.plan.time_for(self.symbols)
        last = day
        for _ in range(nights):
            last = calendar.next_trading_day(last)
        return max(calendar.session(last).opens_at, self.began_at + nights * dt.timedelta(days=1))

    def _is_long(self, work: dt.timedelta) -> bool:
        return work > self.expectations.deadline

    def deadline(self, due_at: dt.datetime, day: dt.date) -> dt.datetime:
        """Until when what falls due at *due_at* has to be there; what the plan brings later has its own time."""
        published = self.plan.published_at(self.schedule.calendar.session(day))
        work = 2 * self.plan.time_for(self.symbols)
        allowed = self.expectations.deadline if self._is_long(work) else max(self.expectations.deadline, work)
        return max(due_at, published, self.began_at) + allowed
