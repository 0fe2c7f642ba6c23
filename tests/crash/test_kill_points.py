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
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consumer.delivery.entries import Outgoing
from consumer.maintenance_channel import task_stream
from contract.messages import encode
from market.trading_calendar import TradingCalendar
from producers.market_session.due import session_changed
from producers.trigger import request_cycle
from tests.conftest import finish
from tests.crash.chaos import schedule_for
from tests.crash.fingerprint import of_caches, of_tables
from tests.crash.forked import Forks, Start, forks
from tests.crash.killed_at import POINTS
from tests.crash.stack import Market, simulated_market, until
from tests.looking import look_into

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from consumer.embedded.redis_server import EmbeddedRedis
    from tests.databases import MigratedDatabases

pytestmark = [pytest.mark.crash, pytest.mark.long(3)]

TICKERS = 30
LEASE_S = 1.0
AT_A_TIME = 4
DIES_WITHIN_S = 60.0
ENDS_WITHIN_S = 80.0
STOPS_WITHIN_S = 10.0
RULE, DAY = schedule_for(dt.datetime.now(dt.UTC))
QUICK = {
    "MASSIVE_API_KEY": "any", "MASSIVE_REQUESTS_PER_SECOND": "0", "MAINTENANCE_LEASE": f"{LEASE_S:g}s",
    "MAINTENANCE_CATCH_UP": "off", "MAINTENANCE_SCHEDULE": RULE, "OHLC_SESSIONS": "16", "SLOT_SESSIONS": "5",
}  # fmt: skip

Fingerprint = dict[str, tuple[int, str]]


