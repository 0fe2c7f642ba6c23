"""Starts the processes of a small deployment for crash tests: a simulated market and worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path


class Market:
    """A simulated market in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url

    async def requests(self) -> dict[str, Any]:
        """What the market has been asked so far."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/_simulator/requests") as answer:
            return dict(await answer.json())

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Put these faults in the place of those in force; none is fair weather."""
        async with aiohttp.ClientSession() as http, http.post(f"{self.url}/_simulator/faults", json=faults) as answer:
            answer.raise_for_status()

    async def reset(self) -> None:
        """Forget the requests."""
        async with aiohttp.ClientSession() as http, http.post(f"{self.url}/_simulator/reset") as answer:
            answer.raise_for_status()


@contextlib.contextmanager
def simulated_market(*, tickers: int, latency_ms: int) -> Iterator[Market]:
    """Run a market until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulated_market", "--port", "0", "--dividends", "--tickers", str(tickers),
         "--latency-ms", str(latency_ms), "--seed", "7"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Market(process, json.loads(process.stdout.readline())["listening"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def workers(count: int, *, log: Path, **environment: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run *count* worker processes that no supervisor starts again."""
    started: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as errors:
        try:
            for _ in range(count):
                started.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "consumer", "--no-http"],
                        env={**os.environ, "MAINTENANCE_CATCH_UP": "off", **environment},
                        stderr=errors,
                    )
                )
            yield started
        finally:
            for process in started:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.terminate()
            for process in started:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


async def until(
    look: Callable[[], Coroutine[Any, Any, Any]], *, within_s: float = 60.0, what: str = "what was awaited"
) -> Any:
    """Look again and again until the answer is true; the deadline only ends a test that would hang."""
    async with asyncio.timeout(within_s):
        while True:
            answer = await look()
            if answer:
                return answer
            await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not come")
