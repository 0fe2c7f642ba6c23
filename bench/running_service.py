"""Runs the service on an empty database and a simulated market, for benches that ask it over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Service:
    """A run of the service, asked over HTTP."""

    def __init__(self, http: aiohttp.ClientSession, url: str, process: psutil.Process) -> None:
        self._http, self.url, self.process = http, url, process

    async def get(self, path: str) -> Any:
        async with self._http.get(self.url + path) as answer:
            return await answer.json()

    async def at_rest(self, *, after: int = 0) -> dict[str, Any]:
        """The last cycle, once nothing is under way and it is later than cycle *after*."""
        while True:
            try:
                status = await self.get("/status")
                if not status["current"] and status["last"] and status["last"]["cycle"] > after:
                    return dict(status["last"])
            except (aiohttp.ClientError, TimeoutError):
                pass  # it is starting, or has no time for us
            await asyncio.sleep(1.0)

    async def cycle_again(self, after: int) -> dict[str, Any]:
        """Everything of the newest session once more; returns how it ended."""
        async with self._http.post(f"{self.url}/trigger", json={"force": True}) as answer:
            answer.raise_for_status()
        return await self.at_rest(after=after)

    async def cpu_of(self, path: str, times: int) -> float:
        """CPU milliseconds of the serving process for an answer, sending it included."""
        before = self._cpu()
        for _ in range(times):
            async with self._http.get(self.url + path) as answer:
                await answer.read()
        return 1000 * (self._cpu() - before) / times

    def _cpu(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def beside_a_service(tickers: int, measure: Callable[[str, psutil.Process], Coroutine[Any, Any, None]]) -> None:
    """Start `maintenance run`, have *measure* ask it at its address, and stop it; the process is that of the run."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="dm-bench-") as folder:
        Path(folder).chmod(0o711)
        environment = {**os.environ, "DATA_DIR": folder, "HTTP_PORT": str(port), "LOG_FORMAT": "json"}
        command = [sys.executable, "-m", "consumer.terminal", "run", "--simulated", "--tickers", str(tickers)]
        with (Path(folder) / "bench.log").open("wb") as log:
            run = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                asyncio.run(measure(f"http://127.0.0.1:{port}", psutil.Process(run.pid)))
            finally:
                run.send_signal(signal.SIGINT)
                run.wait(60)
