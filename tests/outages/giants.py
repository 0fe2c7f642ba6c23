"""Entries of 220 MB, of a million fields, and a hundred thousand that are junk, on the streams of two workers."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import os
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.runtime import connect_redis
from contract import keys
from contract.messages import TaskName
from producers.trigger import request_cycle
from tests.crash.chaos import schedule_for
from tests.crash.deployment import deployment
from tests.crash.stack import until
from tests.crash.workload import Workload
from tests.outages.ground import DATABASE, QUICK, REDIS_DB, make_database, read_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    from tests.crash.deployment import Deployment

MB = 1_000_000
JUNK = 100_000
GIVEN_UP_WITHIN_S = 90.0
JUNK_WITHIN_S = 900.0
BEGINS_WITHIN_S = 600.0
READY = {"task": "cycle", "trading_day": "2025-11-11"}
EVENT = {"event": "SESSION_CHANGED"}
KINDS: dict[str, Callable[[], dict[Any, Any]]] = {
    "field of 50 MB": lambda: {"x": os.urandom(MB) * 50},
    "field of 220 MB": lambda: {"x": os.urandom(MB) * 220},
    "name of 220 MB": lambda: {os.urandom(MB) * 220: "x"},
    "a million fields": lambda: {f"f{n}": "v" for n in range(1_000_000)},
}


class Giants:
    """Two workers at rest, and what the giants cost them."""

    def __init__(self, deployed: Deployment, workload: Workload, redis: Redis, db: Any) -> None:
        self.deployed, self.workload, self.redis, self.db = deployed, workload, redis, db

    @property
    def _pids(self) -> list[int]:
        return [one._process.pid for one in self.deployed.workers if one._process is not None]

    def peak_mb(self) -> int:
        """The most memory that a worker has had since `forget_peaks`."""
        found = [0]
        for pid in self._pids:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text("ascii")
                found += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        return max(found) * 1024 // MB

    def forget_peaks(self) -> None:
        for pid in self._pids:
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")

    def log_bytes(self) -> int:
        return sum(log.stat().st_size for log in self.deployed.home.glob(f"{DATABASE}-worker*.log"))

    def longest_line(self) -> int:
        logs = self.deployed.home.glob(f"{DATABASE}-worker*.log")
        return max(len(line) for log in logs for line in log.read_bytes().splitlines())

    async def kept(self) -> dict[str, int]:
        row = await self.db.fetchrow(
            "SELECT count(*), coalesce(max(octet_length(fields::text)), 0) AS longest, "
            "pg_total_relation_size('dead_letter') AS bytes FROM dead_letter"
        )
        copies = await self.redis.memory_usage(keys.DEAD.name, samples=0) or 0
        return {"rows": row["count"], "longest row": row["longest"], "table bytes": row["bytes"],
                "copies": await self.redis.xlen(keys.DEAD.name), "copies' bytes": copies}  # fmt: skip

    async def costs(self, name: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """What *work* gives, with what it has cost."""
        self.forget_peaks()
        logged, cpu, began = self.log_bytes(), self._cpu_s(), time.monotonic()
        figures = await work()
        took = time.monotonic() - began
        print(f"  {name}: {figures}", flush=True)
        return {
            **figures, "peak of a worker, MB": self.peak_mb(), "log bytes": self.log_bytes() - logged,
            "worker CPU, s": round(self._cpu_s() - cpu, 1), "s": round(took, 1), **await self.kept(),
        }  # fmt: skip

    def _cpu_s(self) -> float:
        ticks = 0
        for pid in self._pids:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    async def begins(self) -> float:
        """Seconds from the XADD of a normal request until its cycle is open."""
        began = time.monotonic()
        entry = await request_cycle(
            self.redis, trading_day=self.workload.day, task=TaskName.REDIS_SYNC, force=True, requested_by="trial"
        )

        async def opened() -> bool:
            query = "SELECT EXISTS (SELECT FROM cycle WHERE occasion = 'request:' || $1)"
            return bool(await self.db.fetchval(query, entry))

        await until(opened, within_s=BEGINS_WITHIN_S, what="a cycle for a normal request")
        return round(time.monotonic() - began, 2)

    async def ends(self) -> float:
        """Seconds until the newest cycle has ended."""
        began = time.monotonic()

        async def ended() -> bool:
            return bool(await self.db.fetchval("SELECT bool_and(finished_at IS NOT NULL) FROM cycle"))

        await until(ended, within_s=BEGINS_WITHIN_S, what="the end of the cycle")
        return round(time.monotonic() - began, 2)

    async def settled(self, stream: str, entry: str) -> bool:
        if await self.redis.xpending_range(stream, keys.GROUP, entry, entry, 1):
            return False
        groups: Any = await self.redis.xinfo_groups(stream)
        delivered = next(one["last-delivered-id"] for one in groups if one["name"] == keys.GROUP)
        return tuple(map(int, delivered.split("-"))) >= tuple(map(int, entry.split("-")))

    async def giant(self, stream: str, kind: str) -> dict[str, Any]:
        """One entry: seconds until it is given up, and those of a normal request meanwhile."""
        fields = {**(EVENT if stream == keys.SESSIONS.name else READY), **KINDS[kind]()}
        began = time.monotonic()
        entry = await self.redis.xadd(stream, fields)
        meanwhile = await self.begins()
        try:
            await until(lambda: self.settled(stream, entry), within_s=GIVEN_UP_WITHIN_S, what="its end")
            given_up: float | str = round(time.monotonic() - began, 1)
        except (AssertionError, TimeoutError):
            given_up = "never"
        gone = not await self._stands(stream, entry)
        if not gone:
            await self.redis.xack(stream, keys.GROUP, entry)
            await self.redis.xdel(stream, entry)
        await self.ends()
        return {"given up after, s": given_up, "gone": gone, "a normal request meanwhile, s": meanwhile}

    async def _stands(self, stream: str, entry: str) -> bool:
        return bool(await self.redis.xrange(stream, entry, entry))

    async def junk(self, stream: str, count: int) -> dict[str, Any]:
        """*count* of them: seconds until all are refused; of a request and a close amid them."""
        began = time.monotonic()
        for first in range(0, count, 5_000):
            pipe = self.redis.pipeline(transaction=False)
            for number in range(first, min(first + 5_000, count)):
                pipe.xadd(stream, {"junk": str(number), "task": f"thing-{number}", "event": f"thing-{number}"})
            await pipe.execute()
        written = round(time.monotonic() - began, 1)
        meanwhile = await self.begins()
        closed = await self.ends()
        last: Any = await self.redis.xrevrange(stream, count=1)

        async def refused() -> bool:
            counts: Any = await self.redis.xpending(stream, keys.GROUP)
            groups: Any = await self.redis.xinfo_groups(stream)
            delivered = next(one["last-delivered-id"] for one in groups if one["name"] == keys.GROUP)
            return not counts["pending"] and (not last or delivered >= last[0][0])

        await until(refused, within_s=JUNK_WITHIN_S, what="the end of the junk")
        return {"written within, s": written, "refused within, s": round(time.monotonic() - began, 1),
                "a normal request meanwhile, s": meanwhile, "and its cycle ended after, s": closed}  # fmt: skip

    async def close(self) -> float:
        """Seconds of a whole forced cycle."""
        await request_cycle(self.redis, trading_day=self.workload.day, force=True, requested_by="trial")
        await asyncio.sleep(0.5)
        return 0.5 + await self.ends()


async def giants(_: float) -> dict[str, Any]:
    """Each giant in turn, on both streams."""
    figures: dict[str, Any] = {}
    count = int(os.environ.get("GIANTS_JUNK", JUNK))
    async with two_workers() as on:
        figures["before"] = {"a normal request, s": [await _calm(on) for _ in range(3)], "close, s": await on.close()}
        for stream in (keys.SESSIONS.name, keys.TASKS.name):
            for kind in KINDS:
                name = f"{stream}, {kind}"
                figures[name] = await on.costs(name, functools.partial(on.giant, stream, kind))
            name = f"{stream}, {count:,} junk"
            figures[name] = await on.costs(name, functools.partial(on.junk, stream, count))
        figures["after"] = {"a normal request, s": [await _calm(on) for _ in range(3)], "close, s": await on.close()}
        figures["longest line"] = on.longest_line()
        figures["exits"] = [dict(one.exits) for one in on.deployed.workers]
        figures["events"] = sorted(
            {line["event"] for log in on.deployed.home.glob(f"{DATABASE}-worker*.log") for line in read_log(log)
             if line.get("level") not in ("DEBUG", "INFO")}
        )  # fmt: skip
    for name, value in figures.items():
        print(f"  {name}: {msgspec.json.encode(value).decode()}", flush=True)
    return {"longest line": figures["longest line"], "exits": figures["exits"]}


async def _calm(on: Giants) -> float:
    seconds = await on.begins()
    await on.ends()
    return seconds


@contextlib.asynccontextmanager
async def two_workers() -> AsyncIterator[Giants]:
    """Two workers that have done the due cycle."""
    rule, day = schedule_for(dt.datetime.now(dt.UTC))
    environment = {**QUICK, "MAINTENANCE_SCHEDULE": rule, "HTTP_PORT": "0"}
    async with deployment(tickers=200, latency_ms=5, settings=environment, postgres={}) as deployed:
        await make_database(deployed)
        workload = Workload(deployed, day, Random(1), database=DATABASE, redis_db=REDIS_DB)
        async with (
            deployed.running(DATABASE, REDIS_DB, workers=2, producers=1),
            workload.ledger() as db,
            connect_redis(deployed.redis_url(REDIS_DB), timeout_s=60) as redis,
        ):
            on = Giants(deployed, workload, redis, db)

            async def loaded() -> bool:
                if not await db.fetchval("SELECT to_regclass('part') IS NOT NULL"):
                    return False
                return bool(await db.fetchval("SELECT EXISTS (SELECT FROM cycle WHERE finished_at IS NOT NULL)"))

            await until(loaded, within_s=120.0, what="the due cycle")
            yield on
