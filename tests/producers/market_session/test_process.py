"""Proves the producer as people run it: real processes, killed in the middle, ended by a signal."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from contract.keys import SESSION_PUBLISHED, SESSIONS
from producers.market_session.session_stream import SessionStream

from .conftest import published_instants, scheduled

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    from market.trading_calendar import TradingCalendar

    StartProducer = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start_producer(redis_url: str) -> AsyncIterator[StartProducer]:
    processes: list[Process] = []

    async def start(*, stderr: int = asyncio.subprocess.PIPE, **environment: str) -> Process:
        processes.append(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "producers.market_session",
                env=os.environ | {"REDIS_URL": redis_url} | environment,
                stderr=stderr,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def entries(redis: Redis, count: int) -> None:
    """Return when the stream has *count* entries."""
    newest = "0"
    while await redis.xlen(SESSIONS.name) < count:
        answer = await redis.xread({SESSIONS.name: newest}, block=10_000)
        assert answer, f"no {count} entries within 10 s"
        newest = answer[0][1][-1][0]


@pytest.mark.crash
async def test_producers_killed_in_the_middle_of_a_year_leave_it_whole(
    redis: Redis, calendar: TradingCalendar, start_producer: StartProducer
) -> None:
    now = (await SessionStream(redis).look()).redis_now
    start = now - dt.timedelta(days=360)
    await redis.set(SESSION_PUBLISHED.pattern, int(start.timestamp() * 1000))
    # A year is more log lines than a pipe holds that nobody reads.
    options = {"stderr": asyncio.subprocess.DEVNULL, "SESSION_CATCH_UP_DAYS": "365"}
    everything = scheduled(calendar, start, now)
    for part in (5, 3):
        killed = [await start_producer(**options) for _ in range(2)]
        await entries(redis, len(everything) // part)
        for process in killed:
            process.kill()
            await process.wait()
    survivor = await start_producer(**options)
    await entries(redis, len(everything))
    survivor.terminate()
    assert await asyncio.wait_for(survivor.wait(), 5) == 0
    assert (await published_instants(redis))[: len(everything)] == everything


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_it_at_once_with_json_logs(
    redis: Redis, start_producer: StartProducer, number: signal.Signals
) -> None:
    process = await start_producer()
    await entries(redis, 1)
    process.send_signal(number)
    _, errors = await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0
    told = [json.loads(line)["event"] for line in errors.decode().splitlines()]
    assert told == [
        "market_session_producer_started",
        "session_change_published",
        "market_session_producer_stopped",
    ]


async def test_without_a_redis_it_waits_and_still_ends_at_once(start_producer: StartProducer) -> None:
    process = await start_producer(REDIS_URL="unix:///nowhere/redis.sock")
    assert process.stderr is not None
    lines = [json.loads(await asyncio.wait_for(process.stderr.readline(), 10)) for _ in range(2)]
    assert lines[1]["event"] == "session_stream_unreachable"
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_bad_settings_are_told_before_anything_starts(redis: Redis, start_producer: StartProducer) -> None:
    process = await start_producer(SESSION_CATCH_UP_DAYS="ten", EARLY_EXTENDED_CLOSE="5pm")
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 2
    problems = [json.loads(line)["problem"].partition("=")[0] for line in errors.decode().splitlines()]
    assert problems == ["SESSION_CATCH_UP_DAYS", "EARLY_EXTENDED_CLOSE"]
    assert await redis.exists(SESSIONS.name) == 0
