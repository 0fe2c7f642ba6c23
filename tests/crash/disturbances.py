"""Deals out the faults of a chaos run: each kind as often as its weight says, in an order that the seed decides."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.crash.deployment import LEASE_S
from tests.looking import look_into

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tests.crash.deployment import Deployment, Supervised

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'maintenance/%'"
TERMINATED = f"SELECT count(pg_terminate_backend(pid)) FROM ({BACKENDS} ORDER BY random() LIMIT 3) AS chosen"
VENDOR_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limited", "retry_after": 1, "every": 3},
    {"kind": "server_error", "status": 503, "every": 2},
    {"kind": "server_error", "status": 500},
    {"kind": "truncated_body", "every": 3},
    {"kind": "html_ok", "every": 4},
    {"kind": "drop", "every": 4},
    {"kind": "latency", "latency_ms": 1500, "every": 10},
)


# The longest fault takes some seconds; one that hangs is a fault of this harness, and is told by name.
ENDS_WITHIN_S = 90.0


class Disturbances:
    """The faults, and a count of each; what they hit is up again when `deal` returns."""

    def __init__(self, deployed: Deployment, random: Random, *, database: str, redis_db: int) -> None:
        self._deployed = deployed
        self._random = random
        self._database = database
        self._redis_db = redis_db
        self._vendor_disturbed = asyncio.Lock()
        self.dealt: Counter[str] = Counter()
        self.failed: list[str] = []
        self._kinds: dict[str, tuple[int, Callable[[], Awaitable[bool]]]] = {
            "worker SIGKILL": (4, self._kill_worker),
            "worker SIGSTOP past its lease": (3, self._freeze_worker),
            "worker SIGTERM": (2, self._terminate_worker),
            "producer SIGKILL": (1, self._kill_producer),
            "producer SIGSTOP": (1, self._freeze_producer),
            "producer SIGTERM": (1, self._terminate_producer),
            "redis SIGKILL and restart": (2, self._kill_redis),
            "redis SIGSTOP": (2, self._freeze_redis),
            "redis FLUSHALL": (1, self._flush_redis),
            "postgres fast restart": (1, self._restart_postgres),
            "postgres backend SIGKILL": (1, self._kill_backend),
            "postgres pg_terminate_backend": (2, self._terminate_backends),
            "vendor faults": (4, self._vendor_faults),
        }

    async def deal(self, *, seconds: float, pause_s: float, wanted: Callable[[], Awaitable[None]]) -> None:
        """Deal for *seconds*, one fault about each *pause_s*, each once *wanted* returns; then let all of them end."""
        until = time.monotonic() + seconds
        deck: list[str] = []
        under_way: set[asyncio.Task[None]] = set()
        try:
            while time.monotonic() < until:
                await asyncio.sleep(self._random.uniform(0.3, 1.7) * pause_s)
                await wanted()
                deck = deck or self._shuffled()
                kind = deck.pop()
                task = asyncio.create_task(self._deal_one(kind), name=kind)
                under_way.add(task)
                task.add_done_callback(under_way.discard)
        finally:
            if under_way:
                done, endless = await asyncio.wait(under_way, timeout=ENDS_WITHIN_S)
                for task in endless:
                    task.cancel()
                assert not endless, f"these faults did not end by themselves: {[task.get_name() for task in endless]}"
                for task in done:
                    task.result()

    def _shuffled(self) -> list[str]:
        """Every kind once before any comes a second time."""
        once = list(self._kinds)
        again = [kind for kind, (weight, _) in self._kinds.items() for _ in range(weight - 1)]
        self._random.shuffle(once)
        self._random.shuffle(again)
        return again + once

    async def _deal_one(self, kind: str) -> None:
        try:
            if await self._kinds[kind][1]():
                self.dealt[kind] += 1
        except (OSError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.failed.append(f"{kind}: {error!r}")  # another fault was quicker: the server was away

    async def _signal(self, some: list[Supervised], number: signal.Signals, *, frozen_s: float = 0.0) -> bool:
        one = self._random.choice(some)
        if one.disturbed.locked():
            return False
        async with one.disturbed:
            one.signal(number)
            if frozen_s:
                await asyncio.sleep(frozen_s)
                one.signal(signal.SIGCONT)
        return True

    async def _kill_worker(self) -> bool:
        return await self._signal(self._deployed.workers, signal.SIGKILL)

    async def _freeze_worker(self) -> bool:
        past_lease = LEASE_S * self._random.uniform(1.2, 3.0)
        return await self._signal(self._deployed.workers, signal.SIGSTOP, frozen_s=past_lease)

    async def _terminate_worker(self) -> bool:
        return await self._signal(self._deployed.workers, signal.SIGTERM)

    async def _kill_producer(self) -> bool:
        return await self._signal(self._deployed.producers, signal.SIGKILL)

    async def _freeze_producer(self) -> bool:
        return await self._signal(self._deployed.producers, signal.SIGSTOP, frozen_s=self._random.uniform(1.0, 6.0))

    async def _terminate_producer(self) -> bool:
        return await self._signal(self._deployed.producers, signal.SIGTERM)

    async def _kill_redis(self) -> bool:
        async with self._deployed.redis_disturbed:
            await self._deployed.kill_redis(self._random.uniform(0.0, 2.0))
        return True

    async def _freeze_redis(self) -> bool:
        async with self._deployed.redis_disturbed:
            os.kill(self._deployed.redis.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self._random.uniform(0.5, 2.0) * LEASE_S)
            finally:
                os.kill(self._deployed.redis.pid, signal.SIGCONT)
        return True

    async def _flush_redis(self) -> bool:
        async with self._deployed.redis_disturbed:
            redis = Redis.from_url(self._deployed.redis_url(self._redis_db), socket_timeout=10)
            try:
                await redis.flushall()
            finally:
                await redis.aclose()
        return True

    async def _restart_postgres(self) -> bool:
        async with self._deployed.postgres_disturbed:
            await self._deployed.restart_postgres(self._random.uniform(0.0, 2.0))
        return True

    async def _kill_backend(self) -> bool:
        """The server ends all its sessions and recovers: it cannot know what the killed one left behind."""
        async with self._deployed.postgres_disturbed:
            pids = await self._ask_postgres(BACKENDS)
            with contextlib.suppress(ProcessLookupError):
                if pids:
                    os.kill(self._random.choice(pids), signal.SIGKILL)
        return bool(pids)

    async def _terminate_backends(self) -> bool:
        async with self._deployed.postgres_disturbed:
            return bool((await self._ask_postgres(TERMINATED))[0])

    async def _ask_postgres(self, query: str) -> list[int]:
        connection = await look_into(self._deployed.dsn(self._database), timeout=10)
        try:
            return [row[0] for row in await connection.fetch(query, self._database)]
        finally:
            await connection.close(timeout=5)

    async def _vendor_faults(self) -> bool:
        async with self._vendor_disturbed:
            fault = self._random.choice(VENDOR_FAULTS)
            await self._deployed.market.faults(fault)
            try:
                await asyncio.sleep(self._random.uniform(1.0, 5.0))
            finally:
                await self._deployed.market.faults()
        self.dealt[f"vendor faults: {fault['kind']}"] += 1
        return True
