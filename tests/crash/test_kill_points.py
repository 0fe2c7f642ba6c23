"""kill -9 at every named point between two effects: a worker that comes later ends the work as if nothing had been.

Each point is reached by a real process on real servers (killed_at.py); it is alone, and dead before its successor
starts, so what it left behind is all there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from redis.asyncio import Redis

from consumer.delivery.task_stream import Outgoing, TaskStream
from market.trading_calendar import TradingCalendar
from producers.market_session.due import session_changed
from producers.messages import encode
from producers.trigger import request_cycle
from tests.conftest import execute, finish
from tests.crash.chaos import schedule_for
from tests.crash.fingerprint import of_caches, of_tables
from tests.crash.killed_at import POINTS
from tests.crash.stack import Market, simulated_market, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from consumer.embedded.postgres_server import EmbeddedPostgres
    from consumer.embedded.redis_server import EmbeddedRedis

pytestmark = pytest.mark.crash

TICKERS = 60
LEASE_S = 1.0
DIES_WITHIN_S = 30.0
ENDS_WITHIN_S = 40.0
RULE, DAY = schedule_for(dt.datetime.now(dt.UTC))
QUICK = {
    "MASSIVE_API_KEY": "any", "MASSIVE_REQUESTS_PER_SECOND": "0", "MAINTENANCE_LEASE": f"{LEASE_S:g}s",
    "MAINTENANCE_CATCH_UP": "off", "MAINTENANCE_SCHEDULE": RULE, "OHLC_SESSIONS": "16", "SLOT_SESSIONS": "5",
}  # fmt: skip

Fingerprint = dict[str, tuple[int, str]]


class Place:
    """A database and a Redis, and the workers that are run on them one after the other."""

    def __init__(self, dsn: str, redis_url: str, market: Market, log: Path) -> None:
        self.redis_url = redis_url
        self._environment = {
            **os.environ, **QUICK, "DATABASE_URL": dsn, "REDIS_URL": redis_url, "MASSIVE_BASE_URL": market.url,
        }  # fmt: skip
        self._dsn = dsn
        self._log = log

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Place]:
        self.redis = Redis.from_url(self.redis_url, decode_responses=True)
        self.db = await asyncpg.connect(self._dsn)
        try:
            yield self
        finally:
            await self.db.close()
            await self.redis.aclose()

    @contextlib.contextmanager
    def worker(self, *module: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker process until the block ends, by SIGTERM if it still lives then."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module, "--no-http"], env=self._environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def die(self, point: str) -> None:
        """Run a worker that dies at *point*, and see it dead."""
        with self.worker("tests.crash.killed_at", point) as process:

            async def dead() -> bool:
                return process.poll() is not None

            await until(dead, within_s=DIES_WITHIN_S, what=f"the death at: {point}")
            assert process.returncode == -signal.SIGKILL, self._log.read_text("utf-8")[-2000:]

    async def complete(self) -> None:
        """Wait until the cycle is complete and nothing is queued, held or parked."""

        async def look() -> bool:
            if not await self.db.fetchval("SELECT to_regclass('part') IS NOT NULL"):
                return False
            states = [row["state"] for row in await self.db.fetch("SELECT state FROM cycle")]
            assert not {"partial", "failed", "waiting"} & set(states), await self.explained()
            return states == ["complete"] and not await self.left_over()

        try:
            await until(look, within_s=ENDS_WITHIN_S)
        except TimeoutError:
            raise AssertionError(await self.explained()) from None

    async def left_over(self) -> dict[str, Any]:
        left = {
            "entries": await self.redis.xlen("maintenance:tasks"),
            "later": await self.redis.zcard("maintenance:later"),
            "later:messages": await self.redis.hlen("maintenance:later:messages"),  # type: ignore[misc]
            "queued": await self.redis.hlen("maintenance:queued"),  # type: ignore[misc]
        }
        for stream in ("maintenance:tasks", "market:session"):
            with contextlib.suppress(Exception):
                pending: Any = await self.redis.xpending(stream, "maintenance")
                left[f"pending of {stream}"] = pending["pending"]
        return {name: count for name, count in left.items() if count}

    async def explained(self) -> str:
        parts = await self.db.fetch("SELECT task, part, state, reason FROM part WHERE state <> 'done' LIMIT 8")
        cycles = await self.db.fetch("SELECT state, reason, missing FROM cycle")
        return f"{await self.left_over()} {[tuple(c) for c in cycles]} {[tuple(part) for part in parts]}"

    async def fingerprint(self) -> Fingerprint:
        return {**await of_tables(self.db), **await of_caches(self.redis)}


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    with simulated_market(tickers=TICKERS, latency_ms=2) as running:
        yield running


@contextlib.contextmanager
def database_on(server: EmbeddedPostgres) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    finish(execute(server.dsn, f"CREATE DATABASE {name} TEMPLATE template0"))
    yield server.dsn.replace("/postgres?", f"/{name}?", 1)
    finish(execute(server.dsn, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module")
def undisturbed(
    redis_server: EmbeddedRedis,
    postgres_server: EmbeddedPostgres,
    market: Market,
    tmp_path_factory: pytest.TempPathFactory,
) -> Fingerprint:
    """What a cycle leaves that nobody disturbs."""
    found: Fingerprint = {}

    async def run(dsn: str) -> None:
        log = tmp_path_factory.mktemp("calm") / "worker.log"
        async with Place(dsn, f"{redis_server.url}?db=3", market, log).opened() as place:
            await request_cycle(place.redis, trading_day=DAY, requested_by="kill points")
            with place.worker("consumer"):
                await place.complete()
            found.update(await place.fingerprint())

    with database_on(postgres_server) as dsn:
        finish(run(dsn))
    return found


async def ask(place: Place, point: str) -> None:
    """Have work for *point* to be reached: a request, unless the point is about how else work comes."""
    if point.startswith("a session event"):
        calendar = TradingCalendar()
        closes = calendar.session(DAY).closes_at
        *_, closed = calendar.transitions(closes, closes + dt.timedelta(hours=6))
        await place.redis.xadd("market:session", dict(encode(session_changed(calendar, closed)).items()))
    elif "promoted" in point:
        stream = TaskStream(place.redis, place.redis, consumer="test", lease=dt.timedelta(seconds=LEASE_S))
        fields = {"task": "cycle", "trading_day": DAY.isoformat(), "request": "parked"}
        due_at = dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=200)
        await stream.enqueue([Outgoing(fields=fields, key="request:parked", due_at=due_at)])
    else:
        await request_cycle(place.redis, trading_day=DAY, requested_by="kill points")
    if point.startswith("a dead letter"):
        await place.redis.xadd("maintenance:tasks", {"task": "no such task"})


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_at_any_point_leaves_work_that_the_next_one_ends(
    point: str, undisturbed: Fingerprint, redis_url: str, postgres_dsn: str, market: Market, tmp_path: Path
) -> None:
    async with Place(postgres_dsn, f"{redis_url}?db=1", market, tmp_path / "worker.log").opened() as place:
        await ask(place, point)
        if (first := POINTS[point].first) is not None:
            await place.die(first)
            await asyncio.sleep(LEASE_S)  # its lease runs out, and only time does that
        await place.die(point)
        with place.worker("consumer"):
            await place.complete()

        assert await place.fingerprint() == undisturbed
        letters = await place.db.fetch("SELECT reason FROM dead_letter")
        assert len(letters) == (1 if point.startswith("a dead letter") else 0), letters
        assert await place.redis.xlen("maintenance:dead") == len(letters)
