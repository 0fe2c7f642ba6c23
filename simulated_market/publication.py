"""Decides whether a day may be asked for yet, and how much of it there is.

Free plan: never the current New York date, and two years back.  Paid plan: today too, fifteen minutes late,
with a volume that still grows.  Both refuse the future.  Nobody has verified the live service on this: what it rests on
are switches.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from market.trading_calendar import NEW_YORK, TradingCalendar
from simulated_market.assumptions import Assumptions
from simulated_market.options import Plan
from simulated_market.vendor_errors import not_yet_published, outside_timeframe

if TYPE_CHECKING:
    from collections.abc import Callable


class Publication:
    """The plan and the clock, as the aggregate endpoints see them."""

    def __init__(
        self,
        plan: Plan,
        now: Callable[[], dt.datetime],
        calendar: TradingCalendar,
        assumptions: Assumptions | None = None,
    ) -> None:
        self.plan = plan
        self.assumptions = assumptions or Assumptions()
        self._now = now
        self._calendar = calendar

    def today(self) -> dt.date:
        """The current New York date."""
        return self._now().astimezone(NEW_YORK).date()

    def now(self) -> dt.datetime:
        return self._now().astimezone(dt.UTC)

    def check_day(self, day: dt.date) -> None:
        """Refuses a day that the plan does not give, or not yet."""
        today = self.today()
        if day > today or self._is_too_old(day, today):
            raise outside_timeframe()
        if self.plan is Plan.FREE and not self._is_released(day, today):
            raise not_yet_published()

    def _is_too_old(self, day: dt.date, today: dt.date) -> bool:
        days = self.assumptions.free_history_days
        return self.plan is Plan.FREE and days is not None and day < today - dt.timedelta(days=days)

    def _is_released(self, day: dt.date, today: dt.date) -> bool:
        now = self._now().astimezone(NEW_YORK)
        if day == today:
            shut = not self._calendar.is_trading_day(day) or now >= self._calendar.session(day).closes_at
            return self.assumptions.same_evening and shut
        return day < today - dt.timedelta(days=1) or now.time() >= self.assumptions.refused_until

    def check_range(self, first: dt.date, last: dt.date) -> None:
        """The same for a range: a paid one may end in the future, a free one not even today."""
        self.check_day(min(first, self.today() if self.plan is Plan.PAID else first))
        if self.plan is Plan.FREE:
            self.check_day(last)

    def visible_until_ms(self) -> int:
        """Bars that start later are not there yet."""
        return int((self._now() - self.assumptions.delay).timestamp() * 1000)

    def share_of(self, day: dt.date) -> float:
        """How much of the day's volume has been reported: 0 before it opens, 1 once it is over."""
        seen = self._now() - self.assumptions.delay
        if day != self.today() or not self._calendar.is_trading_day(day):
            return 1.0
        session = self._calendar.session(day)
        if seen < session.opens_at:
            return 0.0
        return min(
            1.0, (seen - session.pre_market_opens_at) / (session.extended_closes_at - session.pre_market_opens_at)
        )
