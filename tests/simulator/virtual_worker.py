"""One virtual consumer: the product's own Worker, Executor, TaskStream, CycleRunner and CatchUp behind gates.

Three things are not the product's: the thread that keeps leases (here the scheduler beats, with the real beat.lua), the
clock, and what the parts do. Reports for people are left out, which never stop the work; in some runs verdicts are not.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
from random import Random
from typing import TYPE_CHECKING, Any, cast

import msgspec
import redis
from redis.asyncio import Redis

from consumer.composition import Instead, Parts, build_consumer
from consumer.cycle.reporting import Reporter
from consumer.delivery.errors import DeadlinePassed, DeliveryError, LeaseLost, LeaseUncertain
from consumer.delivery.redis_scripts import Beat
from consumer.maintenance_channel import CHANNEL
from consumer.settings import read_settings
from consumer.verdict.options import expectations_set
from market.data_source import VENDOR
from market.schedule import Schedule, parse_rules
from market.trading_calendar import TradingCalendar
from tests.simulator.gated_postgres import GatedPool, Sessions
from tests.simulator.gated_redis import GatedRedis, script_names
from tests.simulator.gates import Actor, Phase, Step
from tests.simulator.publishing import VerdictsOnly
from tests.simulator.virtual_time import SimulatedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.delivery.lease import LeaseKeeper

# Nobody's lease runs out by the servers' own clock: the scheduler decides when.
LEASE = dt.timedelta(hours=6)
SETTINGS = msgspec.structs.replace(
    read_settings({"MASSIVE_API_KEY": "any"}), lease=LEASE, max_attempts=4, max_deliveries=4
)
DAY = dt.date(2025, 11, 11)
RULE = "POST_MARKET+1h"
SCHEDULE = Schedule(TradingCalendar(), parse_rules(RULE))
EXPECTATIONS = expectations_set(SETTINGS, SCHEDULE)
BEGINNING = dt.datetime(2025, 11, 11, 22, 30, tzinfo=dt.UTC)  # half an hour after the rule fell due
# Redis compares due times with its own clock: these never come true there. The scheduler makes them.
FAR_FUTURE = dt.timedelta(days=36_525)


class World(msgspec.Struct):
    """What all processes of one simulation share."""

    loop: SimulatedLoop
    redis: Redis
    side_redis: redis.Redis  # for what is no step of a process: looking, and the beats
    sessions: Sessions
    seed: int

    def now(self) -> dt.datetime:
        return BEGINNING + dt.timedelta(seconds=self.loop.time())


async def _say_nothing(*_: Any, **__: Any) -> None:
    """Whatever there is to report."""


def silent_reporter() -> Reporter:
    """A reporter none of whose methods does anything."""
    names = [name for name, method in vars(Reporter).items() if inspect.iscoroutinefunction(method)]
    made: Reporter = type("SilentReporter", (), {**dict.fromkeys(names, staticmethod(_say_nothing)), "judged": None})()
    return made


class SimulatedKeeper:
    """In place of LeaseKeeper: holds what it holds, and beats when the scheduler says so."""

    def __init__(self, name: str, redis: redis.Redis) -> None:
        self._name = name
        self._redis = redis
        self._beat = Beat(redis, CHANNEL, consumer=name)
        self._tell: dict[str, Callable[[DeliveryError], None]] = {}
        self.held: list[str] = []
        self.stopped: set[str] = set()  # the entries whose work was told to stop

    def hold(self, entry_id: str, tell: Callable[[DeliveryError], None], *, deadline_s: float) -> None:
        self._tell[entry_id] = tell
        self.held.append(entry_id)
        self.stopped.discard(entry_id)

    def work_begins(self, entry_id: str) -> None:
        """Deadlines pass when the scheduler says so."""

    def settling(self, entry_id: str) -> None:
        self._tell.pop(entry_id, None)

    def drop(self, entry_id: str) -> None:
        self._tell.pop(entry_id, None)
        if entry_id in self.held:
            self.held.remove(entry_id)

    def beat(self) -> list[str]:
        """Renew all leases; return, and stop the work of, what is no longer ours."""
        asked = list(self.held)
        lost = self._beat(asked)
        for entry_id in lost:
            self._stop(entry_id, LeaseLost("another consumer holds the entry"))
        return lost

    def pass_deadline(self, entry_id: str) -> bool:
        return self._stop(entry_id, DeadlinePassed("no end after 1800 s"))

    def mute(self) -> None:
        """Redis has not answered for most of a lease: all work is told to stop."""
        for entry_id in list(self._tell):
            self._stop(entry_id, LeaseUncertain("no answer from Redis for most of a lease"))

    def _stop(self, entry_id: str, why: DeliveryError) -> bool:
        tell = self._tell.pop(entry_id, None)
        if tell is not None:
            self.stopped.add(entry_id)
            tell(why)
        return tell is not None


class VirtualWorker(Actor):
    """A consumer process."""

    def __init__(
        self, name: str, world: World, *, slots: int, weight: float, catches_up: bool, publishes: bool = False
    ) -> None:
        super().__init__(name, world.loop)
        self.weight = weight
        self.skew = dt.timedelta(0)
        self.slots = slots
        self.no_beat_before = 0  # its thread wakes later than its event loop
        self._world = world
        self._stop = asyncio.Event()
        client = GatedRedis(self, world.redis, script_names())
        self.keeper = SimulatedKeeper(name, world.side_redis)
        pool: Any = GatedPool(self, world.sessions)
        parts = Parts(
            redis_url="", pool=pool, commands=cast("Any", client), blocking=cast("Any", client),
            cache=cast("Any", None), vendor=cast("Any", None), source=VENDOR,
        )  # fmt: skip
        reporter = VerdictsOnly(pool, client, EXPECTATIONS, now=self._now) if publishes else silent_reporter()
        instead = Instead(
            schedule=SCHEDULE, reporter=reporter, keeper=cast("LeaseKeeper", self.keeper),
            due_clock=lambda: self._now() + FAR_FUTURE, random=Random(f"{world.seed}/{name}"),
        )  # fmt: skip
        settings = msgspec.structs.replace(SETTINGS, parts_at_once=slots)
        consumer = build_consumer(settings, self._now, parts, name=name, instead=instead)
        self.stream = consumer.stream
        self._worker = consumer.worker.worker
        self._catch_up = consumer.catch_up if catches_up else None
        self.main: asyncio.Task[None] | None = None
        self.reconciler: asyncio.Task[None] | None = None

    def _now(self) -> dt.datetime:
        return self._world.now() + self.skew

    def start(self) -> None:
        self.main = self.spawn(self._worker.run(self._stop))
        if self._catch_up is not None:
            self.reconciler = self.spawn(self._catch_up.run())

    def stop(self) -> None:
        """What SIGTERM does."""
        self._stop.set()

    def entry_at_work(self) -> str:
        """The entry whose handler is the task that asks: two entries of one work may be in hand."""
        running = self._worker._executor._running
        return next(entry_id for entry_id, one in running.items() if one.work is asyncio.current_task())

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def has_ended(self) -> bool:
        return self.main is not None and self.main.done()

    @property
    def lost_its_reconciler(self) -> bool:
        """Whether its catch-up has ended while it goes on: then nothing that is lost comes back."""
        return self.reconciler is not None and self.reconciler.done()

    def steps_with_work(self) -> list[Step]:
        """The steps that a delivery under way waits at."""
        return [step for step in self.steps if not step.is_poll and step.phase is not Phase.OVER]
