"""Builds one consumer process from the settings and runs it until it is told to stop.

The composition root: the only place that knows every part. One process is one consumer of both groups: it runs parts,
reads session events, and looks for due or lost work.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import socket
from random import Random
from typing import TYPE_CHECKING

from loguru import logger

from consumer.checks import start_up
from consumer.cycle.caretaker import Caretaker
from consumer.cycle.catch_up import CatchUp
from consumer.cycle.reporting import Reporter
from consumer.cycle.runner import CycleRunner
from consumer.cycle.session_events import SessionEvents
from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.task_stream import TaskStream
from consumer.delivery.worker import Worker, WorkerOptions
from consumer.massive.budget import RequestBudget, UnlimitedBudget, budget_windows
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from consumer.postgres.pool import open_pool
from consumer.runtime import connect_blocking_redis, connect_redis, end_all, stop_signals, unless_stopped, utc_now
from consumer.settings import VENDOR_URL, build_calendar
from consumer.source.asking import source_of_address
from consumer.source.guard import SourceGuard
from consumer.tasks.options import flat_file_store, task_options
from consumer.tasks.part import Services
from consumer.verdict.options import expectations_set
from consumer.web.app import serve_http
from consumer.web.monitor import Monitor
from consumer.web.silence import tell_silence
from market.schedule import Schedule

if TYPE_CHECKING:
    import redis.asyncio

    from consumer.massive.budget import Budget
    from consumer.settings import Settings

# Longer than any BLOCK, so that a server that went silent is noticed and a blocking read never times out by itself.
BLOCKING_TIMEOUT_S = 10.0


def consumer_name() -> str:
    """A name that is never used again: a reused one would inherit the entries of a dead namesake."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def request_budget(settings: Settings, client: redis.asyncio.Redis) -> Budget:
    """Return the budget shared by all processes of the key."""
    windows = budget_windows(per_second=settings.requests_per_second, per_minute=settings.requests_per_minute)
    of_endpoints = {
        endpoint: budget_windows(per_second=per_second, per_minute=per_minute)
        for endpoint, (per_second, per_minute) in settings.endpoint_budgets.items()
    }
    if not windows and not of_endpoints:
        return UnlimitedBudget()
    return RequestBudget(client, api_key=settings.api_key, windows=windows, endpoint_windows=of_endpoints)


async def run_consumer(settings: Settings, *, http: bool) -> None:
    """Run one consumer until SIGTERM, SIGINT or SIGHUP. Needs redis_url and database_url."""
    if settings.redis_url is None or settings.database_url is None:
        raise ValueError("a consumer needs REDIS_URL and DATABASE_URL; `maintenance run` brings its own servers")
    calendar = build_calendar(settings)
    schedule = Schedule(calendar, settings.rules)
    async with contextlib.AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signals())
        commands = await stack.enter_async_context(connect_redis(settings.redis_url))
        fit_redis = functools.partial(start_up.refuse_unfit_redis, commands, allow_eviction=settings.allow_eviction)
        await unless_stopped(stop, start_up.through_restarts(fit_redis))
        web = await stack.enter_async_context(open_session(max_in_flight=settings.requests_in_flight))
        source = await unless_stopped(stop, source_of_address(web, settings.base_url or VENDOR_URL))
        name = consumer_name()
        opening = functools.partial(
            open_pool, settings.database_url, lease=settings.lease, size=settings.parts_at_once + 4,
            on_silence=tell_silence(commands, name),
        )  # fmt: skip
        pool = await unless_stopped(stop, start_up.through_restarts(opening))
        stack.push_async_callback(pool.close)
        guard = SourceGuard(pool, commands, source, now=utc_now)
        preparing = functools.partial(start_up.prepare, commands, pool, guard, now=utc_now)
        await unless_stopped(stop, start_up.through_restarts(preparing))
        blocking = await stack.enter_async_context(connect_redis(settings.redis_url, timeout_s=BLOCKING_TIMEOUT_S))
        cache = stack.enter_context(connect_blocking_redis(settings.redis_url))
        massive = MassiveClient(
            web, base_url=settings.base_url or VENDOR_URL, api_key=settings.api_key,
            budget=request_budget(settings, commands), max_in_flight=settings.requests_in_flight, source=source,
        )  # fmt: skip
        stack.callback(massive.tell_rest)
        services = Services(
            pool=pool, cache=cache, massive=massive, calendar=calendar, schedule=schedule,
            options=task_options(settings), now=utc_now, flat_files=flat_file_store(settings, source), source=source,
        )  # fmt: skip
        stream = TaskStream(commands, blocking, consumer=name, lease=settings.lease)
        expectations = expectations_set(settings, schedule)
        reporter = Reporter(pool, commands, expectations, now=utc_now)
        keeper = LeaseKeeper(
            settings.redis_url, consumer=stream.consumer, lease=settings.lease, loop=asyncio.get_running_loop()
        )
        catch_up = CatchUp(
            pool, commands, stream, schedule, reporter, now=utc_now, opens_due_cycles=settings.catch_up, guard=guard
        )
        worker = Worker(
            stream, keeper, CycleRunner(services, stream, reporter), worker_options(settings),
            random=Random(), now=utc_now, on_lost=catch_up.wake,
        )  # fmt: skip
        events = SessionEvents(commands, stream, pool, calendar=calendar, schedule=schedule, now=utc_now)
        caretaker = Caretaker(commands, stream, on_mended=catch_up.wake)
        if http:
            monitor = Monitor(pool=pool, redis=commands, expectations=expectations, now=utc_now)
            await stack.enter_async_context(serve_http(settings, monitor, stream))
        logger.info("consumer_started", consumer=stream.consumer, lease_s=settings.lease.total_seconds())
        await _run_all(worker, keeper, (catch_up, events, caretaker), stop)
        logger.info("consumer_stopped", consumer=stream.consumer)


def worker_options(settings: Settings) -> WorkerOptions:
    """Return what of the settings the worker needs."""
    return WorkerOptions(
        slots=settings.parts_at_once,
        max_attempts=settings.max_attempts,
        max_deliveries=settings.max_deliveries,
        deadline=settings.part_timeout,
    )


async def _run_all(
    worker: Worker, keeper: LeaseKeeper, others: tuple[CatchUp, SessionEvents, Caretaker], stop: asyncio.Event
) -> None:
    keeper.start()
    background = [asyncio.create_task(other.run()) for other in others]
    working = asyncio.create_task(worker.run(stop))
    try:
        # Whichever ends first ends the process: a consumer without one of them would look alive and not be.
        await asyncio.wait({working, *background}, return_when=asyncio.FIRST_COMPLETED)
        for task in (working, *background):
            if task.done():
                task.result()
    finally:
        stop.set()
        await asyncio.gather(end_all(background), working, return_exceptions=True)
        keeper.stop()
