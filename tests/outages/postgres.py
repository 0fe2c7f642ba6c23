"""PostgreSQL away, unreachable, or mute on the connections that stand."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import time
from typing import Any

from tests.crash.stack import until
from tests.outages.ground import Ground, ground, told
from tests.outages.wire import State


async def away(minutes: float) -> dict[str, Any]:
    """Connections refused for *minutes*: lines a minute, the longest pause, seconds to the end once it is back."""
    async with ground() as on:
        await on.amid()
        since = dt.datetime.now(dt.UTC)
        await on.postgres.be(State.REFUSING)
        await asyncio.sleep(minutes * 60)
        lines = on.lines(since)
        await on.postgres.mend()
        return {**told(lines, minutes * 60), "complete after, s": await on.complete(), **await twice(on)}


async def unreachable(minutes: float) -> dict[str, Any]:
    """Packets dropped: the same, and how long a worker takes to stop meanwhile."""
    async with ground() as on:
        await on.amid()
        since = dt.datetime.now(dt.UTC)
        await on.postgres.be(State.UNREACHABLE)
        await asyncio.sleep(minutes * 60)
        lines = on.lines(since)
        first = min((line["at"] - since).total_seconds() for line in lines) if lines else None
        began = time.monotonic()
        worker = on.deployed.workers[0]
        before = sum(worker.exits.values())
        worker.signal(signal.SIGTERM)

        async def ended() -> bool:
            return sum(worker.exits.values()) > before

        await until(ended, within_s=200, what="the end of the worker")
        stopped = round(time.monotonic() - began, 1)
        await on.postgres.mend()
        return {
            **told(lines, minutes * 60), "first line after, s": first, "SIGTERM to the end, s": stopped,
            "complete after, s": await on.complete(), **await twice(on),
        }  # fmt: skip


async def black_hole(minutes: float) -> dict[str, Any]:
    """Standing connections swallow everything, new ones work: seconds until noticed, and until work is committed."""
    async with ground(latency_ms=30) as on:
        await on.amid()
        async with on.workload.ledger() as db:
            query = "SELECT count(*) FROM part WHERE state = 'done'"
            since, began = dt.datetime.now(dt.UTC), time.monotonic()
            await on.postgres.be(State.BLACK_HOLE)
            await asyncio.sleep(1)  # what was on its way has come
            done = await db.fetchval(query)

            async def goes_on() -> bool:
                return int(await db.fetchval(query)) > done

            await until(goes_on, within_s=minutes * 60, what="another part")
            seconds = round(time.monotonic() - began, 1)
        lines = [line for line in on.lines(since) if line.get("level") != "DEBUG"]
        first = min((line["at"] - since).total_seconds() for line in lines) if lines else None
        return {
            "first line after, s": first, "work goes on after, s": seconds, **told(lines, max(seconds, 1.0)),
            "complete after, s": await on.complete(), **await twice(on),
        }  # fmt: skip


async def twice(on: Ground) -> dict[str, Any]:
    await on.workload.take_stock()
    async with on.workload.ledger() as db:
        dead = await db.fetchval("SELECT count(*) FROM dead_letter")
    return {"asked twice": dict(on.workload.asked_twice), "dead letters": dead}
