"""Consumers as processes that die, spin, freeze and are told to stop: their work ends, and nobody else's suffers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from consumer.delivery.lease import WEDGED_EXIT_CODE
from contract import keys
from tests.delivery.consumer_process import BEGUN
from tests.delivery.consumers import at_rest, dead_letters, message, pending, stream_of, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    Start = Callable[..., Awaitable[asyncio.subprocess.Process]]

LEASE_S = 0.6


@pytest.fixture
async def start(redis_url: str) -> AsyncIterator[Start]:
    """Starts consumer processes, and ends those that are left."""
    started: list[asyncio.subprocess.Process] = []

    async def start_one(*, deadline_s: float = 60.0) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.delivery.consumer_process", redis_url, str(LEASE_S), str(deadline_s),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def begun(redis: Redis, task: str) -> list[int]:
    """The processes in which *task* has begun, in order."""
    rows: Any = await redis.lrange(BEGUN, 0, -1)
    return [int(row.split()[1]) for row in rows if row.split()[0] == task]


async def test_a_message_that_kills_its_process_is_dead_lettered_and_the_others_go_on(
    redis_url: str, redis: Redis, start: Start
) -> None:
    async with stream_of(redis_url) as stream:
        await stream.enqueue([message("die"), *(message(f"fine-{number}", key=f"{number}") for number in range(5))])
        process, deaths = await start(), 0

        async def supervised() -> bool:
            nonlocal process, deaths
            if process.returncode is not None:
                process, deaths = await start(), deaths + 1
            return await at_rest(redis)

        await until(supervised, within_s=40, what="the end of all of it")
    (letter,) = await dead_letters(redis)
    assert (letter["field:task"], letter["deliveries"]) == ("die", "3")
    assert deaths == len(await begun(redis, "die")) == 2, "max_deliveries processes died of it, and no more"
    for number in range(5):
        assert len(await begun(redis, f"fine-{number}")) >= 1


async def test_a_handler_in_an_endless_loop_ends_its_process_after_its_deadline(
    redis_url: str, redis: Redis, start: Start
) -> None:
    async with stream_of(redis_url) as stream:
        await stream.enqueue([message("spin")])
        process = await start(deadline_s=0.5)
        assert await asyncio.wait_for(process.wait(), 30) == WEDGED_EXIT_CODE
        (held,) = await pending(redis)
        assert held["times_delivered"] == 1, "its lease runs out, and another consumer takes the work over"


async def test_a_process_killed_amid_its_work_blocks_nobody(redis_url: str, redis: Redis, start: Start) -> None:
    async with stream_of(redis_url) as stream:
        await stream.enqueue([message("wait")])
        first = await start()
        await until(lambda: begun(redis, "wait"), what="the work")
        first.kill()
        second = await start()

        async def both() -> bool:
            return await begun(redis, "wait") == [first.pid, second.pid]

        await until(both, within_s=30, what="the successor")


async def test_a_frozen_process_that_wakes_leaves_its_successor_alone(
    redis_url: str, redis: Redis, start: Start
) -> None:
    async with stream_of(redis_url) as stream:
        await stream.enqueue([message("wait")])
        frozen = await start()
        await until(lambda: begun(redis, "wait"), what="the work")
        os.kill(frozen.pid, signal.SIGSTOP)
        heir = await start()

        async def both() -> bool:
            return await begun(redis, "wait") == [frozen.pid, heir.pid]

        await until(both, within_s=30, what="the successor")
        os.kill(frozen.pid, signal.SIGCONT)

        async def woken() -> bool:  # once it works again, it has had the time to do harm
            await stream.enqueue([message("proof")])
            return frozen.pid in await begun(redis, "proof")

        await until(woken, within_s=30, what="work of the woken process")
        holders = {row["message_id"]: row["consumer"] for row in await pending(redis)}
        entry_id = str(await redis.hget(keys.QUEUED.pattern, "wait"))
        assert holders[entry_id] == f"process-{heir.pid}"
        assert len(await begun(redis, "wait")) == 2


async def test_a_process_told_to_stop_hands_its_work_back_uncounted_and_leaves(
    redis_url: str, redis: Redis, start: Start
) -> None:
    async with stream_of(redis_url) as stream:
        await stream.enqueue([message("wait")])
        first = await start()
        await until(lambda: begun(redis, "wait"), what="the work")
        first.terminate()
        assert await asyncio.wait_for(first.wait(), 10) == 0
        (held,) = await pending(redis)
        assert held["times_delivered"] == 0
        assert held["time_since_delivered"] > 1000 * LEASE_S, "claimable at once, nobody waits for a lease"
        second = await start()

        async def taken() -> bool:
            return second.pid in await begun(redis, "wait")

        await until(taken, within_s=30, what="the successor")
        (held,) = await pending(redis)
        assert held["times_delivered"] == 1
        second.terminate()
        await second.wait()
        assert await redis.xlen(keys.TASKS.name) == 1
