"""Our market-session producer can take the place of theirs: what neighbours read of the market's phase is there."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from contract import keys
from contract.announcements import day_changed
from market.session import SessionPhase
from market.trading_calendar import NEW_YORK, TradingCalendar
from producers.market_session.run import Producer
from producers.market_session.status import market_status
from tests.neighbours.listener import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CALENDAR = TradingCalendar()
THANKSGIVING, BLACK_FRIDAY = dt.date(2024, 11, 28), dt.date(2024, 11, 29)
CHANNELS = ("events:session:changed", "events:day:changed")


def wall(day: dt.date, time: str) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.fromisoformat(time), tzinfo=NEW_YORK).astimezone(dt.UTC)


class Clock:
    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at


@pytest.fixture
async def other(redis_url: str) -> AsyncIterator[Redis]:
    """The connection of another process."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def last_completed_by_the_atr_reader(redis: Redis, today: dt.date) -> dt.date:
    """How the newest reader of `atr:daily` finds the date that a value must have: back from yesterday, over weekends
    and every day for which there is a key, whatever stands in it."""
    for back in range(1, 11):
        day = today - dt.timedelta(days=back)
        if day.weekday() < 5 and not await redis.exists(f"market:holiday:{day.isoformat()}:NYSE"):
            return day
    raise AssertionError("it gives up")


async def is_holiday_for_the_snapshots(redis: Redis) -> bool:
    """How those who hear of a new day decide whether to clear what they show."""
    status = json.loads(str(await redis.get("market:session:status")))
    dt.date.fromisoformat(status["trading_date"])
    return bool(status.get("is_holiday", False) or not status.get("is_trading_day", True))


async def test_the_morning_after_a_holiday_the_values_of_the_last_session_are_taken(redis: Redis) -> None:
    today = BLACK_FRIDAY
    assert await last_completed_by_the_atr_reader(redis, today) == THANKSGIVING  # so every value is too old
    await Producer(redis, CALENDAR, now=Clock(wall(today, "03:00")), neighbours=True).publish_due()
    assert await last_completed_by_the_atr_reader(redis, today) == dt.date(2024, 11, 27)


async def test_holidays_are_written_as_the_vendor_lists_them(redis: Redis) -> None:
    await Producer(redis, CALENDAR, now=Clock(wall(THANKSGIVING, "12:00")), neighbours=True).publish_due()
    for exchange in ("NYSE", "NASDAQ"):
        closed = json.loads(str(await redis.get(f"market:holiday:2024-11-28:{exchange}")))
        assert closed == {
            "name": "Thanksgiving Day",
            "status": "closed",
            "exchange": exchange,
            "open": None,
            "close": None,
        }
        early = json.loads(str(await redis.get(f"market:holiday:2024-11-29:{exchange}")))
        assert (early["status"], early["close"]) == ("early-close", "2024-11-29T18:00:00Z")
    assert await redis.exists("market:holiday:2024-11-30:NYSE") == 0  # a Saturday
    assert await redis.exists("market:holiday:2025-11-27:NYSE") == 1
    assert 29 * 86_400 < await redis.ttl("market:holiday:2024-12-25:NYSE") <= 30 * 86_400


@pytest.mark.parametrize(
    ("at", "phase", "holiday", "closes", "upcoming"),
    [
        (wall(dt.date(2024, 11, 26), "10:00"), "MARKET_OPEN", False, "16:00:00", ("POST_MARKET", "16:00:00", 21_600)),
        (wall(THANKSGIVING, "10:00"), "CLOSED", True, "16:00:00", ("PRE_MARKET", "04:00:00", 64_800)),
        (wall(BLACK_FRIDAY, "13:30"), "POST_MARKET", False, "13:00:00", ("CLOSED", "17:00:00", 12_600)),
        (wall(dt.date(2024, 11, 30), "10:00"), "CLOSED", True, "16:00:00", ("PRE_MARKET", "04:00:00", 151_200)),
    ],
    ids=["an ordinary day", "a holiday", "after an early close", "a Saturday"],
)
async def test_phase_and_status_say_what_their_readers_ask(
    redis: Redis, at: dt.datetime, phase: str, holiday: bool, closes: str, upcoming: tuple[str, str, int]
) -> None:
    await Producer(redis, CALENDAR, now=Clock(at), neighbours=True).publish_due()
    assert await redis.get("market:session:current") == phase
    assert await is_holiday_for_the_snapshots(redis) is holiday
    status = json.loads(str(await redis.get("market:session:status")))
    assert (status["current_session"], status["market_close"]) == (phase, closes)
    assert status["trading_date"] == at.astimezone(NEW_YORK).date().isoformat()
    told = (status["next_session"], status["next_session_time"], status["seconds_until_next_session"])
    assert told == upcoming
    assert await redis.ttl("market:session:status") == -1


instants = st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2030, 12, 1)).map(lambda at: at.replace(tzinfo=dt.UTC))  # noqa: DTZ001


@given(instants)
def test_the_status_of_any_instant_agrees_with_the_calendar(now: dt.datetime) -> None:
    status = market_status(CALENDAR, now)
    assert status.current_session is CALENDAR.phase_at(now)
    later = now + dt.timedelta(seconds=status.seconds_until_next_session + 1)
    assert CALENDAR.phase_at(later) is status.next_session
    assert not (status.is_holiday and (status.is_trading_day or status.trading_date.weekday() >= 5))


