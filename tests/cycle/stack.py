"""Puts one consumer and one simulated market together in this process, with a clock that the test moves.

Composed as in production, without processes and signals. The clock stands still in the past, so what is
parked for a retry is due at once for Redis, which reads its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import redis
from aiohttp.test_utils import TestServer

from consumer.composition import Consumer, Instead, Parts, build_consumer
from consumer.cycle.what_stands import read_situation
from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from consumer.postgres import cycles
from consumer.postgres.ledger import PartId
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.runtime import connect_redis, end_all
from consumer.settings import read_settings
from consumer.tasks.part import PartContext
from consumer.tasks.terms import TaskOptions
from consumer.verdict.reading import judge_sessions, judge_window
from contract.messages import TaskMessage, TaskName
from market.data_source import VENDOR, DataSource
from market.schedule import Schedule, parse_rules
from market.trading_calendar import NEW_YORK, TradingCalendar
from producers.trigger import request, request_cycle
from simulated_market.app import build_app
from simulated_market.options import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from consumer.counting import Counts
    from consumer.cycle.reporting import Reporter
    from consumer.cycle.runner import CycleRunner
    from consumer.data_sets.situation import Situation
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Pool
    from consumer.settings import Settings
    from consumer.vendor.protocol import FlatFileStore, MarketDataVendor
    from consumer.verdict.reading import Judged
    from consumer.verdict.states import DataSetVerdict, SessionVerdict

DAY = dt.date(2025, 11, 11)  # a Tuesday; an ordinary session
OPTIONS = TaskOptions(ohlc_sessions=16, slot_sessions=5, batch=20, requests_at_once=8)
IN_FLIGHT = 16
LEASE = dt.timedelta(seconds=5)
DEADLINE_S = 60.0
CALENDAR = TradingCalendar()  # immutable: one for all tests
SCHEDULE = Schedule(CALENDAR, parse_rules("POST_MARKET+1h CLOSED+15m"))


def new_york(day: dt.date, time: str) -> dt.datetime:
    """The instant of a New York time of day."""
    return dt.datetime.combine(day, dt.time.fromisoformat(time), tzinfo=NEW_YORK).astimezone(dt.UTC)


AT_FIVE = new_york(DAY, "17:00")
EVENING = new_york(DAY, "20:30")


class Clock:
    """A clock that the test moves."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def __call__(self) -> dt.datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += dt.timedelta(**by)


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


class Market:
    """A simulated market behind a loopback port, and what it has been asked."""

    def __init__(self, server: TestServer) -> None:
        self._server = server
        self.url = str(server.make_url("")).rstrip("/")

    async def requests(self) -> dict[str, int]:
        """Requests by endpoint since the last `reset`."""
        return dict((await self._get("requests"))["by_endpoint"])

    async def paths(self) -> dict[str, int]:
        """Requests by path since the last `reset`."""
        return dict((await self._get("requests"))["by_path"])

    async def reset(self) -> None:
        await self._post("reset", None)

    async def fail(self, *faults: Mapping[str, object]) -> None:
        """Put *faults* in the place of those in force; none: all is well."""
        await self._post("faults", [dict(fault) for fault in faults])

    async def _get(self, what: str) -> dict[str, Any]:
        async with open_session(max_in_flight=1) as http, http.get(f"{self.url}/_simulator/{what}") as answer:
            return dict(await answer.json())

    async def _post(self, what: str, body: object) -> None:
        async with (
            open_session(max_in_flight=1) as http,
            http.post(f"{self.url}/_simulator/{what}", json=body) as answer,
        ):
            answer.raise_for_status()


