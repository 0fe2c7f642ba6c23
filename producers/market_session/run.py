"""Runs the producer: look, publish what is due, pause until the next transition, for ever.

Ends only when it is cancelled. A Redis that is away, restarting, full or read-only is waited for; any number of
these may run side by side, because publishing decides what is new (publish.lua).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Never

import msgspec
from loguru import logger
from redis.exceptions import RedisError, ResponseError

from contract.keys import SESSIONS
from market.calendar_errors import CalendarError
from process.trouble import Trouble
from producers.market_session.due import Due, due_transitions, pause_until_next, session_changed
from producers.market_session.neighbours import Neighbours
from producers.market_session.session_stream import Outcome, Published, SessionStream
from producers.market_session.status import next_midnight
from producers.mending import mend_streams

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from market.session import Transition
    from market.trading_calendar import TradingCalendar

CATCH_UP = dt.timedelta(days=10)
# A reply that never comes (a frozen server behind an open connection) must not end the watch.
PASS_TIMEOUT = dt.timedelta(seconds=30)
LOOK_AGAIN = dt.timedelta(seconds=1)
LONGEST_BACKOFF = dt.timedelta(seconds=10)
CALENDAR_PAUSE = dt.timedelta(minutes=10)

Clock = Callable[[], dt.datetime]
Sleep = Callable[[float], Awaitable[object]]


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """How far back a producer tells of transitions, and whether also neighbours hear of them."""

    catch_up: dt.timedelta = CATCH_UP
    neighbours: bool = False


class Producer:
    """One producer; *now* lags Redis' clock or is it: no machine's clock can publish early or late."""

    def __init__(
        self,
        redis: Redis,
        calendar: TradingCalendar,
        *,
        catch_up: dt.timedelta = CATCH_UP,
        now: Clock | None = None,
        neighbours: bool = False,
    ) -> None:
        self._stream = SessionStream(redis)
        self._neighbours = Neighbours(redis, calendar) if neighbours else None
        self._calendar = calendar
        self._catch_up = catch_up
        self._now = now

    async def publish_due(self) -> dt.timedelta:
        """Publish all that is due and say how long nothing else can become due."""
        seen = await self._stream.look()
        now = seen.redis_now if self._now is None else min(self._now(), seen.redis_now)
        if self._neighbours is not None:
            await self._neighbours.tell(now)
        due = due_transitions(self._calendar, published_at=seen.latest_at, now=now, catch_up=self._catch_up)
        published = 0
        for transition in due.transitions:
            # What is over by now is no news to who has no memory of it: they hear of the phase that it is.
            aloud = self._neighbours is not None and transition is due.transitions[-1]
            match await self._stream.publish(session_changed(self._calendar, transition), seen, aloud=aloud):
                case Outcome.PUBLISHED:
                    published += 1
                    _tell(transition, seen)
                case Outcome.KNOWN:
                    pass
                case Outcome.EARLY | Outcome.MOVED:
                    # What was seen is no longer so: Redis was flushed or restored, or its clock went back.
                    return LOOK_AGAIN
        if published and due.skipped:
            _tell_skipped(due, seen)
        pause = pause_until_next(self._calendar, now)
        return pause if self._neighbours is None else min(pause, next_midnight(now) - now)


async def run(
    redis: Redis,
    calendar: TradingCalendar,
    *,
    telling: Telling | None = None,
    now: Clock | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Never:
    """Publish every transition at its time until cancelled; where the calendar ends, say so and wait."""
    telling = telling or Telling()
    producer = Producer(redis, calendar, catch_up=telling.catch_up, now=now, neighbours=telling.neighbours)
    failures, trouble = 0, Trouble("session_stream_unreachable")
    while True:
        try:
            async with asyncio.timeout(PASS_TIMEOUT.total_seconds()):
                pause = await producer.publish_due()
            failures = 0
            trouble.over()
        except CalendarError as error:
            # Ending would be started again at once, for ever: a clock may be set right, and a release takes a restart.
            logger.bind(problem=str(error), runbook="calendar-ends").error("trading_calendar_ends")
            pause = CALENDAR_PAUSE
        except (RedisError, OSError, TimeoutError) as error:
            failures += 1
            pause = backoff(failures, random.random())
            await _mend(redis, error)
            trouble.met(error)
        await sleep(pause.total_seconds())


async def _mend(redis: Redis, error: Exception) -> None:
    """A stream that takes no more entries is mended here too: there may be no consumer."""
    if isinstance(error, ResponseError):
        with contextlib.suppress(RedisError, OSError):
            await mend_streams(redis, [SESSIONS])


def backoff(failures: int, luck: float) -> dt.timedelta:
    """Full jitter: producers that lost the same Redis do not come back in the same moment."""
    ceiling = min(LONGEST_BACKOFF, dt.timedelta(seconds=0.25 * 2 ** min(failures, 10)))
    return dt.timedelta(seconds=0.05) + ceiling * luck


def _tell(transition: Transition, seen: Published) -> None:
    late = max(dt.timedelta(), seen.redis_now - transition.at)
    logger.bind(
        from_session=transition.from_phase.value,
        to_session=transition.to_phase.value,
        trading_day=transition.trading_day,
        scheduled_at=transition.at,
        late_s=round(late.total_seconds(), 3),
    ).info("session_change_published")


def _tell_skipped(due: Due, seen: Published) -> None:
    logger.bind(
        skipped=due.skipped, last_published_at=seen.latest_at, first_published_at=due.transitions[0].at
    ).warning("session_changes_older_than_catch_up_skipped")
