"""Puts a deployment on servers behind wires, and reads what its processes logged meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from tests.crash.chaos import schedule_for
from tests.crash.deployment import deployment
from tests.crash.stack import until
from tests.crash.workload import Workload
from tests.outages.wire import wire_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from tests.crash.deployment import Deployment
    from tests.outages.wire import Wire

DATABASE, REDIS_DB = "trial", 1
QUICK = {"MASSIVE_REQUESTS_PER_SECOND": "0", "MAINTENANCE_LEASE": "10s", "MAINTENANCE_PARTS_AT_ONCE": "4"}
ENDS_WITHIN_S = 300.0


class Ground:
    """One deployment, its wires, its ledger and its log."""

    def __init__(self, deployed: Deployment, workload: Workload, postgres: Wire, redis: Wire) -> None:
        self.deployed, self.workload, self.postgres, self.redis = deployed, workload, postgres, redis
        self.began = dt.datetime.now(dt.UTC)

    async def amid(self, stage: str = "volume_slots/slots", done: int = 3) -> None:
        """Wait until *done* parts of that stage are loaded, and more are to come."""

        async def look() -> bool:
            with contextlib.suppress(asyncpg.PostgresError):
                async with self.workload.ledger() as db:
                    query = "SELECT count(*) FROM part WHERE state = 'done' AND stage = $1"
                    return int(await db.fetchval(query, stage)) >= done
            return False

        await self._until(look, what=f"{done} parts of {stage}")

    async def _until(self, look: Callable[[], Coroutine[Any, Any, Any]], *, what: str) -> None:
        try:
            await until(look, within_s=ENDS_WITHIN_S, what=what)
        except TimeoutError:
            tails = [f"{log.name}: {log.read_text('utf-8', 'replace')[-1500:]}" for log in self.logs()]
            raise AssertionError(f"{what} did not come; " + " ".join(tails)) from None

    async def complete(self) -> float:
        """Seconds until the newest cycle is complete and nothing is under way; asserts that none was given up."""
        began = time.monotonic()
        asked = await self.workload.quiet(within_s=ENDS_WITHIN_S)
        assert not asked, asked
        return round(time.monotonic() - began, 1)

    def lines(self, since: dt.datetime, until: dt.datetime | None = None) -> list[dict[str, Any]]:
        """What the processes logged in that time, oldest first."""
        until = until or dt.datetime.now(dt.UTC)
        found = [line for log in self.logs() for line in read_log(log) if since <= line["at"] <= until]
        return sorted(found, key=lambda line: line["at"])

    def logs(self) -> list[Path]:
        return sorted(self.deployed.home.glob(f"{DATABASE}-*.log"))


def read_log(path: Path) -> list[dict[str, Any]]:
    found = []
    for text in path.read_bytes().splitlines():
        try:
            line = msgspec.json.decode(text)
            line["at"] = dt.datetime.fromisoformat(line["time"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            line = {"at": dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC), "event": "raw", "text": text[:200]}
        found.append(line)
    return found


def told(lines: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """How much was logged, at which level and of what."""
    return {
        "lines": len(lines),
        "lines a minute": round(len(lines) / seconds * 60, 1),
        "levels": dict(Counter(line.get("level", "?") for line in lines)),
        "events": dict(Counter(line["event"] for line in lines).most_common(12)),
        "longest pause, s": max([float(line["delay_s"]) for line in lines if "delay_s" in line], default=None),
    }


@contextlib.asynccontextmanager
async def ground(
    *, tickers: int = 1000, latency_ms: int = 10, workers: int = 2, http: bool = False, **settings: str
) -> AsyncIterator[Ground]:
    """Two workers amid the cycle that is due, on servers behind wires."""
    rule, day = schedule_for(dt.datetime.now(dt.UTC))
    environment = {**QUICK, "MAINTENANCE_SCHEDULE": rule, "HTTP_PORT": "0", **settings}
    async with deployment(tickers=tickers, latency_ms=latency_ms, settings=environment, postgres={}) as deployed:
        postgres_socket = next((deployed.home).rglob(".s.PGSQL.5432"))
        async with (
            wire_to(lambda: asyncio.open_unix_connection(str(postgres_socket))) as postgres,
            wire_to(lambda: asyncio.open_unix_connection(str(deployed.redis.socket_path))) as redis,
        ):
            await make_database(deployed)
            environment["DATABASE_URL"] = f"postgresql://postgres@127.0.0.1:{postgres.port}/{DATABASE}"
            environment["REDIS_URL"] = f"redis://127.0.0.1:{redis.port}/{REDIS_DB}"
            workload = Workload(deployed, day, Random(1), database=DATABASE, redis_db=REDIS_DB)
            async with deployed.running(DATABASE, REDIS_DB, workers=workers, producers=1):
                yield Ground(deployed, workload, postgres, redis)


async def make_database(deployed: Deployment) -> None:
    connection = await asyncpg.connect(deployed.postgres.dsn)
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    finally:
        await connection.close()
