"""Keeps cycles coming while the chaos lasts, and waits for the rest that has to follow it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumer.postgres.cycle_changes import OPENING_LOCK
from producers.trigger import request_cycle
from tests.crash.fingerprint import of_caches, of_tables
from tests.crash.repeats import Askers
from tests.crash.stack import until
from tests.looking import look_into

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator
    from random import Random

    from tests.crash.deployment import Deployment

# InternalClientError is the driver's own word where a server is killed between two messages of a statement.
AWAY = (
    OSError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError,
    aiohttp.ClientError,
)  # fmt: skip
ASK_AGAIN_S = 3.0
LOOK_EVERY_S = 0.25
WORK_WITHIN_S = 10.0
ASKED_AT_MOST = 3
GAP_TABLES = {"daily_bar": "trading_date", "session_slots": "trading_date", "coverage": "trading_day"}

Fingerprint = dict[str, tuple[int, str]]


class Workload:
    """The cycles of one database and Redis."""

    def __init__(self, deployed: Deployment, day: dt.date, random: Random, *, database: str, redis_db: int) -> None:
        self._deployed = deployed
        self.day = day
        self._random = random
        self.database = database
        self.redis_db = redis_db
        self._asked_at = 0.0
        self.asked: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.asked_twice: Counter[str] = Counter()
        self.asked_by_force: Counter[str] = Counter()  # once more, by a cycle that wants all anew
        self.answered_with_a_fault = 0
        self._askers = Askers()
        self.statuses: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def ledger(self) -> AsyncIterator[Any]:
        connection = await look_into(self._deployed.dsn(self.database), timeout=10, command_timeout=60)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    @contextlib.asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        client = Redis.from_url(self._deployed.redis_url(self.redis_db), decode_responses=True, socket_timeout=30)
        try:
            yield client
        finally:
            await client.aclose()

    async def running(self) -> bool:
        """Whether a cycle is running; also false when nobody can say."""
        return await self._newest_state() == "running"

    async def _newest_state(self) -> str | None:
        with contextlib.suppress(*AWAY):
            async with self.ledger() as db:
                if not await db.fetchval("SELECT to_regclass('part') IS NOT NULL"):
                    return None
                return str(
                    await db.fetchval("SELECT state FROM cycle ORDER BY state = 'running' DESC, cycle_id DESC LIMIT 1")
                )
        return None

    async def wanted(self) -> None:
        """Wait until a cycle runs, so that a fault hits something; not for long: it may be the fault itself."""
        with contextlib.suppress(TimeoutError):
            await until(self.running, within_s=WORK_WITHIN_S)

    async def keep_coming(self) -> None:
        """Have another cycle started whenever none runs, until cancelled."""
        while True:
            state = await self._newest_state()
            if state not in (None, "running") and time.monotonic() > self._asked_at + ASK_AGAIN_S:
                with contextlib.suppress(*AWAY):
                    await self.take_stock()
                    await self._ask_for_more()
                    self._asked_at = time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ask_for_more(self) -> None:
        if self._random.random() < 0.5:
            await self.ask("everything once more, by force", force=True)
        elif await self._make_gap():
            await self.ask("one session's rows deleted")

    async def ask(self, why: str, *, force: bool = False) -> None:
        async with self.redis() as redis:
            await request_cycle(redis, trading_day=self.day, force=force, requested_by="chaos")
        self.asked[why] += 1

    async def _make_gap(self) -> bool:
        """Lose a session; while no cycle can be opened, so that none has already looked at what goes."""
        async with self.ledger() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", OPENING_LOCK)
            if await db.fetchval("SELECT EXISTS (SELECT FROM cycle WHERE state = 'running')"):
                return False
            days = await db.fetch("SELECT DISTINCT trading_date AS day FROM session_slots ORDER BY 1")
            if not days:
                return False
            day = self._random.choice(days)["day"]
            for table, column in GAP_TABLES.items():
                await db.execute(f"DELETE FROM {table} WHERE {column} = $1", day)
        return True

    async def take_stock(self) -> None:
        """Add what the market was asked since the last time; no cycle asks for the same ticker or day twice."""
        async with self.ledger() as db:
            forced, others = await self._askers.since_last_time(db)
        wanted = max(forced + others, 1)
        asked = await self._deployed.market.requests()
        await self._deployed.market.reset()
        self.requests.update(asked["by_endpoint"])
        self.statuses.update(asked["by_status"])
        self.answered_with_a_fault += asked["disturbed"]
        for path, count in asked["by_path"].items():
            for subject in ("/range/", "/grouped/", "/v3/reference/tickers/"):
                if subject in path and count > 1:
                    self.asked_by_force[subject.strip("/")] += min(count, wanted) - 1
                    self.asked_twice[subject.strip("/")] += max(count - wanted, 0)

    async def quiet(self, *, within_s: float) -> list[str]:
        """Wait until the newest cycle is complete and nothing is under way, asking again as an operator would.

        Returns what had to be asked for again, and why.
        """
        asked: list[str] = []
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(*AWAY):  # a server may still be recovering
                    if not await self.left_over() and await self._rests(asked):
                        return asked
                await asyncio.sleep(LOOK_EVERY_S)

    async def _rests(self, asked: list[str]) -> bool:
        async with self.ledger() as db:
            newest = await db.fetchrow("SELECT * FROM cycle ORDER BY cycle_id DESC LIMIT 1")
        if newest["state"] == "complete":
            return True
        if len(asked) == ASKED_AT_MOST:
            raise AssertionError(f"still {newest['state']}: {newest['reason']} {newest['missing']}")
        await self.take_stock()
        await self.ask("asked again after the chaos", force=newest["force"])
        asked.append(f"cycle {newest['cycle_id']} was {newest['state']}: {list(newest['missing'])[:5]}")
        return False

    async def left_over(self) -> dict[str, int]:
        """What is still queued, held, parked or running; but not a pass that waits for its time."""
        async with self.redis() as redis, self.ledger() as db:
            pending: Any = await redis.xpending("maintenance:tasks", "maintenance")
            found = {
                "running": await db.fetchval("SELECT count(*) FROM cycle WHERE state = 'running'"),
                "entries": await redis.xlen("maintenance:tasks"),
                "pending": pending["pending"],
                "later": await redis.zcard("maintenance:later"),
                "later:messages": await redis.hlen("maintenance:later:messages"),  # type: ignore[misc]
                "queued": await redis.hlen("maintenance:queued"),  # type: ignore[misc]
            }
        return {name: count for name, count in found.items() if count}

    async def fingerprint(self) -> Fingerprint:
        async with self.ledger() as db, self.redis() as redis:
            return {**await of_tables(db), **await of_caches(redis)}
