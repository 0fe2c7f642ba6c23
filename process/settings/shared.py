"""Declares the settings that more than one process reads, so that all of them read them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.calendar_errors import CalendarError
from market.trading_calendar import TradingCalendar, load_overrides, refuse_early_extended_close
from process.settings.reading import BadValue, Setting
from process.settings.urls import redis_url
from process.settings.values import file, one_of, switch, time_of_day, whole

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path


def _overrides(value: str) -> Path:
    path = file(value)
    try:
        load_overrides(path).check(TradingCalendar.FIRST_DAY, TradingCalendar.LAST_DAY)
    except CalendarError as error:
        raise BadValue(f"cannot be followed: {error}") from error
    return path


def _early_extended_close(value: str) -> dt.time:
    time = time_of_day(value)
    try:
        refuse_early_extended_close(time)
    except CalendarError as error:
        raise BadValue(f"contradicts the calendar: {error}") from error
    return time


REDIS_URL = Setting(
    name="REDIS_URL",
    field="redis_url",
    default="",
    read=redis_url,
    secret=True,
    meaning="a Redis 6.2 or newer of your own; without it an embedded one is started",
)
CALENDAR_OVERRIDES = Setting(
    name="TRADING_CALENDAR_OVERRIDES",
    field="calendar_overrides",
    default="",
    read=_overrides,
    meaning="TOML file with closures and early closes that the calendar cannot know yet",
)
EARLY_EXTENDED_CLOSE = Setting(
    name="EARLY_EXTENDED_CLOSE",
    field="early_extended_close",
    default="17:00",
    read=_early_extended_close,
    meaning="when the extended session ends on early-close days, New York time",
)
SESSION_CATCH_UP_DAYS = Setting(
    name="SESSION_CATCH_UP_DAYS",
    field="session_catch_up_days",
    default="10",
    read=whole(1, 365),
    meaning="how far back the market-session producer publishes transitions that it missed",
)
PUBLISH_SESSIONS = Setting(
    name="PUBLISH_SESSIONS",
    field="publish_sessions",
    default="off",
    read=switch,
    meaning="on: the market-session producer also tells neighbours (market:session:current, events:day:changed, …)",
)
LOG_LEVEL = Setting(
    name="LOG_LEVEL",
    field="log_level",
    default="INFO",
    read=lambda value: one_of("trace", "debug", "info", "warning", "error")(value).upper(),
    meaning="least level",
)
LOG_FORMAT = Setting(
    name="LOG_FORMAT",
    field="log_format",
    default="auto",
    read=one_of("auto", "json", "text"),
    meaning="auto: text on a terminal, JSON lines elsewhere",
)


def build_calendar(overrides: Path | None, early_extended_close: dt.time) -> TradingCalendar:
    """Return the calendar that the settings describe. Raises CalendarError where the file has changed since."""
    read = None if overrides is None else load_overrides(overrides)
    return TradingCalendar(read, early_extended_close=early_extended_close)


def log_as_json(log_format: str, *, terminal: bool) -> bool:
    """Whether log lines are for machines."""
    return log_format == "json" or (log_format == "auto" and not terminal)
