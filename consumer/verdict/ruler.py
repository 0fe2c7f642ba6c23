"""Says by what a session is measured: calendar and schedule, windows, plan, and since when there was anybody to do it.

Pure. `due_at` is when this plan should have brought a data set; a deadline is that plus the time it may take.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from consumer.catalogue.registry import BY_NAME, DATA_SETS
from consumer.data_sets.declaration import Covers
from consumer.data_sets.vendor_plan import Capability, VendorPlan
from consumer.tasks.passes import DETAILS_SHARE, PASS_LASTS
from contract import data_sets as sets
from market.schedule import Schedule, final_at

JUDGED = tuple(one for one in DATA_SETS if one.in_verdict)
#: What the session in question is made of; asked for a session, or a session and symbol, at a time.
SESSION_SETS = tuple(one.name for one in JUDGED if one.is_of_sessions and one.is_asked_for)
#: What has a row a session and symbol, and what comes in the same answers.
SLOT_SETS = tuple(one.name for one in JUDGED if one.covers in (Covers.SYMBOL_AND_SESSION, Covers.BESIDE))
#: What describes the present: fetched since the session closed, it describes the session or what came after it.
PRESENT_SETS = tuple(one.name for one in JUDGED if one.covers is Covers.PRESENT)
NEEDS: dict[str, Capability] = {one.name: one.capability for one in JUDGED if one.capability is not None}


#: A first start shortly before the open is no measure of a night.
SHORTEST_NIGHT = dt.timedelta(hours=9)


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
    """Expectations, plan and the present instant; *began_at* is when this database was first maintained.

    *first_days*: the oldest session of each data set that has sessions.
    """

    expectations: Expectations
    plan: VendorPlan
    now: dt.datetime
    symbols: int
    began_at: dt.datetime
    first_days: Mapping[str, dt.date] = {}

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
        """Whether *data_set* is kept of *day*: in the window, or since the first session for bars, or first start."""
        one = BY_NAME.get(data_set)
        if one is None or one.window is None:
            return True
        sessions = getattr(self.expectations, one.window)
        oldest = self._first_slots() if data_set in SLOT_SETS else self.first_days.get(data_set)
        start = self.schedule.calendar.last_trading_days(sessions, up_to=max(day, self.front))[0]
        return day >= (start if oldest is None else min(start, oldest))

    def _first_slots(self) -> dt.date:
        """Slots are kept since the window of the first start, or where nights rotate, of when they first had rotated.

        One session that was fetched from before it is no reason to expect all those between.
        """
        calendar = self.schedule.calendar
        last = calendar.last_completed(self.began_at)
        nights = self._nights(last, self.symbols) if self.plan.has(Capability.RANGE_BARS) else 0
        for _ in range(nights if nights > 1 else 0):
            last = calendar.session_after(last).day
        return calendar.last_trading_days(self.expectations.slot_sessions, up_to=min(last, calendar.LAST_DAY))[0]

    def due_at(self, data_set: str, day: dt.date) -> dt.datetime:
        """When this plan should have brought *data_set* of *day*."""
        first = self.first_due(day)
        if data_set in PRESENT_SETS:
            return first
        if data_set == sets.DETAILS:
            return max(first, self._details_due(day, first))
        published = max(first, self.plan.published_at(self.schedule.calendar.session(day)))
        return max(published, self._slots_due(day, published)) if data_set in SLOT_SETS else published

    def comes_later(self, data_set: str, day: dt.date) -> bool:
        """Whether this plan brings it later than the schedule asks for it."""
        return self.due_at(data_set, day) > self.first_due(day)

    def is_later(self, data_set: str, day: dt.date) -> bool:
        """Whether this plan brings it later, and its time is not over: what has just fallen due is being fetched."""
        return self.comes_later(data_set, day) and self.now < self.due_at(data_set, day) + self.expectations.deadline

    def _slots_due(self, day: dt.date, published: dt.datetime) -> dt.datetime:
        """One request a symbol: a night's work, or that of several nights which rotate through the market.

        A request brings all sessions that a symbol lacks: those before the first start come with its own.
        """
        calendar = self.schedule.calendar
        if self.plan.slots_by_file_only:
            return self.plan.file_out_at(calendar.session(day))
        nights = self._nights(day, self.symbols)
        if nights == 0:
            return published
        if nights == 1:
            return self._begins(day) + self.plan.time_for(self.symbols)
        return self._after_nights(day, nights)

    def _details_due(self, day: dt.date, first: dt.datetime) -> dt.datetime:
        """One request a symbol on a first load, beside the slots; afterwards some hundred a night."""
        if not self._is_long(self.plan.time_for(2 * self.symbols)):
            return first
        nights = self._nights(day, DETAILS_SHARE * self.symbols)
        if nights > 1:
            return self._after_nights(day, nights)
        return self._begins(day) + self.plan.time_for(2 * self.symbols)

    def _nights(self, day: dt.date, requests: int) -> int:
        calendar = self.schedule.calendar
        day = max(day, calendar.last_completed(self.began_at))
        opens_at = calendar.session_after(day).opens_at
        return self.plan.nights_for(requests, max(opens_at - self._begins(day), SHORTEST_NIGHT))

    def _after_nights(self, day: dt.date, nights: int) -> dt.datetime:
        """When so many nights are over, that of *day* or of the first start being the first."""
        calendar = self.schedule.calendar
        last = calendar.session(max(day, calendar.last_completed(self.began_at)))
        for _ in range(nights):
            last = calendar.session_after(last.day)
        return max(last.opens_at, self.began_at + nights * dt.timedelta(days=1))

    def _begins(self, day: dt.date) -> dt.datetime:
        """When work on *day* can begin: once its data can be had, and there is somebody to fetch them."""
        day = max(day, self.schedule.calendar.last_completed(self.began_at))
        published = self.plan.published_at(self.schedule.calendar.session(day))
        return max(self.first_due(day), published, self.began_at)

    def _is_long(self, work: dt.timedelta) -> bool:
        return work > self.expectations.deadline

    def deadline(self, due_at: dt.datetime, day: dt.date) -> dt.datetime:
        """Until when what falls due at *due_at* has to be there.

        Figures and caches follow what a pass asks for ticker by ticker, so a slow plan has as long as a pass more.
        """
        published = self.plan.published_at(self.schedule.calendar.session(day))
        pass_lasts = min(self.plan.time_for(2 * self.symbols), PASS_LASTS)
        allowed = self.expectations.deadline + (pass_lasts if self._is_long(pass_lasts) else dt.timedelta(0))
        return max(due_at, published, self.began_at) + allowed
