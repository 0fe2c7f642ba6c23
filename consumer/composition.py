"""Builds one consumer from the settings, a clock and what is open: the only place that knows every part.

Production, tests, the simulator and the benchmarks compose it here, so that what is tried is what runs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from consumer.alerts.noting import Alerts
from consumer.alerts.receivers import receivers
from consumer.alerts.sender import Sender
from consumer.completeness.cache_watch import CacheWatch
from consumer.counting import Counts
from consumer.cycle.announcing import Announcer, Announcing
from consumer.cycle.caretaker import EVERY as MENDING_EVERY
from consumer.cycle.caretaker import Caretaker
from consumer.cycle.catch_up import EVERY as LOOKING_EVERY
from consumer.cycle.catch_up import CatchUp, Looking
from consumer.cycle.reporting import Reporter
from consumer.cycle.runner import CycleRunner
from consumer.cycle.session_events import SessionEvents
from consumer.cycle.stores import Stores
from consumer.delivery.handler import Surroundings, WorkerOptions
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.leased_worker import LeasedWorker
from consumer.maintenance_channel import CHANNEL, task_stream
from consumer.options import task_options
from consumer.runtime import end_all
from consumer.settings import brings_slot_files, build_calendar, foreign_stream, hears_others
from consumer.tasks.part import Services
from consumer.verdict.options import expectations_of
from market.schedule import Schedule
from process.trouble import Trouble
from producers.session_bridge.bridge import Heard, SessionBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import redis
    import redis.asyncio

    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.pool import Pool
    from consumer.settings import Settings
    from consumer.source.guard import SourceGuard
    from consumer.tasks.terms import TaskOptions
    from consumer.vendor.protocol import FlatFileStore, MarketDataVendor
    from consumer.verdict.ruler import Expectations
    from market.data_source import DataSource


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is open, and stays whoever's who opened it. *commands* and *blocking* may be one where nothing blocks.

    *guard* refuses servers that meanwhile hold the data of another source. *runner* makes the handler of the tasks.
    """

    redis_url: str
    pool: Pool
    commands: redis.asyncio.Redis
    blocking: redis.asyncio.Redis
    cache: redis.Redis
    vendor: MarketDataVendor
    source: DataSource
    flat_files: FlatFileStore | None = None
    guard: SourceGuard | None = None
    counts: Counts = field(default_factory=Counts)
    runner: Callable[[Services, TaskStream, Reporter], CycleRunner] = CycleRunner


@dataclass(frozen=True, kw_only=True)
class Instead:
    """What a trial puts in the place of what the settings or the consumer itself would make. Production: nothing.

    *due_clock* tells when what is parked falls due; Redis compares with its own clock, which is nobody's to set.
    """

    schedule: Schedule | None = None
    options: TaskOptions | None = None
    reporter: Reporter | None = None
    keeper: LeaseKeeper | None = None
    due_clock: Callable[[], dt.datetime] | None = None
    look_every: dt.timedelta | None = None
    mend_every: dt.timedelta | None = None
    random: Random | None = None


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """One consumer of both groups: it runs parts, reads session events, and looks for due or lost work."""

    services: Services
    stream: TaskStream
    expectations: Expectations
    reporter: Reporter
    runner: CycleRunner
    catch_up: CatchUp
    events: SessionEvents
    caretaker: Caretaker
    cache_watch: CacheWatch | None
    worker: LeasedWorker
    bridge: SessionBridge | None = None
    alongside: Callable[[], list[Coroutine[Any, Any, None]]] = list

    async def run(self, stop: asyncio.Event) -> None:
        """Run until *stop* is set, or until one of its loops has ended: without it, it would look alive and not be."""
        others = (self.catch_up, self.events, self.caretaker, self.cache_watch)
        loops = [other.run() for other in others if other is not None]
        if self.bridge is not None:
            loops += self.bridge.loops()
        background = [asyncio.create_task(loop) for loop in [*loops, *self.alongside()]]
        working = asyncio.create_task(self.worker.run(stop))
        try:
            await asyncio.wait({working, *background}, return_when=asyncio.FIRST_COMPLETED)
            for task in (working, *background):
                if task.done():
                    task.result()
        finally:
            stop.set()
            await asyncio.gather(end_all(background), working, return_exceptions=True)


def worker_options(settings: Settings) -> WorkerOptions:
    """Return what of the settings the worker needs."""
    return WorkerOptions(
        slots=settings.parts_at_once,
        max_attempts=settings.max_attempts,
        max_deliveries=settings.max_deliveries,
        deadline=settings.part_timeout,
    )


def _keeper(trial: Instead, parts: Parts, stream: TaskStream) -> LeaseKeeper:
    if trial.keeper is not None:
        return trial.keeper
    loop = asyncio.get_running_loop()
    return LeaseKeeper(parts.redis_url, CHANNEL, consumer=stream.consumer, lease=stream.lease, loop=loop)


