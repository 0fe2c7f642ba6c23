"""Compares the vendor's list of closures ahead with our calendar; it changes nothing, it makes people look."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from market.trading_calendar import TradingCalendar

_CLOSED, _EARLY = "closed", "early-close"
_CURE = "see which is right; TRADING_CALENDAR_OVERRIDES corrects ours"


class ListedClosure(msgspec.Struct, frozen=True, kw_only=True):
    """A day as the vendor lists it: closed, or with an early close at an instant."""

    day: dt.date
    status: str
    closes_at: dt.datetime | None = None


def disagreements(listed: Sequence[ListedClosure], calendar: TradingCalendar, today: dt.date) -> list[str]:
    """Say, a line a day, where *listed* and *calendar* disagree from *today* to the last day listed."""
    lines: dict[dt.date, str] = {}
    ahead = [one for one in listed if today <= one.day <= calendar.LAST_DAY]
    for one in ahead:
        if (line := _difference(one, calendar)) is not None:
            lines[one.day] = line
    named = {one.day for one in ahead}
    day = today
    while named and day < max(named):
        name = calendar.closure_name(day) if day.weekday() < 5 else None
        if name is not None and day not in named:
            lines[day] = f"calendar: ours has {day} closed ({name}), the vendor does not list it: {_CURE}"
        day += dt.timedelta(days=1)
    return [lines[day] for day in sorted(lines)]


def _difference(one: ListedClosure, calendar: TradingCalendar) -> str | None:
    if one.status == _CLOSED:
        return (
            f"calendar: the vendor has {one.day} closed, ours has a session: {_CURE}"
            if calendar.is_trading_day(one.day)
            else None
        )
    if one.status != _EARLY:
        return None
    if not calendar.is_trading_day(one.day):
        return f"calendar: the vendor has an early close on {one.day}, ours is closed: {_CURE}"
    session = calendar.session(one.day)
    if one.closes_at is not None and one.closes_at != session.closes_at:
        return (
            f"calendar: the vendor closes {one.day} at {one.closes_at:%H:%M} UTC, ours at {session.closes_at:%H:%M} "
            f"UTC: {_CURE}"
        )
    return None
