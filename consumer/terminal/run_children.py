"""Starts the processes that a run holds: the simulated market, the market-session producer and the workers."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumer import private_files
from consumer.runtime import watched
from consumer.settings import SETTINGS, hears_others
from consumer.terminal import run_source
from consumer.terminal.children import Child
from process.settings import shared
from process.settings.understood import set_anew

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from consumer.settings import Settings
    from consumer.terminal.run_options import RunOptions
    from consumer.terminal.servers import Servers

SIMULATED_KEY = "simulated-market"


@dataclass(frozen=True, kw_only=True)
class RunScope:
    """What is wanted of a run, and what ends with it: *stack* closes what was opened, *fail* stops the run."""

    settings: Settings
    options: RunOptions
    stack: contextlib.AsyncExitStack
    stop: asyncio.Event
    fail: Callable[[BaseException], None]

    def watch(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work* beside the run; its failure stops the run."""
        self.stack.callback(watched(work, self.fail).cancel)


@dataclass(frozen=True)
class _Nursery:
    """Makes children that share an environment, which grows while they start."""

    environment: dict[str, str]
    logs: Path | None

    def child(self, name: str, *arguments: str) -> Child:
        log = None if self.logs is None else self.logs / f"{name}.log"
        environment = set_anew(os.environ, SETTINGS, self.environment)
        return Child(name, arguments, environment=environment, log=log)


def log_as_json(settings: Settings) -> bool:
    """Whether log lines are for machines."""
    return shared.log_as_json(settings.log_format, terminal=sys.stderr.isatty())


async def start_children(scope: RunScope, servers: Servers) -> None:
    """Start them in the order in which they need each other."""
    settings, options = scope.settings, scope.options
    logs = private_files.private_folder(settings.data_dir / "logs")
    environment = {
        "REDIS_URL": servers.redis_url,
        "DATABASE_URL": servers.database_url,
        "MAINTENANCE_CATCH_UP": "off" if options.once or options.trading_day else "on" if settings.catch_up else "off",
    }
    # Beside a progress bar log lines would tear the screen: there they go to a file.
    nursery = _Nursery(environment, None if log_as_json(settings) else logs)
    if run_source.starts_a_market(settings, options):
        await _start_market(scope, nursery)
    if not options.once and not hears_others(settings):
        producer = nursery.child("market_session", "producers.market_session")
        scope.stack.push_async_callback(producer.stop)
        await producer.start()
        scope.watch(producer.keep_running())
    workers = [nursery.child(f"worker-{number}", "consumer", "--no-http") for number in range(1, settings.workers + 1)]
    scope.stack.push_async_callback(_stop_together, workers)
    for worker in workers:
        await worker.start()
        scope.watch(worker.keep_running())


async def _start_market(scope: RunScope, nursery: _Nursery) -> None:
    """The workers that start after it ask it: its address and key go into their environment."""
    market = nursery.child("simulated_market", "simulated_market", *_market_arguments(scope.settings, scope.options))
    scope.stack.push_async_callback(market.stop)
    answer = await market.start(read_ready_line=True)
    nursery.environment["MASSIVE_BASE_URL"] = answer["listening"]
    nursery.environment["MASSIVE_API_KEY"] = SIMULATED_KEY
    if "MASSIVE_REQUESTS_PER_SECOND" not in os.environ:
        nursery.environment["MASSIVE_REQUESTS_PER_SECOND"] = "0"
    scope.watch(market.must_run())


async def _stop_together(children: list[Child]) -> None:
    await asyncio.gather(*(child.stop() for child in children))


def _market_arguments(settings: Settings, options: RunOptions) -> list[str]:
    market = run_source.market_options(settings, options)
    arguments = ["--port", "0", "--key", SIMULATED_KEY, "--seed", str(market.seed)]
    arguments += ["--latency-ms", str(market.latency_ms)]
    if market.replay is not None:
        return [*arguments, "--replay", str(market.replay)]
    return [*arguments, "--tickers", str(market.tickers)]