def build_consumer(
    settings: Settings, clock: Callable[[], dt.datetime], parts: Parts, *, name: str, instead: Instead | None = None
) -> Consumer:
    """Return a consumer called *name*, which is never used again, that has not begun. Needs a running loop."""
    trial = instead or Instead()
    schedule = trial.schedule or Schedule(build_calendar(settings), settings.rules)
    services = _services(settings, clock, parts, schedule, trial.options)
    stream = task_stream(parts.commands, parts.blocking, consumer=name, lease=settings.lease)
    stores = Stores(pool=parts.pool, redis=parts.commands, stream=stream)
    expectations = _expectations(settings, parts, services)
    announcer = _announcer(settings, clock, parts, schedule)
    reporter = trial.reporter or Reporter(parts.pool, parts.commands, expectations, now=clock, announcer=announcer)
    runner = parts.runner(services, stream, reporter)
    looking = Looking(opens_due_cycles=settings.catch_up, every=trial.look_every or LOOKING_EVERY, guard=parts.guard)
    catch_up = CatchUp(stores, schedule, reporter, now=clock, looking=looking)
    surroundings = _surroundings(clock, trial, parts.counts, catch_up)
    return Consumer(
        services=services,
        stream=stream,
        expectations=expectations,
        reporter=reporter,
        runner=runner,
        catch_up=catch_up,
        events=SessionEvents(stores, schedule, now=clock),
        caretaker=Caretaker(parts.commands, stream, on_mended=catch_up.wake, every=trial.mend_every or MENDING_EVERY),
        cache_watch=_cache_watch(settings, services, parts),
        worker=LeasedWorker(stream, _keeper(trial, parts, stream), runner, worker_options(settings), surroundings),
        bridge=_bridge(settings, clock, parts, schedule),
        alongside=functools.partial(_alongside, settings, clock, parts),
    )


def _cache_watch(settings: Settings, services: Services, parts: Parts) -> CacheWatch | None:
    """Who does nothing that nobody asked for puts nothing in place either."""
    return CacheWatch(services, parts.commands) if settings.catch_up else None


def _expectations(settings: Settings, parts: Parts, services: Services) -> Expectations:
    slot_files = brings_slot_files(settings) or parts.flat_files is not None
    return expectations_of(services.options, services.schedule, slot_files=slot_files)


def _announcer(settings: Settings, clock: Callable[[], dt.datetime], parts: Parts, schedule: Schedule) -> Announcer:
    announcing = Announcing(
        completion=settings.publish_completion,
        new_day=settings.publish_new_day,
        calendar=schedule.calendar,
        now=clock,
        alerts=Alerts(webhook=settings.alert_webhook_url is not None, ping=settings.healthcheck_url is not None),
    )
    return Announcer(parts.pool, parts.commands, announcing)


def _alongside(settings: Settings, clock: Callable[[], dt.datetime], parts: Parts) -> list[Coroutine[Any, Any, None]]:
    """What runs beside the work, and is not its business: what is told outside, and what is counted."""
    sender = _sender(settings, clock, parts)
    return [*([] if sender is None else [sender.run()]), parts.counts.run(parts.commands)]


def _sender(settings: Settings, clock: Callable[[], dt.datetime], parts: Parts) -> Sender | None:
    named = receivers(settings.alert_webhook_url, settings.alert_webhook_secret, settings.healthcheck_url)
    return Sender(parts.pool, named, now=clock) if named else None


def _bridge(
    settings: Settings, clock: Callable[[], dt.datetime], parts: Parts, schedule: Schedule
) -> SessionBridge | None:
    if not hears_others(settings):
        return None
    heard = Heard(
        stream=foreign_stream(settings),
        channels=settings.session_events_channels,
        catch_up=dt.timedelta(days=settings.session_catch_up_days),
        now=clock,
    )
    return SessionBridge(parts.commands, parts.blocking, schedule.calendar, heard)


def _surroundings(clock: Callable[[], dt.datetime], trial: Instead, counts: Counts, catch_up: CatchUp) -> Surroundings:
    return Surroundings(
        now=trial.due_clock or clock,
        random=trial.random or Random(),
        on_lost=catch_up.wake,
        on_settled=counts.settled,
        trouble=Trouble("redis_not_reachable"),
    )


def _services(
    settings: Settings,
    clock: Callable[[], dt.datetime],
    parts: Parts,
    schedule: Schedule,
    options: TaskOptions | None,
) -> Services:
    return Services(
        pool=parts.pool,
        cache=parts.cache,
        vendor=parts.vendor,
        calendar=schedule.calendar,
        schedule=schedule,
        options=options or task_options(settings),
        now=clock,
        flat_files=parts.flat_files,
        source=parts.source,
    )
