"""Reads what the market-session producer needs of the settings, as every other process reads them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from market.calendar_errors import CalendarError
from market.trading_calendar import TradingCalendar
from process.settings.reading import BadSettings, read_values
from process.settings.server_names import REDIS
from process.settings.shared import (
    CALENDAR_OVERRIDES,
    EARLY_EXTENDED_CLOSE,
    LOG_FORMAT,
    LOG_LEVEL,
    PUBLISH_SESSIONS,
    REDIS_URL,
    SESSION_CATCH_UP_DAYS,
    build_calendar,
)
from process.settings.understood import understood

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SETTINGS", "BadSettings", "Settings", "read_settings"]

#: It starts no Redis: without a setting it takes the one of this machine.
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
SETTINGS = (
    msgspec.structs.replace(REDIS_URL, default=DEFAULT_REDIS_URL),
    SESSION_CATCH_UP_DAYS,
    EARLY_EXTENDED_CLOSE,
    CALENDAR_OVERRIDES,
    PUBLISH_SESSIONS,
    LOG_LEVEL,
    LOG_FORMAT,
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set of the producer, checked."""

    redis_url: str
    calendar: TradingCalendar
    catch_up: dt.timedelta
    publish_sessions: bool
    log_level: str
    log_format: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in *environment*. Raises BadSettings with every problem."""
    given = understood(environment, SETTINGS, servers=[REDIS])
    values = read_values(SETTINGS, given.environment)
    if problems := [*given.problems, *values.problems]:
        raise BadSettings(problems)
    try:
        calendar = build_calendar(values.of("calendar_overrides"), values.of("early_extended_close"))
    except CalendarError as error:  # the file changed between two reads
        raise BadSettings([f"{CALENDAR_OVERRIDES.name}: {error}"]) from error
    return Settings(
        redis_url=values.of("redis_url"),
        calendar=calendar,
        catch_up=dt.timedelta(days=values.of("session_catch_up_days")),
        publish_sessions=values.of("publish_sessions"),
        log_level=values.of("log_level"),
        log_format=values.of("log_format"),
    )
