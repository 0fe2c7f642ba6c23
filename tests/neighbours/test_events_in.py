"""The events of another service's market_session make our cycles due, in both of its vocabularies."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime import connect_redis, end_all
from contract import keys
from contract.foreign_sessions import decode_foreign_change, decode_foreign_message
from contract.messages import UndecodableMessage, decode_session_changed
from market.session import SessionPhase
from market.trading_calendar import NEW_YORK
from producers.session_bridge.bridge import Heard, SessionBridge
from producers.session_bridge.derive import ContradictsCalendar, derived
from tests.cycle.conftest import *  # noqa: F403  (the stack's fixtures)
from tests.cycle.stack import AT_FIVE, CALENDAR, DAY, Stack, new_york, until
from tests.neighbours import foreign_market_session as theirs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

CLOSE = CALENDAR.session(DAY).closes_at
EARLY = dt.date(2025, 11, 28)
HOLIDAY = dt.date(2025, 11, 27)
SATURDAY = dt.date(2025, 11, 15)
LATE = dt.timedelta(seconds=23)  # they look every half minute

phases = st.sampled_from(list(SessionPhase))
instants = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2029, 1, 1)).map(lambda at: at.replace(tzinfo=NEW_YORK))  # noqa: DTZ001


@given(before=phases, after=phases, at=instants)
def test_a_change_reads_the_same_from_the_stream_the_older_channel_and_the_event_bus(
    before: SessionPhase, after: SessionPhase, at: dt.datetime
) -> None:
    flat = theirs.entry(before, after, at)
    read = decode_foreign_change(flat)
    assert (read.before, read.after, read.trading_date, read.timestamp) == (before, after, at.date(), at)
    assert decode_foreign_message(json.dumps({**flat, "is_new_day": before == after})) == read
    on_the_bus = decode_foreign_message(theirs.bus_message(before, after, at))
    # Its instant is of no zone that is said: nobody may take it for one.
    assert on_the_bus == msgspec.structs.replace(read, timestamp=None)
    assert read.is_a_change == (before != after)


words = st.one_of(st.text(max_size=20), st.sampled_from([*SessionPhase, "2025-11-11", "2025-11-11T16:00:00-05:00", ""]))
names = st.sampled_from(["from_session", "previous_session", "to_session", "new_session", "trading_date", "timestamp"])


@given(st.dictionaries(names, words))
def test_any_fields_are_a_change_or_refused_and_both_vocabularies_alike(fields: dict[str, str]) -> None:
    def outcome(read: Any, what: Any) -> Any:
        try:
            return read(what)
        except UndecodableMessage as refused:
            assert str(refused)
            return str(refused)

    flat = outcome(decode_foreign_change, fields)
    assert outcome(decode_foreign_message, json.dumps(fields)) == flat
    assert outcome(decode_foreign_message, json.dumps({"event_type": "session:changed", "data": fields})) == flat


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.just("data"), inner, max_size=3),
)


@given(json_values.map(json.dumps) | st.text() | st.binary())
def test_any_message_of_a_channel_is_read_or_refused_never_a_crash(message: str | bytes) -> None:
    with contextlib.suppress(UndecodableMessage):
        decode_foreign_message(message)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "to_session or new_session is missing; trading_date is missing"),
        ({"to_session": "HALTED", "trading_date": "2025-11-11"}, "to_session 'HALTED' is unknown"),
        (
            {"to_session": "CLOSED", "new_session": "MARKET_OPEN", "trading_date": "2025-11-11"},
            "to_session 'CLOSED' and new_session 'MARKET_OPEN' contradict each other",
        ),
    ],
)
def test_what_is_no_change_is_refused_with_the_field(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(UndecodableMessage, match=reason):
        decode_foreign_change(fields)


def told(before: str, after: str, at: dt.datetime, **day: Any) -> Any:
    return derived(
        decode_foreign_change(theirs.entry(before, after, at, **day)), CALENDAR, heard_at=at, source="theirs"
    )


@pytest.mark.parametrize("day", [DAY, EARLY], ids=["ordinary", "early close"])
def test_what_they_leave_out_is_the_calendars(day: dt.date) -> None:
    session = CALENDAR.session(day)
    for transition in session.transitions():
        found = told(transition.from_phase, transition.to_phase, transition.at + LATE)
        assert (found.from_session, found.to_session) == (transition.from_phase, transition.to_phase)
        assert found.timestamp == transition.at  # scheduled, not when they looked
        assert (found.trading_date, found.source) == (day, "theirs")
        assert (found.regular_close, found.early_close) == (session.closes_at, day == EARLY)


@pytest.mark.parametrize(
    ("before", "after", "at"),
    [
        ("CLOSED", "CLOSED", new_york(DAY, "00:00")),  # each midnight
        ("CLOSED", "CLOSED", new_york(SATURDAY, "00:00")),
        ("MARKET_OPEN", "MARKET_OPEN", new_york(DAY, "12:00")),  # forced by hand
        ("MARKET_OPEN", "CLOSED", new_york(SATURDAY, "09:00")),  # back after a day away
        ("POST_MARKET", "CLOSED", new_york(DAY, "02:00")),  # back in the night
        ("POST_MARKET", "CLOSED", new_york(HOLIDAY, "10:00")),
    ],
)
def test_what_is_no_transition_of_the_calendar_is_passed_over(before: str, after: str, at: dt.datetime) -> None:
    assert told(before, after, at) is None


@pytest.mark.parametrize(
    ("before", "after", "at"),
    [
        ("CLOSED", "MARKET_OPEN", new_york(HOLIDAY, "09:30")),
        ("MARKET_OPEN", "POST_MARKET", new_york(DAY, "13:00")),  # an early close that is none here
        ("MARKET_OPEN", "CLOSED", new_york(DAY, "11:00")),
    ],
)
def test_what_contradicts_the_calendar_is_refused_with_both(before: str, after: str, at: dt.datetime) -> None:
    with pytest.raises(ContradictsCalendar, match="here"):
        told(before, after, at)


@pytest.mark.parametrize("early_s", [-59, 0, 1799])
def test_theirs_may_be_a_little_early_or_as_late_as_the_phase_lasts(early_s: float) -> None:
    assert told("MARKET_OPEN", "POST_MARKET", CLOSE + dt.timedelta(seconds=early_s)).timestamp == CLOSE
    assert told("MARKET_OPEN", "POST_MARKET", new_york(DAY, "19:59")).timestamp == CLOSE


async def sessions(redis: Redis) -> list[tuple[dt.date, str, str]]:
    entries: Any = await redis.xrange(keys.SESSIONS.name)
    read = [decode_session_changed(fields) for _, fields in entries]
    return [(one.trading_date, one.to_session.value, one.source) for one in read]


async def write_a_day(redis: Redis, day: dt.date, *, until_phase: str = "CLOSED") -> None:
    await theirs.write(redis, "CLOSED", "CLOSED", new_york(day, "00:00"))
    for transition in CALENDAR.session(day).transitions():
        await theirs.write(redis, transition.from_phase, transition.to_phase, transition.at + LATE)
        if transition.to_phase == until_phase:
            return


@pytest.fixture
async def bridges(redis_url: str) -> AsyncIterator[Any]:
    """Makes bridges as separate processes have them; the clock is the afternoon of the day."""
    async with contextlib.AsyncExitStack() as stack:

        async def new(*channels: str, now: dt.datetime = AT_FIVE) -> SessionBridge:
            commands = await stack.enter_async_context(connect_redis(redis_url))
            blocking = await stack.enter_async_context(connect_redis(redis_url, timeout_s=10))
            heard = Heard(
                stream=None if channels else theirs.STREAM, channels=channels, catch_up=dt.timedelta(days=10),
                now=lambda: now,
            )  # fmt: skip
            return SessionBridge(commands, blocking, CALENDAR, heard)

        yield new


async def test_their_stream_is_told_on_ours_once_whatever_the_number_of_readers_and_starts(
    redis: Redis, bridges: Any
) -> None:
    await write_a_day(redis, DAY, until_phase="POST_MARKET")
    readers = [await bridges() for _ in range(4)]
    await asyncio.gather(*(reader.read_stream() for reader in readers))
    await (await bridges()).read_stream()  # started later
    expected = [(DAY, phase, theirs.STREAM) for phase in ("PRE_MARKET", "MARKET_OPEN", "POST_MARKET")]
    assert await sessions(redis) == expected
    assert await redis.xinfo_groups(theirs.STREAM) == []  # nothing of ours is left on theirs


async def test_junk_on_their_stream_is_told_in_one_line_and_what_follows_is_heard(
    redis: Redis, bridges: Any, logged: list[dict[str, Any]]
) -> None:
    for junk in ({"what": "ever"}, {"to_session": "HALTED", "trading_date": "x"}, {"to_session": "a" * 2_000_000}):
        await redis.xadd(theirs.STREAM, junk)  # type: ignore[arg-type]
    await write_a_day(redis, DAY, until_phase="PRE_MARKET")
    await (await bridges()).read_stream()
    assert [phase for _, phase, _ in await sessions(redis)] == ["PRE_MARKET"]
    [line] = [line for line in logged if line["event"] == "foreign_session_changes_refused"]
    assert (line["refused"], line["source"]) == (3, theirs.STREAM)


async def test_what_is_older_than_the_catch_up_is_not_told_again_as_new(redis: Redis, bridges: Any) -> None:
    await write_a_day(redis, dt.date(2025, 10, 1))
    await write_a_day(redis, DAY, until_phase="PRE_MARKET")
    await (await bridges()).read_stream()
    assert {day for day, _, _ in await sessions(redis)} == {DAY}


@pytest.mark.parametrize("channel", [theirs.CHANNEL, theirs.OLD_CHANNEL])
async def test_a_message_on_their_channel_is_told_on_our_stream(redis: Redis, bridges: Any, channel: str) -> None:
    bridge = await bridges(channel, now=CLOSE + LATE)
    tasks = [asyncio.create_task(loop) for loop in bridge.loops()]
    try:
        async with asyncio.timeout(10):
            await bridge.listening.wait()
        change = ("MARKET_OPEN", "POST_MARKET", CLOSE + LATE)
        said = theirs.bus_message(*change) if channel == theirs.CHANNEL else json.dumps(theirs.entry(*change))
        assert await redis.publish(channel, "no JSON") == 1
        assert await redis.publish(channel, said) == 1
        await until(lambda: sessions(redis), what="the change")
    finally:
        await end_all(tasks)
    assert await sessions(redis) == [(DAY, "POST_MARKET", channel)]


async def test_a_bridge_hears_again_after_its_connections_were_cut(redis: Redis, bridges: Any) -> None:
    bridge = await bridges(theirs.CHANNEL, now=CLOSE + LATE)
    tasks = [asyncio.create_task(loop) for loop in bridge.loops()]
    try:
        async with asyncio.timeout(20):
            await bridge.listening.wait()
            await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            message = theirs.bus_message("MARKET_OPEN", "POST_MARKET", CLOSE + LATE)

            async def heard() -> bool:
                await redis.publish(theirs.CHANNEL, message)
                return bool(await sessions(redis))

            await until(heard, what="the change")
    finally:
        await end_all(tasks)


@pytest.mark.parametrize("by", ["stream", "channel"])
async def test_their_close_makes_our_cycle_run_without_calendar_or_ledger(stack: Stack, by: str) -> None:
    stack.clock.at = AT_FIVE
    heard = {"session_events_stream": theirs.STREAM, "session_events_channels": (theirs.CHANNEL,)}
    settings = msgspec.structs.replace(stack._settings, catch_up=False, **heard)  # type: ignore[arg-type]
    consumer = stack._built(settings, name="beside theirs")
    assert consumer.bridge is not None
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    try:
        async with asyncio.timeout(10):
            await consumer.bridge.listening.wait()
        if by == "stream":
            await write_a_day(stack.redis, DAY, until_phase="POST_MARKET")
        else:
            await stack.redis.publish(theirs.CHANNEL, theirs.bus_message("MARKET_OPEN", "POST_MARKET", CLOSE + LATE))
        cycle = await stack.at_rest()
    finally:
        stop.set()
        await running
    assert (cycle.trading_day, cycle.state, cycle.occasion) == (DAY, "complete", "POST_MARKET+1h")
    assert len(await stack.cycles()) == 1