async def test_a_transition_is_said_once_on_the_channel_by_any_number_of_producers(
    redis: Redis, redis_url: str, other: Redis
) -> None:
    day = dt.date(2024, 11, 26)
    clock = Clock(wall(day, "15:59:59"))
    producers = [Producer(client, CALENDAR, now=clock, neighbours=True) for client in (redis, other)]
    for producer in producers:
        await producer.publish_due()
    async with listening(redis_url, *CHANNELS) as listener:
        clock.at = wall(day, "16:00:00")
        await asyncio.gather(*(producer.publish_due() for producer in producers))
        [(channel, message)] = await listener.heard()
    assert channel == "events:session:changed"
    assert message["event_type"] == "session:changed"
    assert message["data"] == {
        "new_session": "POST_MARKET",
        "previous_session": "MARKET_OPEN",
        "trading_date": "2024-11-26",
    }
    dt.datetime.fromisoformat(message["timestamp"])
    assert await redis.get("market:session:current") == "POST_MARKET"


async def test_after_a_time_away_only_the_phase_that_it_is_is_said(redis: Redis, redis_url: str) -> None:
    clock = Clock(wall(dt.date(2024, 11, 25), "12:00"))
    producer = Producer(redis, CALENDAR, now=clock, neighbours=True)
    await producer.publish_due()
    clock.at = wall(dt.date(2024, 11, 26), "12:00")
    async with listening(redis_url, "events:session:changed") as listener:
        await producer.publish_due()
        heard = await listener.heard()
    assert [message["data"]["new_session"] for _, message in heard] == ["MARKET_OPEN"]
    assert await redis.xlen(keys.SESSIONS.name) == 5  # none is lost there: it has a memory


async def test_each_midnight_of_new_york_is_said_once_after_the_status_of_the_new_day(
    redis: Redis, redis_url: str, other: Redis
) -> None:
    clock, late = Clock(wall(dt.date(2024, 11, 27), "12:00")), Clock(wall(dt.date(2024, 11, 27), "12:00"))
    producers = [
        Producer(redis, CALENDAR, now=clock, neighbours=True),
        Producer(other, CALENDAR, now=late, neighbours=True),
    ]
    for producer in producers:
        await producer.publish_due()
    async with listening(redis_url, "events:day:changed") as listener:
        assert await listener.heard() == []  # what was the date before, nobody knew
        said = []
        for day in (THANKSGIVING, BLACK_FRIDAY, dt.date(2024, 11, 30)):
            clock.at = wall(day, "00:00")
            late.at = clock.at - dt.timedelta(seconds=5)
            await asyncio.gather(*(producer.publish_due() for producer in producers))
            await producers[1].publish_due()
            heard = await listener.heard()
            said += [(message["data"], await is_holiday_for_the_snapshots(redis)) for _, message in heard]
    assert said == [
        ({"new_date": "2024-11-28", "previous_date": "2024-11-27", "session": "CLOSED"}, True),
        ({"new_date": "2024-11-29", "previous_date": "2024-11-28", "session": "CLOSED"}, False),
        ({"new_date": "2024-11-30", "previous_date": "2024-11-29", "session": "CLOSED"}, True),
    ]


async def test_the_producer_wakes_at_midnight_to_say_it(redis: Redis) -> None:
    at = wall(THANKSGIVING, "23:59:50")
    pause = await Producer(redis, CALENDAR, now=Clock(at), neighbours=True).publish_due()
    assert pause == dt.timedelta(seconds=10)


@pytest.mark.parametrize("told", ["2031-01-01", "tomorrow", ""])
async def test_a_date_written_by_hand_neither_silences_nor_makes_a_day_change(
    redis: Redis, redis_url: str, told: str
) -> None:
    clock = Clock(wall(THANKSGIVING, "12:00"))
    producer = Producer(redis, CALENDAR, now=clock, neighbours=True)
    await redis.set(keys.MARKET_DAY.pattern, told)
    async with listening(redis_url, "events:day:changed") as listener:
        await producer.publish_due()
        assert await listener.heard() == []
        clock.at = wall(BLACK_FRIDAY, "00:00")
        await producer.publish_due()
        assert len(await listener.heard()) == 1


async def test_what_a_flush_has_taken_is_back_with_the_next_look_and_no_day_begins_by_it(
    redis: Redis, redis_url: str
) -> None:
    producer = Producer(redis, CALENDAR, now=Clock(wall(THANKSGIVING, "12:00")), neighbours=True)
    await producer.publish_due()
    await redis.flushall()
    async with listening(redis_url, "events:day:changed") as listener:
        await producer.publish_due()
        assert await listener.heard() == []
    assert await redis.exists("market:session:current", "market:session:status", "market:holiday:2024-11-28:NYSE") == 3


async def test_without_the_setting_nothing_of_it_is_written_or_said(redis: Redis, redis_url: str) -> None:
    async with listening(redis_url, *CHANNELS) as listener:
        await Producer(redis, CALENDAR, now=Clock(wall(THANKSGIVING, "12:00"))).publish_due()
        assert await listener.heard() == []
    assert sorted(await redis.keys("market:*")) == ["market:session", "market:session:published"]


def test_a_day_changes_as_the_event_bus_has_it() -> None:
    at = wall(BLACK_FRIDAY, "00:00")
    message: dict[str, Any] = json.loads(day_changed(BLACK_FRIDAY, SessionPhase.CLOSED, at=at))
    assert set(message) == {"event_type", "data", "timestamp"}
    assert message["event_type"] == "day:changed"
    assert dt.datetime.fromisoformat(message["timestamp"]) == at


async def test_the_process_does_it_by_its_setting(redis: Redis, redis_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "producers.market_session",
        env=os.environ | {"REDIS_URL": redis_url, "PUBLISH_SESSIONS": "on"}, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            # Published last of a look: then the rest is written.
            assert await redis.xread({keys.SESSIONS.name: "0"}, block=15_000)
        assert await redis.get("market:session:current") in list(SessionPhase)
        assert await redis.exists("market:session:status") == 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
