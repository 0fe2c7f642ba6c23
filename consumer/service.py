"""Opens what one consumer process needs, from the settings, and runs it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from loguru import logger

from consumer.checks import start_up
from consumer.composition import Parts, build_consumer
from consumer.counting import Counts
from consumer.cycle.runner import CycleRunner
from consumer.postgres.pool import Client, open_pool
from consumer.postgres.served import until_unserved
from consumer.runtime import connect_blocking_redis, connect_redis, end_all, stop_signals, unless_stopped, utc_now
from consumer.settings import schemas_set, upgrade_set
from consumer.source.guard import SourceGuard
from consumer.vendors import flat_file_store, open_web, source_of_settings, vendor_of
from consumer.web.monitor import Beside, Monitor
from consumer.web.serving import serve_http
from consumer.web.silence import silence_publisher

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from consumer.composition import Consumer, Instead
    from consumer.cycle.reporting import Reporter
    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.pool import Pool
    from consumer.postgres.silence import Silence
    from consumer.postgres.versions import NotServed
    from consumer.settings import Settings
    from consumer.tasks.part import Services

# Longer than any BLOCK, so that a server that went silent is noticed and a blocking read never times out by itself.
BLOCKING_TIMEOUT_S = 10.0
T = TypeVar("T")


def consumer_name() -> str:
    """A name that is never used again: a reused one would inherit the entries of a dead namesake."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


async def run_consumer(settings: Settings, *, http: bool) -> None:
    """Run one consumer until SIGTERM, SIGINT or SIGHUP. Needs redis_url and database_url."""
    async with stop_signals() as stop:
        await run_until(stop, settings, http=http)


async def run_until(
    stop: asyncio.Event,
    settings: Settings,
    *,
    http: bool,
    clock: Callable[[], dt.datetime] = utc_now,
    instead: Instead | None = None,
) -> None:
    """Run one consumer until *stop* is set; a trial gives a *clock* and what to use *instead*."""
    if settings.redis_url is None or settings.database_url is None:
        raise ValueError("a consumer needs REDIS_URL and DATABASE_URL; `maintenance run` brings its own servers")
    name = consumer_name()
    async with contextlib.AsyncExitStack() as stack:
        parts = await _open(_Opening(stack, stop, settings, name, clock), settings.redis_url, settings.database_url)
        consumer = build_consumer(settings, clock, parts, name=name, instead=instead)
        if http:
            monitor = Monitor(
                pool=parts.pool,
                redis=parts.commands,
                expectations=consumer.expectations,
                now=clock,
                beside=Beside(consumer=name, published=lambda: consumer.reporter.judged),
            )
            serving = serve_http(settings, monitor, consumer.stream, database_url=settings.database_url)
            await stack.enter_async_context(serving)
        logger.info("consumer_started", consumer=name, lease_s=settings.lease.total_seconds())
        unserved = await _run_while_served(consumer, parts.pool, stop)
        logger.info("consumer_stopped", consumer=name)
    if unserved is not None:
        raise unserved


async def _run_while_served(consumer: Consumer, pool: Pool, stop: asyncio.Event) -> NotServed | None:
    """Run until *stop* is set, or until the tables serve newer programs only: say so then, all work handed back."""
    watching = asyncio.create_task(until_unserved(pool))
    watching.add_done_callback(lambda _: stop.set())
    try:
        await consumer.run(stop)
    finally:
        await end_all([watching])
    return None if watching.cancelled() else watching.result()


@dataclass(frozen=True)
class _Opening:
    """What whatever is opened needs: *stack* closes it, and *stop* ends the wait for it."""

    stack: contextlib.AsyncExitStack
    stop: asyncio.Event
    settings: Settings
    name: str
    clock: Callable[[], dt.datetime]

    async def wait_for(self, start: Callable[[], Awaitable[T]]) -> T:
        """What *start* gives, tried again while a server starts. Raises Stopped."""
        return await unless_stopped(self.stop, start_up.through_restarts(start))


async def _open(opening: _Opening, redis_url: str, database_url: str) -> Parts:
    """Wait for the servers, find them fit and holding this source's data."""
    stack, settings = opening.stack, opening.settings
    commands = await stack.enter_async_context(connect_redis(redis_url))
    fit_redis = functools.partial(start_up.refuse_unfit_redis, commands, allow_eviction=settings.allow_eviction)
    await opening.wait_for(fit_redis)
    web = await stack.enter_async_context(open_web(settings))
    source = await unless_stopped(opening.stop, source_of_settings(settings, web))
    pool = await _open_pool(opening, database_url, on_silence=silence_publisher(commands, opening.name))
    guard = SourceGuard(pool, commands, source, now=opening.clock)
    await opening.wait_for(
        functools.partial(start_up.prepare, commands, pool, guard, now=opening.clock, upgrade=upgrade_set(settings))
    )
    counts = Counts()
    vendor = vendor_of(settings, web, commands, source, counts)
    stack.callback(vendor.tell_rest)
    return Parts(
        redis_url=redis_url,
        pool=pool,
        commands=commands,
        blocking=await stack.enter_async_context(connect_redis(redis_url, timeout_s=BLOCKING_TIMEOUT_S)),
        cache=stack.enter_context(connect_blocking_redis(redis_url)),
        vendor=vendor,
        source=source,
        flat_files=flat_file_store(settings, source),
        guard=guard,
        counts=counts,
        runner=_runner(opening),
    )


def _runner(opening: _Opening) -> Callable[[Services, TaskStream, Reporter], CycleRunner]:
    """The one that traces is imported only where it is wanted: its packages are an extra."""
    if not opening.settings.tracing:
        return CycleRunner
    from consumer.tracing import Tracing

    tracing = Tracing(opening.name)
    opening.stack.push_async_callback(asyncio.to_thread, tracing.flush)
    return tracing.runner


async def _open_pool(opening: _Opening, database_url: str, *, on_silence: Callable[[Silence], Awaitable[None]]) -> Pool:
    settings = opening.settings
    start = functools.partial(
        open_pool,
        database_url,
        lease=settings.lease,
        size=settings.parts_at_once + 4,
        client=Client(schemas=schemas_set(settings)),
        on_silence=on_silence,
    )
    pool = await opening.wait_for(start)
    opening.stack.push_async_callback(pool.close)
    return pool
