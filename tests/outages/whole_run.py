"""What happens to `maintenance run` itself: its servers killed, its disk full, its tree stopped, its terminal gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.outages.ground import read_log
from tests.terminal.conftest import environment_without_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

TICKERS = 3000
KILLS = 6
SERVERS = {"redis": ("valkey-server", "redis-server"), "postgres": ("postgres",)}
ENDS_WITHIN_S = 240.0
DISK_MB = 150
GRACE_S = 5.0


class Run:
    """A `maintenance run` on servers of its own, in *folder*."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.log = folder / "stderr.log"
        self._environment = {
            **environment_without_key(), "DATA_DIR": str(folder / "data"), "HTTP_PORT": "0", "LOG_FORMAT": "json",
            "SIMULATED_LATENCY": "20ms",
        }  # fmt: skip
        self.started = time.monotonic()
        with self.log.open("ab") as log, (folder / "stdout.log").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "consumer.terminal", "run", "--tickers", str(TICKERS), *arguments],
                env=self._environment, stdout=out, stderr=log,
            )  # fmt: skip

    def family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def server(self, which: str) -> psutil.Process | None:
        """The server's own process, not one of its sessions."""
        for one in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = one.parent()
                if one.name() in SERVERS[which] and parent is not None and parent.name() not in SERVERS[which]:
                    return one
        return None

    async def until_server(self, which: str, *, other_than: int = 0) -> psutil.Process:
        async with asyncio.timeout(ENDS_WITHIN_S):
            while True:
                server = self.server(which)
                if server is not None and server.pid != other_than:
                    return server
                assert self.process.poll() is None, self.words()
                await asyncio.sleep(0.02)

    async def kill(self, which: str) -> int:
        """SIGKILL the server, or what just prepares it; the id of what was killed."""
        while True:
            server = await self.until_server(which)
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGKILL)
                return server.pid

    async def until_event(self, event: str) -> None:
        async with asyncio.timeout(ENDS_WITHIN_S):
            while not any(line["event"] == event for line in read_log(self.log)):
                assert self.process.poll() is None, self.words()
                await asyncio.sleep(0.1)

    async def ended(self, within_s: float = ENDS_WITHIN_S) -> int | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.process.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        return self.process.poll()

    def ask(self, *words: str) -> tuple[int, str]:
        """A verb of the command line, on the servers of this run."""
        done = subprocess.run(
            [sys.executable, "-m", "consumer.terminal", *words],
            env=self._environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).strip()

    async def whole(self) -> float:
        """Seconds until `maintenance status` calls the day whole."""
        began = time.monotonic()
        async with asyncio.timeout(ENDS_WITHIN_S):
            while True:
                code, words = await asyncio.to_thread(self.ask, "status")
                if code == 0:
                    return round(time.monotonic() - began, 1)
                assert self.process.poll() is None, f"{words}\n{self.words()}"
                await asyncio.sleep(1)

    def words(self) -> str:
        out = (self.folder / "stdout.log").read_text("utf-8", "replace")
        return f"exit {self.process.poll()}: {out[-1500:]} {self.log.read_text('utf-8', 'replace')[-3000:]}"

    def told(self) -> dict[str, int]:
        loud = [line for line in read_log(self.log) if line.get("level") not in ("DEBUG", "INFO")]
        return dict(Counter(line["event"] for line in loud).most_common(12))

    def end(self) -> None:
        for one in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            for one in reversed(self.family()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            self.process.wait()


@contextlib.contextmanager
def folder_for_a_run() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dm-outage-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def run_in(folder: Path, *arguments: str) -> AsyncIterator[Run]:
    run = Run(folder, *arguments)
    try:
        yield run
    finally:
        run.end()


async def server_killed(which: str) -> dict[str, Any]:
    """SIGKILL the embedded server six times in a run: from the moment it is up, amid the cycle, at rest."""
    back: list[float] = []
    with folder_for_a_run() as folder:
        async with run_in(folder) as run:
            for number in range(KILLS):
                await asyncio.sleep((0.0, 0.5, 2.0, 4.0, 6.0, 10.0)[number])
                killed, began = await run.kill(which), time.monotonic()
                await run.until_server(which, other_than=killed)
                back.append(round(time.monotonic() - began, 2))
            whole = await run.whole()
            code, words = await asyncio.to_thread(run.ask, "doctor")
            told = run.told()
        return {"back after, s": back, "whole after, s": whole, "doctor": [code, words[-200:]], "told": told}


async def redis_killed(_: float) -> dict[str, Any]:
    return await server_killed("redis")


async def postgres_killed(_: float) -> dict[str, Any]:
    return await server_killed("postgres")


async def tree_stopped(minutes: float) -> dict[str, Any]:
    """SIGSTOP to every process of the run for *minutes*, amid the cycle; then SIGCONT."""
    with folder_for_a_run() as folder:
        async with run_in(folder) as run:
            await run.until_event("consumer_started")
            await asyncio.sleep(3)
            family = run.family()
            for one in family:
                one.send_signal(signal.SIGSTOP)
            await asyncio.sleep(minutes * 60)
            for one in reversed(family):
                one.send_signal(signal.SIGCONT)
            whole = await run.whole()
            code, words = await asyncio.to_thread(run.ask, "dead-letters")
            return {"whole after, s": whole, "dead letters": [code, words[-200:]], "told": run.told()}


async def hung_up(_: float) -> dict[str, Any]:
    """SIGHUP to the run, as a terminal that closes sends it: how it ends, and whom it leaves behind."""
    with folder_for_a_run() as folder:
        async with run_in(folder) as run:
            await run.until_event("consumer_started")
            await asyncio.sleep(2)
            family = run.family()
            began = time.monotonic()
            run.process.send_signal(signal.SIGHUP)
            code = await run.ended(60)
            took = round(time.monotonic() - began, 1)
            await asyncio.sleep(GRACE_S)
            left = [one.name() for one in family[1:] if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
            told = run.told()
        async with run_in(folder, "--once") as again:
            return {
                "exit": code, "after, s": took, "left behind": left, "told": told,
                "the next run's exit": await again.ended(),
            }  # fmt: skip


async def disk_full(_: float) -> dict[str, Any]:
    """A disk of its own that fills amid the cycle, and has room again a minute later."""
    with folder_for_a_run() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0711", "tmpfs", folder], check=True)
        try:
            async with run_in(folder) as run:
                await run.until_event("consumer_started")
                await asyncio.sleep(2)
                ballast = folder / "ballast"
                with ballast.open("wb") as filled, contextlib.suppress(OSError):
                    while True:
                        filled.write(b"\0" * 65536)
                await asyncio.sleep(60)
                alive = run.process.poll()
                full = await asyncio.to_thread(run.ask, "status")
                ballast.unlink()
                whole = await run.whole()
                return {
                    "alive while full": alive is None, "status while full": [full[0], full[1][-300:]],
                    "whole after, s": whole, "told": run.told(),
                }  # fmt: skip
        finally:
            subprocess.run(["umount", "-l", folder], check=False)
