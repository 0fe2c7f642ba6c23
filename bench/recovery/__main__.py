"""Measures how soon the work of a worker that was killed -9 goes on, while live work goes on undisturbed.

    .venv/bin/python -m bench.recovery [--kills 20] [--leases 2 10] [--live-s 60]

Real processes with one slot each, on an embedded Redis: one runs a live part of 60 s, one a handler that keeps its
event loop from running for two leases, the others take turns in holding a part and being killed at a random moment of
their lease. Time runs from the kill to the beginning of the part in another process; the target is a lease + 1 s.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger

from bench.recovery.worker import BEGUN, Begun
from consumer.delivery.entries import Outgoing
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.maintenance_channel import task_stream
from consumer.runtime import connect_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from consumer.delivery.task_stream import TaskStream

VICTIMS = 2


class Herd:
    """The worker processes, and what they say they have begun."""

    def __init__(self, url: str, lease_s: float, redis: Redis, stream: TaskStream) -> None:
        self._url, self._lease_s, self._redis, self._stream = url, lease_s, redis, stream
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self.starts: Counter[str] = Counter()

    async def add(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.recovery.worker", self._url, str(self._lease_s)
        )
        self._processes[process.pid] = process

    async def send(self, name: str, act: str, seconds: float = 0.0) -> None:
        fields = {"name": name, "act": act, "seconds": str(seconds)}
        await self._stream.enqueue([Outgoing(fields=fields, key=name)])

    async def begun(self, name: str) -> Begun:
        """The next beginning of *name*; others are counted on the way."""
        while True:
            answer: Any = await self._redis.blpop([BEGUN], timeout=120)
            if answer is None:
                raise AssertionError(f"{name} did not begin within 120 s")
            found = msgspec.json.decode(answer[1], type=Begun)
            self.starts[found.name] += 1
            if found.name == name:
                return found

    async def kill(self, pid: int) -> int:
        """Kill -9; return when, in monotonic nanoseconds."""
        process = self._processes.pop(pid)
        process.kill()
        at = time.monotonic_ns()
        await process.wait()
        return at

    async def end(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def herd_of(url: str, lease_s: float) -> AsyncIterator[Herd]:
    """A Redis emptied for it, and processes that end with the block."""
    async with connect_redis(url, timeout_s=130) as redis:
        await redis.flushall()
        stream = task_stream(redis, redis, consumer="bench", lease=dt.timedelta(seconds=lease_s))
        await stream.ensure_group()
        herd = Herd(url, lease_s, redis, stream)
        try:
            yield herd
        finally:
            await herd.end()


async def kills(url: str, lease_s: float, count: int, live_s: float) -> tuple[list[float], Counter[str]]:
    """Return the recovery times in seconds, and how often each message was begun."""
    async with herd_of(url, lease_s) as herd:
        await herd.add()
        await herd.send("live", "sleep", live_s)
        live_until = (await herd.begun("live")).at_ns / 1e9 + live_s
        await herd.add()
        await herd.send("blocking", "block", 2 * lease_s)
        await herd.begun("blocking")
        for _ in range(VICTIMS):
            await herd.add()
        times = []
        for number in range(count):
            name = f"held-{number}"
            await herd.send(name, "hold")
            holder = await herd.begun(name)
            await asyncio.sleep(random.uniform(0, lease_s / 2))
            killed_at = await herd.kill(holder.pid)
            times.append(((await herd.begun(name)).at_ns - killed_at) / 1e9)
            await herd.add()
        await asyncio.sleep(max(0.0, live_until - time.monotonic()))
        await herd.send("last", "sleep")
        await herd.begun("last")
        return times, herd.starts


async def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.recovery")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--leases", type=float, nargs="+", default=[2.0, 10.0])
    parser.add_argument("--live-s", type=float, default=60.0)
    wanted = parser.parse_args()
    logger.remove()
    print(f"Python {platform.python_version()}, {platform.machine()}, {wanted.kills} kills a lease")
    missed = 0
    with tempfile.TemporaryDirectory(prefix="bench-recovery-", dir="/tmp") as place:
        server = EmbeddedRedis(Path(place))
        await server.start()
        try:
            for lease_s in wanted.leases:
                times, starts = await kills(server.url, lease_s, wanted.kills, wanted.live_s)
                again = {name: n for name, n in starts.items() if n != (2 if name.startswith("held-") else 1)}
                print(
                    f"lease {lease_s:g} s: median {statistics.median(times):.2f} s, worst {max(times):.2f} s "
                    f"(target {lease_s + 1:g} s); a live part of {wanted.live_s:g} s was begun "
                    f"{starts['live']} time(s), one that blocks its loop for {2 * lease_s:g} s "
                    f"{starts['blocking']} time(s)" + (f"; BEGUN TOO OFTEN {again}" if again else ""),
                    flush=True,
                )
                missed += bool(again) + (max(times) > lease_s + 1)
        finally:
            await server.stop()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
