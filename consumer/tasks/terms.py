"""Says what a cycle is measured by: its sessions, and since when their data must have been fetched.  Pure.

The same for its plan, for each of its parts and for its verdict: a due time that passes meanwhile changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.cycles import Cycle
from market.data_source import DataSource, SourceKind
from market.schedule import Schedule

if TYPE_CHECKING:
    from consumer.vendor.questions import Question
    from market.trading_calendar import TradingCalendar


class TaskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The windows and sizes that the operator may set.

    *requests_per_second* None is no limit. *requests_a_pass* bounds what one pass asks for ticker by ticker, so that
    on a slow plan what was loaded reaches figures and caches every few hours; the next pass goes on.
    *sample_requests*: what a week's sample of what is stored may cost, 0 for none.
    *kept_days*: by data set, and of the working records, how long they are kept, where that is not for ever.
    *endpoint_batches*: symbols a part, where fewer. *ask_for*: how long a part asks before it commits what it has.
    """

    ohlc_sessions: int = 30
    slot_sessions: int = 10
    rvol_sessions: int = 5
    restate_sessions: int = 1
    sample_requests: int = 150
    atr_period: int = 14
    details_refresh_days: int = 30
    batch: int = 100
    endpoint_batches: Mapping[str, int] = {}
    ask_for: dt.timedelta | None = None
    requests_at_once: int = 16
    requests_per_second: float | None = None
    requests_a_pass: int | None = None
    deadline: dt.timedelta = dt.timedelta(hours=1)
    kept_days: Mapping[str, int] = {}

    def batch_of(self, endpoint: Question) -> int:
        """How many symbols a part asks *endpoint* for."""
        return min(self.batch, self.endpoint_batches.get(endpoint.value, self.batch))


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle, the schedule and the operator's options; *source* is whose market it is."""

    cycle: Cycle
    schedule: Schedule
    options: TaskOptions
    source: DataSource

    @property
    def day(self) -> dt.date:
        """The trading day that the cycle is for."""
        return self.cycle.trading_day

    @property
    def calendar(self) -> TradingCalendar:
        return self.schedule.calendar

    @property
    def is_backfill(self) -> bool:
        """Whether the cycle fills gaps of the past, and computes nothing of the newest day."""
        return self.cycle.first_day is not None

    def sessions(self, count: int) -> tuple[dt.date, ...]:
        """The last *count* trading days up to and including the cycle's, ascending; of a backfill its own days."""
        if self.cycle.first_day is not None:
            return self.calendar.trading_days(self.cycle.first_day, self.day)
        return self.calendar.last_trading_days(count, up_to=self.day)

    def fresh_since(self, day: dt.date) -> dt.datetime:
        """Since when data of *day* must have been fetched to need no fetching now; forced cycles want all anew."""
        # As of the pass's start, so that plan, parts and verdict measure alike though a due time passes meanwhile.
        since = self.schedule.fresh_since(day, self.cycle.pass_started_at)
        return max(since, self.cycle.opened_at) if self.cycle.force else since

    def settled_since(self, day: dt.date) -> dt.datetime:
        """The same for bars and slots, which the vendor restates on the evenings after."""
        restate = self.options.restate_sessions
        since = self.schedule.settled_since(day, self.cycle.pass_started_at, restate=restate)
        return max(since, self.cycle.opened_at) if self.cycle.force else since

    def present_day(self, at: dt.datetime, newest_listing: dt.date | None) -> dt.date:
        """The session whose evening it is at the instant *at*, when a list of the present was fetched.

        Not the cycle's day: a cycle for an old day is told today's listing. In a replay the clock is years ahead of
        the market, and the present is the newest day that was maintained.
        """
        if self.source.kind is not SourceKind.REPLAY:
            return self.calendar.last_completed(at)
        return self.day if newest_listing is None else max(self.day, newest_listing)
