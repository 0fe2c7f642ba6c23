"""Runs whole consumers in this process, composed as in production, and asks the ledger what became of the work.

`run_until` itself runs: only its clock, its stop and the size of its batches are the test's. The day it sees is
2025-11-11, a quarter of an hour after the last rule fell due; what waits in Redis waits by the real clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from redis.asyncio import Redis

from consumer import service
from consumer.composition import Instead
from consumer.options import task_options
from consumer.runtime import utc_now
from consumer.settings import read_settings
from consumer.vendor.questions import Question
from tests.crash.fingerprint import of_caches, of_tables
from tests.cycle.stack import EVENING, Clock, until
from tests.looking import look_into

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cycle.stack import Market

BATCH = 5  # symbols a part, so that a cycle of forty tickers has a middle
QUICK = {
    "MASSIVE_API_KEY": "any", "MASSIVE_REQUESTS_PER_SECOND": "0", "MAINTENANCE_LEASE": "2s", "OHLC_SESSIONS": "16",
    "SLOT_SESSIONS": "5", "MAINTENANCE_PARTS_AT_ONCE": "4", "HTTP_PORT": "0",
}  # fmt: skip
ENDED_WITHIN_S = 60.0  # after the longest pause, of half a minute
Fingerprint = dict[str, tuple[int, str]]


class TickingClock(Clock):
    """Goes on from where it was set, as fast as time does."""

    def __init__(self, at: dt.datetime = EVENING) -> None:
        super().__init__(at)
        self._since = time.monotonic()

    def __call__(self) -> dt.datetime:
        return self.at + dt.timedelta(seconds=time.monotonic() - self._since)


class Running:
    """One consumer that runs in this process."""

    def __init__(self, task: asyncio.Task[None], stop: asyncio.Event) -> None:
        self.task = task
        self.stop = stop

    async def ended(self) -> None:
        """Stop it as SIGTERM does; a consumer that ended by itself fails the test with its own error."""
        self.stop.set()
        await asyncio.wait_for(self.task, 15)


class Place:
    """A database, a Redis and a market that consumers share, and the questions that tests ask of them."""

    def __init__(self, dsn: str, redis_url: str, market: Market, connection: Any) -> None:
        self.dsn, self.redis_url, self.market, self.db = dsn, redis_url, market, connection
        self.redis = Redis.from_url(redis_url, decode_responses=True, socket_timeout=5)

    async def value(self, query: str, *arguments: object) -> Any:
        return await self.db.fetchval(query, *arguments)

    async def states(self, stage: str) -> list[str]:
        """The states of the parts of *stage*."""
        if not await self.value("SELECT to_regclass('part') IS NOT NULL"):
            return []
        rows = await self.db.fetch("SELECT state FROM part WHERE stage = $1", stage)
        return [row["state"] for row in rows]

    async def in_the_middle_of(self, stage: str) -> set[str]:
        """Wait until some parts of *stage* are done, some run and some wait; return the symbols and days in flight."""

        async def reached() -> bool:
            states = await self.states(stage)
            return 1 <= states.count("done") < len(states) - 1 and "running" in states

        await until(reached, what=f"the middle of {stage}")
        return await self.in_flight()

    async def in_flight(self) -> set[str]:
        """What the parts that run or may just be beginning ask for: symbols, days, and the names of single requests."""
        rows = await self.db.fetch(
            "SELECT part, payload FROM part WHERE state IN ('running', 'retrying') "
            "OR (state = 'ready' AND cycle_id IN (SELECT max(cycle_id) FROM cycle))"
        )
        found: set[str] = set()
        for row in rows:
            payload = msgspec.json.decode(row["payload"])
            found |= {*payload.get("symbols", ()), payload.get("session", row["part"])}
        return found

    async def cycle(self) -> dict[str, Any] | None:
        if not await self.value("SELECT to_regclass('cycle') IS NOT NULL"):
            return None
        row = await self.db.fetchrow("SELECT * FROM cycle ORDER BY cycle_id DESC LIMIT 1")
        return None if row is None else dict(row)

    async def complete(self, *, cycles: int = 1) -> None:
        """Wait until there are *cycles* cycles, the newest of them complete."""

        async def look() -> bool:
            cycle = await self.cycle()
            if cycle is not None and cycle["state"] in ("partial", "failed"):
                raise AssertionError(f"{cycle['state']}: {cycle['reason']} {cycle['missing']}")
            count = await self.value("SELECT count(*) FROM cycle") if cycle is not None else 0
            return cycle is not None and cycle["state"] == "complete" and count >= cycles

        try:
            await until(look, within_s=ENDED_WITHIN_S, what="a complete cycle")
        except AssertionError as error:
            rows = await self.db.fetch(
                "SELECT task, part, state, reason FROM part WHERE state NOT IN ('done', 'blocked') LIMIT 5"
            )
            raise AssertionError(f"{error}; {await self.cycle()}; {[tuple(row) for row in rows]}") from None

    async def fingerprint(self) -> Fingerprint:
        return {**await of_tables(self.db), **await of_caches(self.redis)}

    async def asked_twice(self) -> set[str]:
        """The symbols, days and single requests that the market was asked for more than once."""
        return {subject(path) for path, count in (await self.market.paths()).items() if count > 1}

    async def dead(self) -> list[str]:
        """Why work was given up."""
        return [row["reason"] for row in await self.db.fetch("SELECT reason FROM dead_letter")]

    async def at_rest(self) -> None:
        """Wait until nothing is queued, held or parked."""

        async def look() -> bool:
            async with self.redis.pipeline(transaction=True) as looks:  # what is promoted in between is seen once
                looks.xlen("maintenance:tasks")
                looks.zcard("maintenance:later")
                return not any(await looks.execute())

        await until(look, what="rest")


def subject(path: str) -> str:
    """What a request is about, in the words of a part's payload."""
    if found := re.search(r"/ticker/([^/]+)/range/|/v3/reference/tickers/([^?/ ]+)", path):
        return found[1] or found[2]
    if found := re.search(r"/stocks/(\d{4}-\d\d-\d\d)", path):
        return found[1]
    lists = {"/v3/reference/tickers": "universe", "/stocks/vX/float": "floats", "/stocks/v1/dividends": "dividends"}
    return lists.get(path.partition("?")[0], "splits")


