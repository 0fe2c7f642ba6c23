"""Holds what a first contact knows beforehand, and what earlier answers have told the later questions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from market.calendar_errors import CalendarError
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.massive.first_contact.asking import Asker
    from consumer.vendor.first_contact import Seen
    from market.trading_calendar import TradingCalendar


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that may follow from what is seen, as they are now."""

    requests_per_minute: int | None
    ohlc_sessions: int
    slot_sessions: int
    early_extended_close: dt.time
    flat_files: str | None


class FileLook(Protocol):
    """The bucket of flat files, as far as it is looked at."""

    async def came_at(self, kind: str, days: list[dt.date]) -> dict[dt.date, dt.datetime]:
        """When the files of *kind* (day, minute) of *days*, all of one year, were last written, where there is one."""

    async def missing(self, day: dt.date) -> int:
        """The status that answers for the file of a day without a session."""


@dataclass(kw_only=True)
class Contact:
    """One first contact under way. *bucket* None: no keys for one are set, *no_bucket* says what to do."""

    asker: Asker
    calendar: TradingCalendar
    now: Callable[[], dt.datetime]
    configured: Configured
    bucket: FileLook | None
    no_bucket: str = ""
    seen: list[Seen] = field(default_factory=list)
    given_on_its_day: bool | None = None  # None: it could not be told
    has_snapshot: bool | None = None
    real_time: bool | None = None
    traded: list[str] = field(default_factory=list)  # symbols, by what was paid for them, most first
    splits: list[dict[str, Any]] = field(default_factory=list)
    snapshot: dict[str, Any] = field(default_factory=dict)  # by symbol

    @property
    def newest(self) -> dt.date:
        """The newest session whose New York date is over."""
        return self.calendar.previous_trading_day(self.today)

    @property
    def today(self) -> dt.date:
        return self.local.date()

    @property
    def local(self) -> dt.datetime:
        return self.now().astimezone(NEW_YORK)

    @property
    def clock(self) -> str:
        """The time where the market is, in words."""
        return f"{self.local:%a %d %b %H:%M} ET"

    def early_close_before(self, day: dt.date) -> dt.date:
        """The newest day of an early close before *day*."""
        for back in reversed(self.calendar.trading_days(day - dt.timedelta(days=720), day - dt.timedelta(days=1))):
            if self.calendar.session(back).early_close:
                return back
        raise CalendarError(f"no early close in the two years before {day}")

    @property
    def plan(self) -> str:
        """Which of the vendor's plans it looks like."""
        match self.has_snapshot, self.given_on_its_day, self.real_time:
            case False, _, _:
                return "Basic (free), or one without the snapshot"
            case True, _, True:
                return "Advanced: real-time"
            case True, _, False:
                return "Starter or Developer: 15 minutes late"
            case True, _, _:
                return "Starter or more; how late it is shows while the market trades"
            case None, False, _:
                return "one that does not give the current day"
            case _:
                return "not told"