class Place:
    """A database and a Redis, and the workers that are run on them one after the other."""

    def __init__(self, dsn: str, redis_url: str, market: Market, forks: Forks, log: Path) -> None:
        self.redis_url = redis_url
        self._forks = forks
        self._environment = {
            **os.environ, **QUICK, "DATABASE_URL": dsn, "REDIS_URL": redis_url, "MASSIVE_BASE_URL": market.url,
        }  # fmt: skip
        self._dsn = dsn
        self._log = log

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Place]:
        self.redis = Redis.from_url(self.redis_url, decode_responses=True)
        self.db = await look_into(self._dsn)
        try:
            yield self
        finally:
            await self.db.close()
            await self.redis.aclose()

    @contextlib.asynccontextmanager
    async def worker(self, point: str | None = None) -> AsyncIterator[int]:
        """A worker process until the block ends, by SIGTERM if it still lives then."""
        start = Start(environment=self._environment, log=str(self._log), point=point)
        pid = await self._forks.start(start)
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    async def die(self, point: str) -> None:
        """Run a worker that dies at *point*, and see it dead."""
        async with self.worker(point) as pid:
            code = await self._forks.ended(pid, within_s=DIES_WITHIN_S)
            assert code == -signal.SIGKILL, self._log.read_text("utf-8")[-6000:]

    async def end(self) -> None:
        """Run a worker until nothing is left to do; it then stops as it is told."""
        async with self.worker() as pid:
            await self.complete()
        code = await self._forks.ended(pid, within_s=STOPS_WITHIN_S)
        assert code == 0, self._log.read_text("utf-8")[-6000:]

    async def complete(self) -> None:
        """Wait until the cycle is complete and nothing is queued, held or parked."""

        async def look() -> bool:
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
            with contextlib.suppress(ResponseError):  # no such group
                pending: Any = await self.redis.xpending(stream, "maintenance")
                left[f"pending of {stream}"] = pending["pending"]
        return {name: count for name, count in left.items() if count}

    async def explained(self) -> str:
        parts = await self.db.fetch("SELECT task, part, state, reason FROM part WHERE state <> 'done' LIMIT 8")
        cycles = await self.db.fetch("SELECT state, reason, missing FROM cycle")
        return f"{await self.left_over()} {[tuple(c) for c in cycles]} {[tuple(part) for part in parts]}"

    async def fingerprint(self) -> Fingerprint:
        return {**await of_tables(self.db), **await of_caches(self.redis)}


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What stands there after the next worker has ended the work."""

    fingerprint: Fingerprint
    letters: list[str]
    dead_entries: int


class Grounds:
    """Gives each run a database and an empty Redis of its own, as many at a time as there are Redis databases for."""

    def __init__(self, redis_url: str, databases: MigratedDatabases, market: Market, forks: Forks, logs: Path) -> None:
        self._redis_url, self._databases, self._market = redis_url, databases, market
        self._forks, self._logs = forks, logs
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for redis_db in range(1, 1 + AT_A_TIME):
            self._free.put_nowait(redis_db)

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        redis_db = await self._free.get()
        try:
            async with self._databases.another() as dsn:
                log = self._logs / f"{uuid.uuid4().hex[:12]}.log"
                place = Place(dsn, f"{self._redis_url}?db={redis_db}", self._market, self._forks, log)
                async with place.opened():
                    await place.redis.flushdb()
                    yield place
        finally:
            self._free.put_nowait(redis_db)

    async def run(self, point: str | None) -> Left:
        """Let a worker die at *point* (None: nobody dies), then another one end the work."""
        async with self.place() as place:
            await ask(place, point or "")
            if point is not None:
                await die(place, point)
            await place.end()
            rows = await place.db.fetch("SELECT reason FROM dead_letter")
            return Left(
                fingerprint=await place.fingerprint(),
                letters=[row["reason"] for row in rows],
                dead_entries=await place.redis.xlen("maintenance:dead"),
            )

    async def run_all(self, points: list[str | None]) -> dict[str | None, Left | BaseException]:
        ends = await asyncio.gather(*(self.run(point) for point in points), return_exceptions=True)
        return dict(zip(points, ends, strict=True))


async def die(place: Place, point: str) -> None:
    if (first := POINTS[point].first) is not None:
        await place.die(first)
        await asyncio.sleep(LEASE_S)  # its lease runs out, and only time does that
    await place.die(point)


async def ask(place: Place, point: str) -> None:
    """Have work for *point* to be reached: a request, unless the point is about how else work comes."""
    if point.startswith("a session event"):
        calendar = TradingCalendar()
        closes = calendar.session(DAY).closes_at
        *_, closed = calendar.transitions(closes, closes + dt.timedelta(hours=6))
        await place.redis.xadd("market:session", dict(encode(session_changed(calendar, closed)).items()))
    elif "promoted" in point:
        stream = task_stream(place.redis, place.redis, consumer="test", lease=dt.timedelta(seconds=LEASE_S))
        fields = {"task": "cycle", "trading_day": DAY.isoformat(), "request": "parked"}
        due_at = dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=200)
        await stream.enqueue([Outgoing(fields=fields, key="request:parked", due_at=due_at)])
    else:
        await request_cycle(place.redis, trading_day=DAY, requested_by="kill points")
    if point.startswith("a dead letter"):
        await place.redis.xadd("maintenance:tasks", {"task": "no such task"})


@pytest.fixture(scope="module")
def ends(
    request: pytest.FixtureRequest,
    redis_server: EmbeddedRedis,
    migrated_databases: MigratedDatabases,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str | None, Left | BaseException]:
    """All the runs that the selected tests look at, several at a time: most of what they do is to wait for a lease."""
    points: list[str | None] = [None]
    for item in request.session.items:
        if item.path == request.path and isinstance(item, pytest.Function):
            points.append(item.callspec.params["point"])
    found: dict[str | None, Left | BaseException] = {}

    async def run(market: Market) -> None:
        await migrated_databases.ready()
        async with forks() as forking:
            logs = tmp_path_factory.mktemp("workers")
            grounds = Grounds(redis_server.url, migrated_databases, market, forking, logs)
            found.update(await grounds.run_all(points))

    with simulated_market(tickers=TICKERS, latency_ms=2) as market:
        finish(run(market))
    return found


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_leaves_work_that_the_next_one_ends(
    point: str, ends: dict[str | None, Left | BaseException]
) -> None:
    undisturbed, left = ends[None], ends[point]
    if isinstance(left, BaseException):
        raise left
    assert isinstance(undisturbed, Left), undisturbed
    assert left.fingerprint == undisturbed.fingerprint
    assert len(left.letters) == (1 if point.startswith("a dead letter") else 0), left.letters
    assert left.dead_entries == len(left.letters)
