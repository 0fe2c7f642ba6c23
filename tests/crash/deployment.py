"""Runs a whole deployment for the chaos: servers, a market, and processes that a supervisor starts again.

Loopback and unix sockets only. Everything ends with the block, and with this process when that is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from consumer.embedded.child_process import process_exit
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.runtime import end_all
from tests.crash.stack import simulated_market

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from tests.crash.stack import Market

LEASE_S = 2.0
STARTED_AGAIN_AFTER_S = 0.2
STOPS_WITHIN_S = 20.0
PR_SET_PDEATHSIG = 1


class Supervised:
    """One process that is started again whenever it ends."""

    def __init__(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.exits: Counter[str] = Counter()
        self.disturbed = asyncio.Lock()
        self._command = [sys.executable, *arguments]
        self._environment = {**os.environ, **environment}
        self._log = log
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def run(self) -> None:
        """Keep it running until `stop`."""
        while not self._stopping:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._environment, stdout=log, stderr=log, preexec_fn=end_with_parent
                )
            while (code := self._process.poll()) is None:
                await process_exit(self._process.pid)
            if not self._stopping:
                self.exits[_exit(code)] += 1
                await asyncio.sleep(STARTED_AGAIN_AFTER_S)

    async def stop(self) -> None:
        """End it as a supervisor does: SIGTERM, and SIGKILL for what does not heed it."""
        self._stopping = True
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        process = self._process
        if process is None or process.poll() is not None:
            return
        try:
            await asyncio.wait_for(process_exit(process.pid), STOPS_WITHIN_S)
        except TimeoutError:
            self.exits["did not stop"] += 1
            process.kill()
        process.wait()


class Deployment:
    """The servers, the market, and what runs on them."""

    def __init__(self, home: Path, market: Market, settings: Mapping[str, str], postgres: Mapping[str, str]) -> None:
        self.home = home
        self.market = market
        self.redis = EmbeddedRedis(home)
        self.postgres = EmbeddedPostgres(home, postgres)
        self.redis_disturbed = asyncio.Lock()
        self.postgres_disturbed = asyncio.Lock()
        self.workers: list[Supervised] = []
        self.producers: list[Supervised] = []
        self._settings = settings

    def environment(self, database: str, redis_db: int) -> dict[str, str]:
        return {
            "DATABASE_URL": self.dsn(database), "REDIS_URL": self.redis_url(redis_db), "LOG_FORMAT": "json",
            "MASSIVE_BASE_URL": self.market.url, "MASSIVE_API_KEY": "any", "MAINTENANCE_LEASE": f"{LEASE_S:g}s",
            **self._settings,
        }  # fmt: skip

    def dsn(self, database: str) -> str:
        return self.postgres.dsn.replace("/postgres?", f"/{database}?", 1)

    def redis_url(self, redis_db: int) -> str:
        return f"{self.redis.url}?db={redis_db}"

    @contextlib.asynccontextmanager
    async def running(self, database: str, redis_db: int, *, workers: int, producers: int) -> AsyncIterator[None]:
        """Run the product on that database and Redis until the block ends."""
        environment = self.environment(database, redis_db)
        self.workers = [
            Supervised(f"worker {n}", ("-m", "consumer", "--no-http"), environment, self.log(database, f"worker-{n}"))
            for n in range(workers)
        ]
        self.producers = [
            Supervised(f"producer {n}", ("-m", "producers.market_session"), environment,
                       self.log(database, f"producer-{n}"))
            for n in range(producers)
        ]  # fmt: skip
        everything = [*self.workers, *self.producers]
        supervision = [asyncio.create_task(one.run()) for one in everything]
        try:
            yield
        finally:
            await asyncio.gather(*(one.stop() for one in everything))
            await end_all(supervision)

    def log(self, database: str, name: str) -> Path:
        return self.home / f"{database}-{name}.log"

    async def kill_redis(self, down_s: float) -> None:
        os.kill(self.redis.pid, signal.SIGKILL)
        await self.redis.ended()
        await asyncio.sleep(down_s)
        await self.redis.start()

    async def restart_postgres(self, down_s: float) -> None:
        await self.postgres.stop()
        await asyncio.sleep(down_s)
        await self.postgres.start()


@contextlib.asynccontextmanager
async def deployment(
    *, tickers: int, latency_ms: int, settings: Mapping[str, str], postgres: Mapping[str, str]
) -> AsyncIterator[Deployment]:
    """Servers and market of their own, in a directory that goes with them."""
    home = Path(tempfile.mkdtemp(prefix="dm-chaos-"))
    home.chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
    try:
        with simulated_market(tickers=tickers, latency_ms=latency_ms) as market:
            deployed = Deployment(home, market, settings, postgres)
            try:
                await asyncio.gather(deployed.redis.start(), deployed.postgres.start())
                yield deployed
            finally:
                await _each_stopped(deployed.redis.stop, deployed.postgres.stop)
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _each_stopped(*stops: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(stop() for stop in stops), return_exceptions=True)


def _exit(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
