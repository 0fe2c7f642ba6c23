"""`maintenance run`: brings up whatever is not configured, follows the cycle, and prints what it has left.

The run itself holds the embedded servers, the HTTP API and the display; the simulated market, the market-session
producer and the workers are processes of their own, started again when they end unasked.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import sys
from typing import TYPE_CHECKING

import msgspec
from loguru import logger
from rich.console import Console
from rich.markup import escape

from consumer import this_machine
from consumer.checks import start_up
from consumer.checks.start_up import StartRefused
from consumer.embedded.errors import EmbeddedError
from consumer.maintenance_channel import task_stream
from consumer.postgres.migrate import SchemaMismatch
from consumer.postgres.pool import Client, open_pool
from consumer.postgres.served import until_unserved
from consumer.postgres.versions import NotServed
from consumer.runtime import Stopped, connect_redis, stop_signals, unless_stopped, utc_now
from consumer.settings import Settings, build_calendar, schemas_set, upgrade_set
from consumer.source.guard import SourceGuard
from consumer.source.judgement import SourceRefused
from consumer.terminal import run_source
from consumer.terminal.children import ChildFailed
from consumer.terminal.following import Running, Wanted, follow
from consumer.terminal.refused import CommandRefused
from consumer.terminal.run_children import RunScope, log_as_json, start_children
from consumer.terminal.servers import Servers, announce, started
from consumer.terminal.watch import RequestRefused
from consumer.verdict.options import expectations_set
from consumer.web.monitor import Monitor
from consumer.web.serving import HttpRefused, serve_http
from market.schedule import Schedule
from process.exit_codes import ExitCode
from process.logs import configure_logs

if TYPE_CHECKING:
    import asyncio

    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool
    from consumer.terminal.run_options import RunOptions
    from market.data_source import DataSource

_EXPECTED = (
    EmbeddedError,
    ChildFailed,
    RequestRefused,
    StartRefused,
    SchemaMismatch,
    NotServed,
    SourceRefused,
    HttpRefused,
)


class Ending:
    """What ends a run before it is told to: something that it cannot do without, and cannot bring back."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        """Stop the run for *failure*; the first of several tells."""
        logger.error("run_cannot_go_on", reason=str(failure), runbook="run-cannot-go-on")
        self._failure = self._failure or failure
        self._stop.set()

    def raise_failure(self) -> None:
        """Raise what stopped the run, if anything did."""
        if self._failure is not None:
            raise self._failure


async def run(settings: Settings, options: RunOptions) -> int:
    """Run everything until the cycle has ended (`once`) or until Ctrl-C; return the exit code."""
    out = sys.stderr if options.json else sys.stdout
    console = Console(file=out, soft_wrap=not out.isatty(), width=None if out.isatty() else 200)
    configure_logs(json=log_as_json(settings), level=settings.log_level if log_as_json(settings) else "WARNING")
    async with stop_signals() as stop:
        try:
            return await _until_it_ends(settings, options, console, stop)
        except _EXPECTED as error:
            code = ExitCode.USAGE if isinstance(error, SourceRefused) else ExitCode.FAILED
            if options.json:
                raise CommandRefused(f"{type(error).__name__}: {error}", code) from error
            _print_failure(console, type(error).__name__, str(error))
            return code
        except OSError as error:
            if stop.is_set() and error.errno == errno.EIO:
                return ExitCode.OK  # the terminal was closed, and there is nobody to say goodbye to
            _print_failure(console, type(error).__name__, this_machine.in_words(error))
            return ExitCode.FAILED


def _print_failure(console: Console, what: str, why: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that was closed is told nothing
        console.print(f"[bold red]{what}[/]: {escape(why)}", highlight=False)


async def _until_it_ends(settings: Settings, options: RunOptions, console: Console, stop: asyncio.Event) -> int:
    ending = Ending(stop)
    try:
        async with contextlib.AsyncExitStack() as stack:
            scope = RunScope(settings=settings, options=options, stack=stack, stop=stop, fail=ending.fail)
            running = await _bring_up(scope, console)
            code = await follow(running, Wanted(once=options.once, trading_day=options.trading_day), stop)
    except Stopped:
        code = ExitCode.OK
    ending.raise_failure()
    return code


async def _bring_up(scope: RunScope, console: Console) -> Running:
    settings, stack, stop = scope.settings, scope.stack, scope.stop
    source = await unless_stopped(stop, run_source.source_of_run(settings, scope.options))
    console.print(f"[bold]data maintenance[/] · {_sources(source, settings, scope.options)}", highlight=False)
    starting = stack.enter_async_context(started(settings, source, on_loss=scope.fail))
    servers = await unless_stopped(stop, starting)
    redis, pool = await _connect(scope, servers, source)
    announce(settings, servers)
    schedule = Schedule(build_calendar(settings), settings.rules)
    expectations = expectations_set(settings, schedule)
    monitor = Monitor(pool=pool, redis=redis, expectations=expectations, now=utc_now)
    stream = task_stream(redis, redis, consumer="maintenance run", lease=settings.lease)
    own = msgspec.structs.replace(settings, redis_url=servers.redis_url)
    url = await stack.enter_async_context(serve_http(own, monitor, stream, database_url=servers.database_url))
    scope.watch(_while_served(pool))
    await unless_stopped(stop, start_children(scope, servers))
    return Running(
        servers=servers,
        pool=pool,
        redis=redis,
        schedule=schedule,
        expectations=expectations,
        status_url=f"{url}/status",
        console=console,
        as_json=scope.options.json,
    )


async def _connect(scope: RunScope, servers: Servers, source: DataSource) -> tuple[Redis, Pool]:
    """Wait for the servers, find them fit and holding the data of *source*."""
    settings, stack, stop = scope.settings, scope.stack, scope.stop
    redis = await stack.enter_async_context(connect_redis(servers.redis_url))
    fit_redis = functools.partial(start_up.refuse_unfit_redis, redis, allow_eviction=settings.allow_eviction)
    await unless_stopped(stop, start_up.through_restarts(fit_redis))
    opening = functools.partial(
        open_pool,
        servers.database_url,
        lease=settings.lease,
        size=4,
        client=Client(name="maintenance-run", schemas=schemas_set(settings)),
    )
    pool = await unless_stopped(stop, start_up.through_restarts(opening))
    stack.push_async_callback(pool.close)
    guard = SourceGuard(pool, redis, source, now=utc_now)
    preparing = functools.partial(start_up.prepare, redis, pool, guard, now=utc_now, upgrade=upgrade_set(settings))
    await unless_stopped(stop, start_up.through_restarts(preparing))
    return redis, pool


async def _while_served(pool: Pool) -> None:
    """Raises NotServed: workers that would be started again are of the same program."""
    raise await until_unserved(pool)


def _sources(source: DataSource, settings: Settings, options: RunOptions) -> str:
    redis = "own Redis" if settings.redis_url else "embedded Redis"
    postgres = "own PostgreSQL" if settings.database_url else "embedded PostgreSQL"
    return f"{escape(run_source.words_for(source, settings, options))} · {redis} · {postgres}"