class Stack:
    """One consumer: what it is made of, and the questions that tests ask of it."""

    def __init__(self, settings: Settings, parts: Parts, clock: Clock, market: Market, instead: Instead) -> None:
        self._settings, self._parts, self._instead = settings, parts, instead
        self.clock, self.market = clock, market
        self.pool, self.redis = parts.pool, parts.commands
        built = self._built()
        self.services, self.stream, self.expectations = built.services, built.stream, built.expectations
        self.reporter, self.runner, self.catch_up, self.events = (
            built.reporter, built.runner, built.catch_up, built.events,
        )  # fmt: skip
        self.passes_only = self._built(msgspec.structs.replace(settings, catch_up=False)).catch_up

    def _built(self, settings: Settings | None = None, *, name: str = "tests") -> Consumer:
        return build_consumer(settings or self._settings, self.clock, self._parts, name=name, instead=self._instead)

    @property
    def counts(self) -> Counts:
        """What its workers have counted."""
        return self._parts.counts

    def runs_by(self, runner: Callable[..., CycleRunner]) -> None:
        """Workers from now on run their tasks by what *runner* makes."""
        self._parts = dataclasses.replace(self._parts, runner=runner)

    def reports_by(self, reporter: Reporter) -> None:
        """Workers from now on tell what happens by *reporter*."""
        self._instead = dataclasses.replace(self._instead, reporter=reporter)

    @contextlib.asynccontextmanager
    async def working(self, *, name: str = "tests") -> AsyncIterator[None]:
        """Run a worker until the block ends."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._built(name=name).worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Read session events until the block ends."""
        task = asyncio.create_task(self.events.run())
        try:
            yield
        finally:
            await end_all([task])

    async def ask(self, day: dt.date | None = DAY, *, first_day: dt.date | None = None, **wanted: Any) -> str:
        """Ask for a cycle as a person does."""
        if first_day is not None and day is not None:
            backfill = {"task": TaskName.CYCLE, **wanted}
            message = TaskMessage(trading_day=day, first_day=first_day, requested_by="test", **backfill)
            return await request(self.redis, message)
        return await request_cycle(self.redis, trading_day=day, requested_by="test", **wanted)

    async def cycle(self, day: dt.date | None = None) -> Cycle | None:
        """The newest cycle, of *day* if given."""
        row = await self.pool.fetchrow(
            f"SELECT {cycles.COLUMNS} FROM cycle WHERE $1::date IS NULL OR trading_day = $1 "
            "ORDER BY cycle_id DESC LIMIT 1",
            day,
        )
        return None if row is None else cycles.cycle_from(row)

    async def cycles(self) -> list[Cycle]:
        return [
            cycles.cycle_from(row)
            for row in await self.pool.fetch(f"SELECT {cycles.COLUMNS} FROM cycle ORDER BY cycle_id")
        ]

    async def at_rest(self, *, after: int = 0, within_s: float = DEADLINE_S) -> Cycle:
        """The newest cycle once it no longer runs and no message is under way; *after*: one with a higher id."""

        async def look() -> Cycle | None:
            cycle = await self.cycle()
            if cycle is None or cycle.cycle_id <= after or cycle.state == "running":
                return None
            return cycle if await self.idle() else None

        found: Cycle = await until(look, within_s=within_s, what="a cycle at rest", stays=True)
        return found

    async def idle(self) -> bool:
        """Whether no message is in the stream or due."""
        return not await self.redis.xlen("maintenance:tasks") and not await self.redis.zcard("maintenance:later")

    async def at_ease(self) -> bool:
        """Whether every session event is heard, nothing is in the stream or due, and no cycle runs."""
        unheard = [one["lag"] or one["pending"] for one in await self.redis.xinfo_groups("market:session")]
        due = await self.redis.zcount("maintenance:later", 0, int(self.clock().timestamp() * 1000))
        if any(unheard) or due or await self.redis.xlen("maintenance:tasks"):
            return False
        return not await self.pool.fetchval("SELECT count(*) FROM cycle WHERE state = 'running'")

    async def run_cycle(self, day: dt.date | None = DAY, **wanted: Any) -> Cycle:
        """Ask for a cycle, work until it is at rest, and return it."""
        newest = await self.cycle()
        async with self.working():
            await self.ask(day, **wanted)
            return await self.at_rest(after=0 if newest is None else newest.cycle_id)

    async def look_and_work(self) -> Cycle:
        """Let the catch-up look once, and work off what it sends."""
        async with self.working():
            await self.catch_up.look()
            return await self.at_rest()

    async def next_pass(self) -> Cycle:
        """Move the clock to where the waiting cycle tries again, and let it, without any other cycle."""
        cycle = await self.cycle()
        assert cycle is not None
        assert cycle.next_pass_at is not None
        self.clock.at = cycle.next_pass_at
        async with self.working():
            await self.passes_only.look()
            found = await self.at_rest()
        assert found.cycle_id == cycle.cycle_id
        return found

    async def situation(self, day: dt.date = DAY) -> Situation:
        """What a plan for *day* would be made of."""
        cycle = await cycles.newest_of_day(self.pool, day)
        assert cycle is not None, "no cycle has been for that day"
        part = PartId(cycle_id=cycle.cycle_id, task="cycle", part="tests")
        return await read_situation(PartContext(self.services, cycle, part, {}, 0), every_fact=True)

    async def parts(self, cycle_id: int) -> dict[str, str]:
        """State by "task/part" of every part but plan and finish."""
        rows = await self.pool.fetch(
            "SELECT task || '/' || part AS name, state FROM part WHERE cycle_id = $1 AND task <> 'cycle' ORDER BY 1",
            cycle_id,
        )
        return {row["name"]: row["state"] for row in rows}

    async def status(self, day: dt.date = DAY) -> dict[str, Any]:
        """The JSON of `maintenance:status:{day}`."""
        import json

        return dict(json.loads(str(await self.redis.get(f"maintenance:status:{day}"))))

    async def judged(self, *days: dt.date) -> Judged:
        """The verdicts as the ledger and the clock have them now; of the window unless *days* are named."""
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            if days:
                return await judge_sessions(connection, self.expectations, now=self.clock(), days=days)
            return await judge_window(connection, self.expectations, now=self.clock())

    async def verdict(self, day: dt.date = DAY) -> SessionVerdict:
        """The verdict on *day*."""
        return (await self.judged(day)).verdicts[day]

    async def sets(self, first: dt.date, last: dt.date) -> dict[tuple[str, dt.date], DataSetVerdict]:
        """The verdicts on bars and slots of the sessions from *first* to *last*."""
        days = CALENDAR.trading_days(first, last)
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            judged = await judge_sessions(connection, self.expectations, now=self.clock(), days=days, every_set=True)
        return {
            (name, day): one
            for day, verdict in judged.verdicts.items()
            for name in ("daily_bars", "volume_slots")
            if (one := verdict.of(name)) is not None
        }

    async def dead(self) -> list[dict[str, str]]:
        """The dead letters, oldest first."""
        entries: Any = await self.redis.xrange("maintenance:dead")
        return [fields for _, fields in entries]

    async def value(self, query: str, *arguments: object) -> Any:
        return await self.pool.fetchval(query, *arguments)