# A backend reports its transactions when it next has something to do, up to ten seconds later: those of the
# cycle before a fault are counted within it. A loop without a pause makes thousands a second.
COUNTED_LATE = 400


class Watch:
    """Counts what a waiting service does."""

    @staticmethod
    async def wait(seconds: float) -> None:
        """Let the fault last: the only thing awaited here is time."""
        await asyncio.sleep(seconds)

    def __init__(self, place: Place, lines: list[dict[str, Any]]) -> None:
        self._place, self._lines = place, lines

    @contextlib.asynccontextmanager
    async def calm(self, *, log_lines: float = 10, redis: float | None = None, asked: float | None = None,
                   transactions: float | None = None) -> AsyncIterator[None]:  # fmt: skip
        """What happens in the block stays below so many a second: no hot loop."""
        before, began = await self._counts(redis, asked, transactions), time.monotonic()
        yield
        after, seconds = await self._counts(redis, asked, transactions), time.monotonic() - began
        most = {"log_lines": log_lines, "redis": redis, "asked": asked, "transactions": transactions}
        before["transactions"] = before.get("transactions", 0) + COUNTED_LATE
        rates = {name: (after[name] - before[name]) / seconds for name in after}
        hot = {name: round(rate, 1) for name, rate in rates.items() if rate > (most[name] or 0)}
        assert not hot, (hot, [line["event"] for line in self._lines[before["log_lines"] :]][:40])

    async def _counts(self, redis: Any, asked: Any, transactions: Any) -> dict[str, int]:
        found = {"log_lines": len(self._lines)}
        if redis is not None:
            found["redis"] = (await self._place.redis.info("stats"))["total_commands_processed"]
        if asked is not None:
            found["asked"] = sum((await self._place.market.requests()).values())
        if transactions is not None:
            found["transactions"] = await self._place.value(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            )
        return found


@contextlib.asynccontextmanager
async def consumer_on(
    place: Place,
    clock: Clock,
    *,
    http: bool = False,
    every_s: float | None = None,
    mends_every_s: float | None = None,
    **environment: str,
) -> AsyncIterator[Running]:
    """Run one consumer until the block ends; seconds between its looks for due and lost work, and at what is spoilt."""
    settings = read_settings(
        {**QUICK, "DATABASE_URL": place.dsn, "REDIS_URL": place.redis_url, "MASSIVE_BASE_URL": place.market.url,
         **environment}
    )  # fmt: skip
    batches = dict.fromkeys((endpoint.value for endpoint in Question), BATCH)
    instead = Instead(
        options=msgspec.structs.replace(task_options(settings), endpoint_batches=batches),
        due_clock=utc_now,  # delays are kept by the clock of Redis, which is not ours to set
        look_every=None if every_s is None else dt.timedelta(seconds=every_s),
        mend_every=None if mends_every_s is None else dt.timedelta(seconds=mends_every_s),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(service.run_until(stop, settings, http=http, clock=clock, instead=instead))
    one = Running(task, stop)
    try:
        yield one
    except BaseException:
        stop.set()
        await asyncio.wait({task}, timeout=15)
        if task.done() and not task.cancelled() and (defect := task.exception()) is not None:
            logger.opt(exception=defect).error("the consumer ended by itself")
            raise AssertionError(f"the consumer ended by itself: {defect!r}") from defect
        raise
    await one.ended()


@contextlib.asynccontextmanager
async def place_of(dsn: str, redis_url: str, market: Market) -> AsyncIterator[Place]:
    """A place, with a connection of its own for the questions."""
    connection = await look_into(dsn)
    place = Place(dsn, redis_url, market, connection)
    try:
        yield place
    finally:
        await place.redis.aclose()
        await connection.close()
