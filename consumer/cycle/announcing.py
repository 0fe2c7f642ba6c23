"""Tells neighbours, by setting, that a day's data are whole and that a new day begins.

Nothing is said but what is committed: the verdict on a session as it stands in PostgreSQL. Each look says what is not
said yet, so that a crash between the commit and the word is a delay; said twice, it says the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

from consumer.alerts.noting import NOBODY, Alerts
from consumer.postgres import session_conditions
from contract import keys
from contract.announcements import Completed, NewDay, encode_announcement
from contract.reports import SessionState
from market.session import EXTENDED_OPEN
from market.trading_calendar import NEW_YORK, TradingCalendar

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Pool
    from consumer.postgres.session_conditions import SessionCondition

WHOLE = frozenset({SessionState.PROVISIONAL, SessionState.FINAL})
#: New York time. From the first trade of the extended session on, cleared screens would miss what they had shown.
NEW_DAY_AT, NEW_DAY_UNTIL = dt.time(3), EXTENDED_OPEN


def _completion(day: dt.date, condition: SessionCondition | None, now: dt.datetime) -> tuple[str, str, str]:
    """The day, its state where its data are whole, and what is said of it."""
    if condition is None or condition.state not in WHOLE:
        return day.isoformat(), "", ""
    completed = Completed(date=day, timestamp=now, state=condition.state)
    return day.isoformat(), condition.state, encode_announcement(completed)


class Announcing(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, and by which calendar and clock."""

    completion: bool
    new_day: bool
    calendar: TradingCalendar
    now: Callable[[], dt.datetime]
    alerts: Alerts = NOBODY


class Announcer:
    """What one consumer tells those beside it."""

    def __init__(self, pool: Pool, redis: Redis, announcing: Announcing) -> None:
        self._pool, self._redis = pool, redis
        self._announcing = announcing
        self._complete = redis.register_script((files(__package__) / "complete.lua").read_text("utf-8"))
        self._begin = redis.register_script((files(__package__) / "new_day.lua").read_text("utf-8"))

    @property
    def alerts(self) -> Alerts:
        """What is told outside the stack."""
        return self._announcing.alerts

    async def look(self) -> None:
        """Say all that is to be said by now. Raises what a server that is away raises, and CalendarError."""
        await self.tell_completion()
        await self._tell_new_day()

    async def tell_completion(self) -> None:
        """Say which sessions of the last week are whole, and take back what is said of those that are not any more."""
        if not self._announcing.completion:
            return
        now = self._announcing.now()
        today = now.astimezone(NEW_YORK).date()
        first = today - (keys.EXECUTED.ttl or dt.timedelta())
        days = self._announcing.calendar.trading_days(first, today)
        names = [keys.TOLD.pattern, *(keys.EXECUTED.pattern.format(trading_day=day.isoformat()) for day in days)]
        kept_ms = (today - first) // dt.timedelta(milliseconds=1)
        async with session_conditions.read_in_turn(self._pool, days) as conditions:
            arguments = [text for day in days for text in _completion(day, conditions.get(day), now)]
            said = await self._complete(keys=names, args=[keys.COMPLETED.name, kept_ms, first.isoformat(), *arguments])
        for day in said:
            logger.info("completion_published", trading_day=day)

    async def _tell_new_day(self) -> None:
        """Once on each trading day, in the hour before the extended session; missed, it is left out."""
        now = self._announcing.now().astimezone(NEW_YORK)
        if not self._announcing.new_day or not NEW_DAY_AT <= now.time() < NEW_DAY_UNTIL:
            return
        if self._announcing.calendar.is_trading_day(now.date()):
            day = now.date().isoformat()
            names = [keys.NEW_DAY_TOLD.pattern]
            if await self._begin(keys=names, args=[day, keys.NEW_DAY.name, self._new_day(now)]):
                logger.info("new_day_published", day=day)

    async def clear_caches_asked(self, cycle: Cycle) -> None:
        """Say for a request with `clear_caches` what it means to neighbours, or note that the settings do not allow it.

        Our own caches are never empty: each is built beside the old one, and takes its place.
        """
        if not self._announcing.new_day:
            logger.info("clear_caches_ignored", cycle=cycle.cycle_id, cure="set PUBLISH_NEW_DAY=on")
            return
        now = self._announcing.now().astimezone(NEW_YORK)
        await self._redis.publish(keys.NEW_DAY.name, self._new_day(now))
        logger.info("new_day_published", day=now.date().isoformat(), cycle=cycle.cycle_id)

    def _new_day(self, now: dt.datetime) -> str:
        return encode_announcement(NewDay(date=now.date(), timestamp=now.astimezone(dt.UTC)))