async def until(
    look: Callable[[], Awaitable[Any]],
    *,
    within_s: float = DEADLINE_S,
    what: str = "what was awaited",
    stays: bool = False,
) -> Any:
    """Look again and again until the answer is true; the deadline only ends a test that would hang.

    *stays*: what is awaited cannot be missed, so the looks become rarer: each takes time from the work itself.
    """
    pause_s = 0.01
    try:
        async with asyncio.timeout(within_s):
            while not (answer := await look()):  # the ledger gives no signal
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.3, 0.05) if stays else pause_s
            return answer
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {within_s} s") from None


@contextlib.asynccontextmanager
async def market_of(tickers: int, clock: Clock, **options: Any) -> AsyncIterator[Market]:
    """Serve a simulated market until the block ends."""
    server = TestServer(build_app(SimulatorOptions(tickers=tickers, seed=7, **options), now=clock))
    await server.start_server()
    try:
        yield Market(server)
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def stack_on(
    dsn: str, redis_url: str, market: Market, clock: Clock, *, schedule: Schedule = SCHEDULE,
    options: TaskOptions = OPTIONS, max_attempts: int = 2, slots: int = 5, flat_files: FlatFileStore | None = None,
    vendor: MarketDataVendor | None = None, source: DataSource = VENDOR,
) -> AsyncIterator[Stack]:  # fmt: skip
    """Open what a consumer needs, and have it composed as in production."""
    async with contextlib.AsyncExitStack() as stack:
        pool: Pool = await open_pool(dsn, lease=LEASE, size=3)
        stack.push_async_callback(pool.close)
        await migrate(pool)
        commands = await stack.enter_async_context(connect_redis(redis_url))
        blocking = await stack.enter_async_context(connect_redis(redis_url, timeout_s=10))
        cache = stack.enter_context(redis.Redis.from_url(redis_url, decode_responses=True))
        http = await stack.enter_async_context(open_session(max_in_flight=IN_FLIGHT))
        massive = MassiveClient(
            http,
            Access(
                base_url=market.url,
                api_key="any",
                budget=UnlimitedBudget(),
                max_in_flight=IN_FLIGHT,
                patience=Patience(
                    tries=2, rate_limited_tries=2, sleep=no_sleep, draw=lambda: 0.0, first_pause=dt.timedelta(0)
                ),
            ),
        )
        settings = read_settings({"MASSIVE_API_KEY": "any", "MAINTENANCE_LEASE": f"{LEASE.total_seconds():g}s"})
        parts = Parts(
            redis_url=redis_url, pool=pool, commands=commands, blocking=blocking, cache=cache, vendor=vendor or massive,
            source=source, flat_files=flat_files,
        )  # fmt: skip
        instead = Instead(schedule=schedule, options=options, random=Random(1))
        settings = msgspec.structs.replace(settings, max_attempts=max_attempts, parts_at_once=slots)
        yield Stack(settings, parts, clock, market, instead)
