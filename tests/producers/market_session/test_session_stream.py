"""Proves the publish script: one step, next transition only, by Redis' own clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import OutOfMemoryError

from contract.keys import SESSION_PUBLISHED, SESSIONS
from contract.messages import SessionChanged, encode
from market.session import SessionPhase
from producers.market_session.session_stream import Outcome, SessionStream

from .conftest import published_instants

if TYPE_CHECKING:
    from redis.asyncio import Redis

SECOND = dt.timedelta(seconds=1)


def change(at: dt.datetime) -> SessionChanged:
    return SessionChanged(
        from_session=SessionPhase.MARKET_OPEN,
        to_session=SessionPhase.POST_MARKET,
        trading_date=at.date(),
        timestamp=at,
        regular_close=at,
        early_close=False,
        source="test",
    )


@pytest.fixture
async def now(redis: Redis) -> dt.datetime:
    """Redis' clock in whole milliseconds, as the state key keeps them."""
    return (await SessionStream(redis).look()).redis_now.replace(microsecond=0)


async def publish(redis: Redis, at: dt.datetime) -> Outcome:
    stream = SessionStream(redis)
    return await stream.publish(change(at), await stream.look())


async def test_a_repeated_publication_writes_nothing(redis: Redis, now: dt.datetime) -> None:
    stream = SessionStream(redis)
    seen = await stream.look()
    assert await stream.publish(change(now), seen) is Outcome.PUBLISHED
    assert await stream.publish(change(now), seen) is Outcome.KNOWN
    assert await redis.xlen(SESSIONS.name) == 1


async def test_an_older_transition_than_the_latest_is_refused(redis: Redis, now: dt.datetime) -> None:
    assert await publish(redis, now) is Outcome.PUBLISHED
    assert await publish(redis, now - SECOND) is Outcome.KNOWN
    assert await published_instants(redis) == [now]


async def test_nothing_is_published_before_its_time_by_redis_clock(redis: Redis, now: dt.datetime) -> None:
    assert await publish(redis, now + 30 * SECOND) is Outcome.EARLY
    assert await redis.exists(SESSIONS.name, SESSION_PUBLISHED.pattern) == 0
    assert await publish(redis, now + SECOND) is Outcome.PUBLISHED


async def test_a_lost_state_is_read_from_the_newest_entry(redis: Redis, now: dt.datetime) -> None:
    await publish(redis, now - 10 * SECOND)
    await redis.delete(SESSION_PUBLISHED.pattern)
    assert (await SessionStream(redis).look()).latest_at == now - 10 * SECOND
    assert await publish(redis, now - 10 * SECOND) is Outcome.KNOWN
    assert await publish(redis, now) is Outcome.PUBLISHED


@pytest.mark.parametrize("rubbish", ["", "yesterday", "-5", "1e3", "nan", "٣"])
async def test_an_unreadable_state_counts_as_lost(redis: Redis, now: dt.datetime, rubbish: str) -> None:
    await publish(redis, now - 10 * SECOND)
    await redis.set(SESSION_PUBLISHED.pattern, rubbish)
    assert await publish(redis, now - 10 * SECOND) is Outcome.KNOWN
    assert await publish(redis, now) is Outcome.PUBLISHED
    assert await publish(redis, now) is Outcome.KNOWN


async def test_entries_by_other_hands_do_not_hide_ours(redis: Redis, now: dt.datetime) -> None:
    await publish(redis, now - 10 * SECOND)
    await redis.delete(SESSION_PUBLISHED.pattern)
    await redis.xadd(SESSIONS.name, {"hello": "world"})
    await redis.xadd(SESSIONS.name, {**encode(change(now + dt.timedelta(days=4000)))})
    assert (await SessionStream(redis).look()).latest_at == now - 10 * SECOND


async def test_a_stream_that_grew_since_the_look_is_looked_at_again(redis: Redis, now: dt.datetime) -> None:
    stream = SessionStream(redis)
    seen = await stream.look()
    await redis.xadd(SESSIONS.name, {**encode(change(now))})
    assert await stream.publish(change(now), seen) is Outcome.MOVED
    assert await redis.xlen(SESSIONS.name) == 1


@pytest.mark.parametrize("state", ["9" * 30, "253402300799000", "in two days", b"\xff\xfe", "", "1.5", None])
async def test_a_state_that_somebody_wrote_counts_as_lost_and_silences_nobody(
    redis: Redis, now: dt.datetime, state: str | bytes | None
) -> None:
    assert await publish(redis, now - 10 * SECOND) is Outcome.PUBLISHED
    if state is None:
        await redis.delete(SESSION_PUBLISHED.pattern)
        await redis.lpush(SESSION_PUBLISHED.pattern, "a")
    elif state == "in two days":
        await redis.set(SESSION_PUBLISHED.pattern, int((now.timestamp() + 2 * 86_400) * 1000))
    else:
        await redis.set(SESSION_PUBLISHED.pattern, state)
    assert (await SessionStream(redis).look()).latest_at == now - 10 * SECOND
    assert await publish(redis, now - 10 * SECOND) is Outcome.KNOWN
    assert await publish(redis, now) is Outcome.PUBLISHED
    assert await redis.get(SESSION_PUBLISHED.pattern) == str(int(now.timestamp() * 1000))


async def test_a_full_redis_takes_neither_the_entry_nor_the_state(redis: Redis, now: dt.datetime) -> None:
    await publish(redis, now - 10 * SECOND)
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(OutOfMemoryError):
            await publish(redis, now)
    finally:
        await redis.config_set("maxmemory", "0")
    assert await publish(redis, now) is Outcome.PUBLISHED
    assert await published_instants(redis) == [now - 10 * SECOND, now]


async def test_the_stream_keeps_about_two_years(redis: Redis, now: dt.datetime) -> None:
    assert SESSIONS.kept is not None
    first = now - dt.timedelta(hours=1)
    stream = SessionStream(redis)
    seen = await stream.look()
    for count in range(SESSIONS.kept + 300):
        await stream.publish(change(first + count * SECOND), seen)
    assert SESSIONS.kept <= await redis.xlen(SESSIONS.name) <= SESSIONS.kept + 100
