"""Says what a contestant has to offer, and measures one of them in a process of its own.

    python -m bench.delivery.contestant NAME MODE URL COUNT

MODE: `load` writes COUNT messages, `drain` works them off against the clock, `feed` sends COUNT at a steady rate and
`follow` notes how late each of those came. One line of JSON comes out. Clocks run from before the start of the
consumer until nothing is pending any more, acknowledgements included.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
import time
from typing import TYPE_CHECKING, Protocol

import msgspec
import redis.asyncio
from loguru import logger

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

CONTESTANTS = {
    "hand loop": "bench.delivery.hand_loop",
    "ours, 64 slots": "bench.delivery.ours:KEYED",
    "ours, 64 slots, no key": "bench.delivery.ours:UNKEYED",
    "ours, default slots": "bench.delivery.ours:DEFAULT_SLOTS",
    "faststream": "bench.delivery.on_faststream",
    "taskiq": "bench.delivery.on_taskiq",
}
LIBRARIES = ("faststream", "taskiq")
FLOOR = "hand loop"
RATE_A_SECOND = 20
WARM_UP = 2 * RATE_A_SECOND  # messages of a latency run that do not count: the follower is only starting
PATIENCE_S = 120
SLOTS = 64  # how many messages every contestant may have under way, where it lets one say so


class Meter:
    """Counts what has reached the handler; notes for each message that says when it was sent how late it came."""

    def __init__(self, count: int) -> None:
        self._left = count
        self.done = asyncio.Event()
        self.delays_ms: list[float] = []

    def seen(self, sent_ns: int) -> None:
        if sent_ns:
            self.delays_ms.append((time.monotonic_ns() - sent_ns) / 1e6)
        self._left -= 1
        if self._left <= 0:
            self.done.set()


class Contestant(Protocol):
    """One way to get messages from a stream to a handler."""

    stream: str
    group: str
    setting: str

    async def load(self, url: str, count: int) -> None: ...

    def sending(self, url: str) -> AbstractAsyncContextManager[Sender]: ...

    def consuming(self, url: str, meter: Meter) -> AbstractAsyncContextManager[None]: ...


class Sender(Protocol):
    async def __call__(self, number: int, sent_ns: int) -> None: ...


class Figures(msgspec.Struct, kw_only=True):
    """What one run took; CPU seconds are those of the client process and of the server."""

    count: int
    wall_s: float
    cpu_s: float
    server_cpu_s: float
    setting: str
    delays_ms: list[float] = []


def fields_of(number: int) -> dict[str, str]:
    """One message of the product, the same work for every contestant."""
    return {
        "task": "ohlc_daily",
        "trading_day": "2025-11-11",
        "part": f"bars:{number}",
        "cycle": "42",
        "attempt": "1",
        "force": "false",
        "requested_by": "cycle",
    }


def find(name: str) -> Contestant:
    module, _, attribute = CONTESTANTS[name].partition(":")
    contestant: Contestant = getattr(importlib.import_module(module), attribute or "CONTESTANT")
    return contestant


async def server_cpu(client: redis.asyncio.Redis) -> float:
    used = await client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


async def consume(contestant: Contestant, url: str, count: int) -> Figures:
    """Run *contestant* until *count* messages are handled and acknowledged."""
    meter = Meter(count)
    async with redis.asyncio.Redis.from_url(url) as client:
        server_began = await server_cpu(client)
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(PATIENCE_S):
            await stack.enter_async_context(contestant.consuming(url, meter))
            await meter.done.wait()
            while (await client.xpending(contestant.stream, contestant.group))["pending"]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            wall, cpu = time.perf_counter() - wall_began, time.process_time() - cpu_began
            server = await server_cpu(client) - server_began
    return Figures(
        count=count,
        wall_s=wall,
        cpu_s=cpu,
        server_cpu_s=server,
        setting=contestant.setting,
        delays_ms=meter.delays_ms[WARM_UP:],
    )


async def feed(contestant: Contestant, url: str, count: int) -> None:
    """Send *count* messages, one each 1/RATE_A_SECOND, whether the ones before have arrived or not."""
    async with contestant.sending(url) as send:
        began = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / RATE_A_SECOND - time.monotonic()))
            await send(number, time.monotonic_ns())


async def run(name: str, mode: str, url: str, count: int) -> Figures | None:
    contestant = find(name)
    match mode:
        case "load":
            await contestant.load(url, count)
        case "feed":
            await feed(contestant, url, count)
        case _:
            return await consume(contestant, url, count)
    return None


def main() -> None:
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    name, mode, url, count = sys.argv[1:]
    print(msgspec.json.encode(asyncio.run(run(name, mode, url, int(count)))).decode(), flush=True)
    # A library may leave threads or tasks behind: what it measured is written.
    os._exit(0)


if __name__ == "__main__":
    main()
