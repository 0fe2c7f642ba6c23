"""Reads the producer's settings from the environment, once, and tells all bad values together.

Each fault names the variable, its value and the cure; the password of a Redis URL is never repeated.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from redis.asyncio.connection import parse_url

from market.trading_calendar import CalendarError, Overrides, TradingCalendar, load_overrides
from producers.market_session.run import CATCH_UP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
MOST_CATCH_UP_DAYS = 365

T = TypeVar("T")


class BadSettings(Exception):
    """The environment cannot be used; *problems* holds one readable line a fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    redis_url: str
    calendar: TradingCalendar
    catch_up: dt.timedelta


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in *environment*; a blank value counts as absent. BadSettings tells every fault."""
    problems: list[str] = []

    def read(name: str, default: str, reader: Callable[[str], T], fallback: T) -> T:
        try:
            return reader(environment.get(name, "").strip() or default)
        except ValueError as error:
            problems.append(f"{name} {error}")
            return fallback

    redis_url = read("REDIS_URL", DEFAULT_REDIS_URL, _redis_url, "")
    catch_up = read("SESSION_CATCH_UP_DAYS", str(CATCH_UP.days), _days, CATCH_UP)
    early_extended_close = read("EARLY_EXTENDED_CLOSE", "17:00", _early_extended_close, dt.time(17))
    overrides = read("TRADING_CALENDAR_OVERRIDES", "", _overrides, None)
    if problems:
        raise BadSettings(problems)
    calendar = TradingCalendar(overrides, early_extended_close=early_extended_close)
    return Settings(redis_url=redis_url, calendar=calendar, catch_up=catch_up)


def _redis_url(text: str) -> str:
    try:
        parse_url(text)
    except ValueError as error:
        cure = "write redis://HOST:PORT/0, rediss://… or unix:///PATH"
        raise ValueError(f"is not the URL of a Redis: {cure}") from error
    return text


def _days(text: str) -> dt.timedelta:
    if re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= MOST_CATCH_UP_DAYS:
        return dt.timedelta(days=int(text))
    raise ValueError(f"{text!r} is not a number of days: write 1 to {MOST_CATCH_UP_DAYS}")


def _early_extended_close(text: str) -> dt.time:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f"{text!r} is not a time of day: write HH:MM, New York time, like 17:00")
    time = dt.time.fromisoformat(text)
    try:
        TradingCalendar(early_extended_close=time)
    except CalendarError as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from error
    return time


def _overrides(text: str) -> Overrides | None:
    if not text:
        return None
    try:
        overrides = load_overrides(Path(text))
        overrides.check(TradingCalendar.FIRST_DAY, TradingCalendar.LAST_DAY)
    except CalendarError as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from error
    return overrides
