"""Tells neighbours of the market's phase as the service that ours takes the place of did: keys, and the change of date.

The keys are written anew at every look, so that what is lost is back within half a minute. Safe to run in any number.
"""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from typing import TYPE_CHECKING

from loguru import logger

from contract.announcements import day_changed
from contract.keys import DAY_CHANGED, MARKET_DAY, MARKET_HOLIDAY, MARKET_PHASE, MARKET_STATUS
from contract.market_status import encode_for_neighbours
from producers.market_session.status import holidays, market_status, new_york_day

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from market.trading_calendar import TradingCalendar


class Neighbours:
    """What one producer tells those beside us."""

    def __init__(self, redis: Redis, calendar: TradingCalendar) -> None:
        self._redis = redis
        self._calendar = calendar
        self._tell = redis.register_script((files(__package__) / "tell.lua").read_text("utf-8"))
        self._holidays: tuple[dt.date, dict[str, str]] | None = None

    async def tell(self, now: dt.datetime) -> None:
        """Write what is so at *now*, holidays first: who hears of a new day reads them. Raises RedisError."""
        day, status = new_york_day(now), market_status(self._calendar, now)
        await self._write_holidays(day)
        said = await self._tell(
            keys=[MARKET_PHASE.pattern, MARKET_STATUS.pattern, MARKET_DAY.pattern],
            args=[
                status.current_session.value,
                encode_for_neighbours(status),
                day.isoformat(),
                (day + dt.timedelta(days=1)).isoformat(),
                DAY_CHANGED.name,
                day_changed(day, status.current_session, at=now),
            ],
        )
        if said:
            logger.info("day_change_published", day=day.isoformat(), trading_day=status.is_trading_day)

    async def _write_holidays(self, day: dt.date) -> None:
        if self._holidays is None or self._holidays[0] != day:
            self._holidays = (day, holidays(self._calendar, day))
        async with self._redis.pipeline(transaction=False) as pipe:
            for key, value in self._holidays[1].items():
                pipe.set(key, value, ex=MARKET_HOLIDAY.ttl)
            await pipe.execute()
