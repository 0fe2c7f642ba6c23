"""Proves that every transition is published exactly once, whatever producers, clocks and Redis go through."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from consumer.embedded.redis_server import EmbeddedRedis
from consumer.runtime import end_all
from contract.keys import SESSION_PUBLISHED, SESSIONS
from contract.messages import decode_session_changed
from market.session import SessionPhase
from producers.market_session.run import CALENDAR_PAUSE, LONGEST_BACKOFF, Producer, backoff, run
from producers.market_session.session_stream import SessionStream

from .conftest import Clock, published, published_instants, scheduled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from market.trading_calendar import TradingCalendar

    NewProducer = Callable[..., Producer]

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


async def remember(redis: Redis, at: dt.datetime) -> None:
    """Let *at* be the latest published instant."""
    await redis.set(SESSION_PUBLISHED.pattern, int(at.timestamp() * 1000))


def steps(start: dt.datetime, end: dt.datetime) -> Iterator[dt.datetime]:
    """Every hour and every half: each boundary of the week, and the time between."""
    while start <= end:
        yield start
        start += HOUR / 2


async def test_twenty_producers_publish_a_week_once(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer, monday: dt.datetime, saturday: dt.datetime
) -> None:
    await remember(redis, monday)
    clocks = [Clock(monday) for _ in range(20)]
    producers = [new_producer(clock) for clock in clocks]
    luck = random.Random(7)
    for now in [*scheduled(calendar, monday, saturday), saturday]:
        for clock in clocks:
            clock.at = now + dt.timedelta(seconds=luck.uniform(-90, 90))
        await asyncio.gather(*(producer.publish_due() for producer in producers))
    messages = await published(redis)
    assert [message.timestamp for message in messages] == scheduled(calendar, monday, saturday)
    assert [message.trading_date.day for message in messages] == [25] * 4 + [26] * 4 + [27] * 4 + [29] * 4
    assert [m.to_session for m in messages[-2:]] == [SessionPhase.POST_MARKET, SessionPhase.CLOSED]
    assert all(a.to_session == b.from_session for a, b in pairwise(messages))


@pytest.mark.parametrize("seed", range(5))
async def test_producers_that_are_cut_off_anywhere_lose_and_repeat_nothing(
    redis: Redis,
    calendar: TradingCalendar,
    new_producer: NewProducer,
    monday: dt.datetime,
    saturday: dt.datetime,
    seed: int,
) -> None:
    await remember(redis, monday)
    luck = random.Random(seed)
    cut = 0
    for now in steps(monday, saturday):
        task = asyncio.ensure_future(new_producer(Clock(now)).publish_due())
        for _ in range(luck.randrange(40)):
            await asyncio.sleep(0)
        task.cancel()
        cut += bool(isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError))
    await new_producer(Clock(saturday)).publish_due()
    assert cut, "nobody was cut off: the test proves nothing"
    assert await published_instants(redis) == scheduled(calendar, monday, saturday)


async def test_a_producer_that_was_down_over_a_close_publishes_it_late(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer, monday: dt.datetime
) -> None:
    clock = Clock(monday + 12 * HOUR)
    await remember(redis, monday)
    await new_producer(clock).publish_due()
    assert len(await published(redis)) == 2
    clock.at += 24 * HOUR
    await new_producer(clock).publish_due()
    assert await published_instants(redis) == scheduled(calendar, monday, clock.at)


async def test_a_long_absence_is_caught_up_within_the_bound(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer, saturday: dt.datetime, logged: list[str]
) -> None:
    await remember(redis, saturday - 60 * DAY)
    producer = new_producer(Clock(saturday), catch_up=10 * DAY)
    await producer.publish_due()
    await producer.publish_due()
    assert await published_instants(redis) == scheduled(calendar, saturday - 10 * DAY, saturday)
    assert sum("older_than_catch_up_skipped" in line for line in logged) == 1


async def test_a_clock_that_runs_ahead_publishes_nothing_early(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer
) -> None:
    now = (await SessionStream(redis).look()).redis_now
    await remember(redis, now - 8 * DAY)
    await new_producer(Clock(now + 60 * DAY)).publish_due()
    assert await published_instants(redis) == scheduled(calendar, now - 8 * DAY, now)


async def test_a_clock_that_goes_back_repeats_nothing(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer, monday: dt.datetime, saturday: dt.datetime
) -> None:
    await remember(redis, monday)
    clock = Clock(saturday)
    producer = new_producer(clock)
    for jump in (0 * DAY, -2 * DAY, -300 * DAY, 300 * DAY, 2 * DAY):
        clock.at += jump
        await producer.publish_due()
    assert await published_instants(redis) == scheduled(calendar, monday, saturday)


async def test_without_a_clock_of_its_own_a_producer_uses_that_of_redis(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer
) -> None:
    now = (await SessionStream(redis).look()).redis_now
    await new_producer().publish_due()
    [message] = await published(redis)
    assert message.to_session == calendar.phase_at(now)


async def test_after_a_flush_the_latest_transition_is_published_once(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer, monday: dt.datetime, saturday: dt.datetime
) -> None:
    await remember(redis, monday)
    clock = Clock(saturday - 2 * DAY)
    producers = [new_producer(clock) for _ in range(8)]
    await producers[0].publish_due()
    await redis.flushall()
    await redis.script_flush()
    await asyncio.gather(*(producer.publish_due() for producer in producers))
    wednesdays_end = scheduled(calendar, monday, clock.at)[-1]
    assert await published_instants(redis) == [wednesdays_end]
    clock.at = saturday
    await asyncio.gather(*(producer.publish_due() for producer in producers))
    assert await published_instants(redis) == [wednesdays_end, *scheduled(calendar, wednesdays_end, saturday)]


async def test_a_lost_state_key_repeats_nothing(
    redis: Redis, calendar: TradingCalendar, new_producer: NewProducer, monday: dt.datetime, saturday: dt.datetime
) -> None:
    await remember(redis, monday)
    clock = Clock(monday)
    producers = [new_producer(clock) for _ in range(4)]
    for clock.at in [*scheduled(calendar, monday, saturday), saturday]:
        await redis.delete(*([SESSION_PUBLISHED.pattern] if await redis.xlen(SESSIONS.name) else ["nothing"]))
        await asyncio.gather(*(producer.publish_due() for producer in producers))
    assert await published_instants(redis) == scheduled(calendar, monday, saturday)


class Turns:
    """A sleep that lasts until the test gives the next turn, and tells the test that a pass has ended."""

    def __init__(self) -> None:
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self._turn = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        await self._turn.acquire()

    async def give(self) -> float:
        self._turn.release()
        return await asyncio.wait_for(self.pauses.get(), timeout=20)


@pytest.mark.crash
async def test_a_redis_that_dies_and_returns_is_waited_for(
    tmp_path: Path, calendar: TradingCalendar, monday: dt.datetime, logged: list[str]
) -> None:
    server = EmbeddedRedis(tmp_path, {"appendfsync": "always"})
    await server.start()
    redis = Redis.from_url(server.url, decode_responses=True)
    turns, clock = Turns(), Clock(monday)
    await remember(redis, monday)
    producer = asyncio.create_task(run(redis, calendar, now=clock, sleep=turns.sleep))
    try:
        assert await asyncio.wait_for(turns.pauses.get(), timeout=20) == 30
        clock.at += 5 * HOUR
        await turns.give()
        await server.stop()
        clock.at += DAY
        backoffs = [await turns.give() for _ in range(4)]
        assert all(0 < pause <= LONGEST_BACKOFF.total_seconds() + 1 for pause in backoffs)
        await server.start()
        while await turns.give() < 30:
            pass
        assert await published_instants(redis) == scheduled(calendar, monday, clock.at)
    finally:
        await end_all([producer])
        await redis.aclose()
        await server.stop()
    told = [json.loads(line)["event"] for line in logged]
    assert (told.count("session_stream_unreachable"), told.count("trouble_is_over")) == (1, 1)


async def test_between_transitions_it_pauses_at_most_thirty_seconds_and_wakes_at_the_next(
    redis: Redis, calendar: TradingCalendar, monday: dt.datetime
) -> None:
    turns, clock = Turns(), Clock(monday)
    await remember(redis, monday)
    [opening, *_] = scheduled(calendar, monday, monday + DAY)
    producer = asyncio.create_task(run(redis, calendar, now=clock, sleep=turns.sleep))
    try:
        assert await asyncio.wait_for(turns.pauses.get(), timeout=20) == 30
        clock.at = opening - dt.timedelta(seconds=4)
        assert await turns.give() == 4
        clock.at = opening
        assert await turns.give() == 30
        assert await published_instants(redis) == [opening]
    finally:
        await end_all([producer])


@pytest.mark.parametrize("spoilt", ["last id", "a string"])
async def test_a_stream_that_somebody_spoilt_is_mended_without_any_consumer_and_nothing_is_left_out(
    redis: Redis, calendar: TradingCalendar, monday: dt.datetime, spoilt: str
) -> None:
    turns, clock = Turns(), Clock(monday + DAY)
    await remember(redis, monday)
    if spoilt == "last id":
        await redis.xadd(SESSIONS.name, {"a": "b"}, id="18446744073709551615-18446744073709551615")
    else:
        await redis.set(SESSIONS.name, "somebody's")
    producer = asyncio.create_task(run(redis, calendar, now=clock, sleep=turns.sleep))
    try:
        assert await asyncio.wait_for(turns.pauses.get(), timeout=20) < 30
        await turns.give()
        entries = [fields for _, fields in await redis.xrange(SESSIONS.name) if "timestamp" in fields]
        instants = [decode_session_changed(fields).timestamp for fields in entries]
        assert instants == scheduled(calendar, monday, clock.at)
    finally:
        await end_all([producer])


async def test_a_producer_whose_clock_is_outside_the_calendar_says_so_waits_and_goes_on_once_it_is_right(
    redis: Redis, calendar: TradingCalendar, monday: dt.datetime, logged: list[str]
) -> None:
    turns, clock = Turns(), Clock(dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    producer = asyncio.create_task(run(redis, calendar, now=clock, sleep=turns.sleep))
    try:
        assert await asyncio.wait_for(turns.pauses.get(), timeout=20) == CALENDAR_PAUSE.total_seconds()
        assert await turns.give() == CALENDAR_PAUSE.total_seconds()
        assert sum("set this machine's clock" in line for line in logged) == 2
        await remember(redis, monday)
        clock.at = monday + DAY
        await turns.give()
        assert await published_instants(redis) == scheduled(calendar, monday, clock.at)
    finally:
        await end_all([producer])


def test_the_backoff_grows_to_its_bound() -> None:
    ceilings = [backoff(failures, 1.0).total_seconds() for failures in range(1, 60)]
    assert ceilings == sorted(ceilings)
    assert ceilings[0] < 1
    assert ceilings[-1] <= LONGEST_BACKOFF.total_seconds() + 0.1
    assert backoff(5, 0.0).total_seconds() > 0
