"""Neighbours hear that a day's data are whole: after the commit, once for each state, and again where it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.cycle.announcing import Announcer, Announcing
from consumer.postgres import session_conditions
from contract import keys
from market.trading_calendar import NEW_YORK
from tests.cycle.conftest import *  # noqa: F403  (the stack's fixtures)
from tests.cycle.stack import AT_FIVE, CALENDAR, DAY, EVENING, Stack, new_york
from tests.neighbours.listener import Listener, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from consumer.composition import Consumer

FLAG = f"maintenance:executed:{DAY}"
THANKSGIVING = dt.date(2025, 11, 27)


@pytest.fixture
async def listener(redis_url: str) -> AsyncIterator[Listener]:
    async with listening(redis_url, "maintenance:completed", "trading:new_day") as found:
        yield found


def consumer_of(stack: Stack, **settings: bool) -> Consumer:
    """A consumer that tells neighbours, by *settings*."""
    return stack._built(msgspec.structs.replace(stack._settings, catch_up=False, **settings))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def working(consumer: Consumer) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


def announcer(stack: Stack, redis: Redis | None = None, *, completion: bool = True, new_day: bool = False) -> Announcer:
    what = Announcing(completion=completion, new_day=new_day, calendar=CALENDAR, now=stack.clock)
    return Announcer(stack.pool, redis or stack.redis, what)


async def store_state(stack: Stack, state: str, day: dt.date = DAY) -> None:
    """Commit a verdict, as a publication does."""
    known = await session_conditions.read_conditions(stack.pool, [day])
    row = known.get(day) or session_conditions.SessionCondition(
        trading_day=day, condition="available", state=state, reason="-", state_since=EVENING, last_modified_at=None,
        judged_at=EVENING, data_sets={},
    )  # fmt: skip
    async with stack.pool.acquire() as connection, connection.transaction():
        await session_conditions.store_conditions(connection, [msgspec.structs.replace(row, state=state)])


def said(heard: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    assert all(channel == "maintenance:completed" for channel, _ in heard)
    assert all(message["event"] == "maintenance_completed" for _, message in heard)
    assert all(dt.datetime.fromisoformat(message["timestamp"]).tzinfo for _, message in heard)
    return [(message["date"], message["state"]) for _, message in heard]


async def test_a_day_is_said_when_its_data_are_whole_and_when_they_are_final(stack: Stack, listener: Listener) -> None:
    for at, state in ((AT_FIVE, "provisional"), (EVENING, "final")):
        stack.clock.at = at
        newest, consumer = await stack.cycle(), consumer_of(stack, publish_completion=True)
        async with working(consumer):
            await stack.ask()
            await stack.at_rest(after=0 if newest is None else newest.cycle_id)
        days = said(await listener.heard())
        # At first the sessions of the week before as well, the oldest first.
        assert days[-1] == (str(DAY), state)
        assert len(set(days)) == len(days) == (6 if state == "provisional" else 1)
        assert await stack.redis.get(FLAG) == "1"
        for _ in range(3):
            await consumer.catch_up.look()
        assert await listener.heard() == []
    assert 6 * 86_400 < await stack.redis.ttl(FLAG) <= 7 * 86_400


async def test_what_a_crash_left_unsaid_the_next_look_of_anybody_says(stack: Stack, listener: Listener) -> None:
    await store_state(stack, "final")  # committed, and the process died
    assert await listener.heard() == []
    await announcer(stack).look()
    assert said(await listener.heard()) == [(str(DAY), "final")]


async def test_of_many_workers_one_says_it(stack: Stack, listener: Listener) -> None:
    await store_state(stack, "final")
    await asyncio.gather(*(announcer(stack).look() for _ in range(8)))
    assert said(await listener.heard()) == [(str(DAY), "final")]


@pytest.mark.parametrize("state", ["missing", "partial", "suspect", "retired"])
async def test_a_day_that_is_not_whole_is_not_said_and_what_was_said_of_it_is_taken_back(
    stack: Stack, listener: Listener, state: str
) -> None:
    await store_state(stack, state)
    await announcer(stack).look()
    assert (await listener.heard(), await stack.redis.exists(FLAG)) == ([], 0)
    await store_state(stack, "final")
    await announcer(stack).look()
    assert await stack.redis.get(FLAG) == "1"
    await store_state(stack, state)
    await announcer(stack).look()
    assert await stack.redis.exists(FLAG) == 0
    await store_state(stack, "final")
    await announcer(stack).look()
    assert said(await listener.heard()) == [(str(DAY), "final")] * 2


async def test_a_lost_flag_comes_back_in_silence_and_after_a_flush_it_is_said_again(
    stack: Stack, listener: Listener
) -> None:
    await store_state(stack, "provisional")
    await announcer(stack).look()
    await stack.redis.delete(FLAG)
    await announcer(stack).look()
    assert await stack.redis.get(FLAG) == "1"
    assert len(await listener.heard()) == 1
    await stack.redis.flushall()
    await announcer(stack).look()
    assert said(await listener.heard()) == [(str(DAY), "provisional")]


async def test_what_is_older_than_a_week_is_neither_said_nor_remembered(stack: Stack, listener: Listener) -> None:
    await store_state(stack, "final")
    await announcer(stack).look()
    assert await stack.redis.hgetall(keys.TOLD.pattern) == {str(DAY): "final"}
    stack.clock.advance(days=8)
    await announcer(stack).look()
    assert await stack.redis.hgetall(keys.TOLD.pattern) == {}
    assert len(await listener.heard()) == 1


async def test_without_the_settings_nothing_is_said(stack: Stack, listener: Listener) -> None:
    await store_state(stack, "final")
    stack.clock.at = new_york(dt.date(2025, 11, 12), "03:00")
    await consumer_of(stack).catch_up.look()
    assert await listener.heard() == []
    assert await stack.redis.keys("maintenance:executed:*") == []


@pytest.mark.parametrize(
    ("day", "time", "says"),
    [
        (DAY, "02:59:59", False),
        (DAY, "03:00:00", True),
        (DAY, "03:59:59", True),
        (DAY, "04:00:00", False),  # what is shown since then is of the new day
        (THANKSGIVING, "03:00:00", False),
        (dt.date(2025, 11, 15), "03:00:00", False),
    ],
    ids=str,
)
async def test_a_new_day_is_said_at_three_in_new_york_on_trading_days(
    stack: Stack, listener: Listener, day: dt.date, time: str, says: bool
) -> None:
    stack.clock.at = new_york(day, time)
    await asyncio.gather(*(announcer(stack, completion=False, new_day=True).look() for _ in range(4)))
    heard = await listener.heard()
    assert len(heard) == says
    for channel, message in heard:
        assert channel == "trading:new_day"
        # What the websocket server wants, word for word, before it clears what it has.
        assert (message["event"], message["action"]) == ("new_trading_day", "clear_caches")
        assert message["date"] == str(day)


async def test_the_consumer_says_the_new_day_by_its_setting(stack: Stack, listener: Listener) -> None:
    stack.clock.at = new_york(dt.date(2025, 11, 12), "03:00")
    await consumer_of(stack, publish_new_day=True).catch_up.look()
    assert [message["date"] for _, message in await listener.heard()] == ["2025-11-12"]


@pytest.mark.parametrize("allowed", [True, False], ids=["with the setting", "without it"])
async def test_a_request_may_ask_to_clear_caches_and_ours_stay_whatever_it_does(
    stack: Stack, listener: Listener, logged: list[dict[str, Any]], allowed: bool
) -> None:
    await stack.redis.hset("atr:daily", "AAPL", "still there")
    await stack.redis.xadd(keys.TASKS.name, {"task": "redis_sync", "trading_day": str(DAY), "clear_caches": "true"})
    async with working(consumer_of(stack, publish_new_day=allowed)):
        await stack.at_rest()
    heard = await listener.heard()
    notes = [line for line in logged if line["event"] == "clear_caches_ignored"]
    assert (len(heard), len(notes)) == ((1, 0) if allowed else (0, 1))
    if allowed:
        assert heard[0][1]["date"] == str(stack.clock().astimezone(NEW_YORK).date())
    else:
        assert notes[0]["cure"] == "set PUBLISH_NEW_DAY=on"
