"""Opens what many seeds are played on: one event loop, one Redis connection, the sessions of one database."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec
import redis
from loguru import logger
from redis.asyncio import Redis

from consumer.delivery import redis_scripts
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool, prepare_connection
from tests.histories import audit
from tests.histories.checker import Terms, breaches
from tests.looking import look_into
from tests.simulator.branches import ways_of_history
from tests.simulator.directed import Director
from tests.simulator.faults import EVERYTHING
from tests.simulator.gated_postgres import Sessions
from tests.simulator.gates import task_of_actor
from tests.simulator.mutants import MUTANTS
from tests.simulator.redis_state import Violation
from tests.simulator.script import draw_script
from tests.simulator.simulation import Simulation
from tests.simulator.virtual_time import SimulatedLoop
from tests.simulator.virtual_worker import World
from tests.simulator.workload import EMPTY, TABLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import asyncpg

    from tests.simulator.directed import Schedule
    from tests.simulator.faults import Choice
    from tests.simulator.script import Script

SESSIONS = 60


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one seed. *violation*: which invariant did not hold; *broken_rules*: those of its history."""

    seed: int
    figures: Counter[str]
    schedule: list[str]
    faults: list[int]
    violation: str | None = None
    broken_rules: list[str] = []


class Ground:
    """Plays seeds, one after the other."""

    def __init__(self, loop: SimulatedLoop, runner: asyncio.Runner, redis_url: str, dsn: str) -> None:
        self._loop = loop
        self._runner = runner
        self._redis_url = redis_url
        self._dsn = dsn
        self.version = ""

    async def open(self) -> None:
        self._redis = Redis.from_url(self._redis_url, decode_responses=True, encoding_errors="replace")
        self._side_redis = redis.Redis.from_url(self._redis_url, decode_responses=True)
        facts = await self._redis.info("server")
        self.version = (
            f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts['redis_version']}"
        )
        self._monitor = await self._session()
        if await self._monitor.fetchval("SELECT to_regclass('simulated_row')") is None:
            async with await open_pool(self._dsn, lease=dt.timedelta(seconds=10), size=1) as pool:
                await migrate(pool)
            await self._monitor.execute(TABLES)
            await self._monitor.execute(audit.TABLES)
        self._sessions = [await self._session() for _ in range(SESSIONS)]

    async def _session(self) -> asyncpg.Connection[asyncpg.Record]:
        connection = await look_into(
            self._dsn, server_settings={"deadlock_timeout": "20ms", "jit": "off", "synchronous_commit": "off"}
        )
        await prepare_connection(connection)
        return connection

    async def close(self) -> None:
        await self._redis.aclose()
        self._side_redis.close()
        for connection in (self._monitor, *self._sessions):
            connection.terminate()

    def play(self, seed: int, *, mutant: str | None = None, choice: Choice = EVERYTHING) -> Outcome:
        """Play *seed*, with a product broken as *mutant* says."""
        with MUTANTS[mutant].applied() if mutant else contextlib.nullcontext():
            return self._runner.run(self._play(draw_script(seed, choice), Simulation.play))

    def direct(self, schedule: Schedule) -> Outcome:
        """Play *schedule*, step by step as it is written down."""

        async def follow(simulation: Simulation) -> None:
            try:
                await schedule.directions(Director(simulation))
            finally:
                await simulation.stage.dismantle()

        return self._runner.run(self._play(schedule.script(), follow))

    async def _load_scripts(self) -> None:
        await self._redis.script_flush()
        pipeline = self._redis.pipeline(transaction=False)
        for name in redis_scripts.SCRIPTS:
            pipeline.script_load(redis_scripts.script_text(name))
        await pipeline.execute()

    async def _play(self, script: Script, play: Callable[[Simulation], Awaitable[None]]) -> Outcome:
        await self._redis.flushall()
        await self._load_scripts()
        await self._monitor.execute(EMPTY)
        self._loop.restart_clock()
        world = World(
            loop=self._loop,
            redis=self._redis,
            side_redis=self._side_redis,
            sessions=Sessions(self._sessions),
            seed=script.seed,
        )
        simulation = Simulation(world, self._monitor, script)
        faults = [fault.number for fault in simulation.faults]
        violation: str | None = None
        with patch("consumer.cycle.runner.handler_of", simulation.handlers.of), simulation.judge.in_place():
            try:
                await play(simulation)
            except Violation as found:
                violation = simulation.stage.log.rename(str(found))
            except Exception:  # noqa: BLE001  (a defect of the simulator is a failed seed as well, with its schedule)
                violation = traceback.format_exc()
        stage = simulation.stage
        await stage.watch.recorder.note_ledger()
        found = breaches(stage.watch.recorder.history, Terms(at_rest=violation is None))
        if found:
            violation = violation or stage.log.rename(f"{found[0].rule}: {found[0].text}")
            stage.log.lines += [stage.log.rename(line) for breach in found for line in breach.lines()]
        stage.figures.update(ways_of_history(stage.watch.recorder.history))
        stage.figures["seeds"] = 1
        return Outcome(
            seed=script.seed, figures=stage.figures, schedule=stage.log.lines, faults=faults, violation=violation,
            broken_rules=[breach.rule for breach in found],
        )  # fmt: skip


@contextlib.contextmanager
def ground(redis_url: str, dsn: str) -> Iterator[Ground]:
    """A ground on running servers; the product's log is silent on it."""
    loop = SimulatedLoop()
    loop.set_task_factory(task_of_actor)  # type: ignore[arg-type]
    loop.set_exception_handler(_ignore)
    logger.disable("consumer")
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            made = Ground(loop, runner, redis_url, dsn)
            runner.run(made.open())
            try:
                yield made
            finally:
                runner.run(made.close())
    finally:
        logger.enable("consumer")


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tasks of crashed processes end with exceptions that nobody fetches."""
