"""Measures what open pages cost a running cycle: CPU of the service for a night with none open, and with many.

    .venv/bin/python -m bench.open_pages [--tickers 11000] [--pages 50] [--turns 2]

`maintenance run` fills an empty database from the simulated market. Then every part of a night is asked for again
(`force`), in turns beside nobody and beside pages, each of which does what the page's script does: it listens to
/events, and asks for the first answer a debounce after something was told, and every so often while a cycle runs.
The pages run in this process, whose CPU is not counted; PostgreSQL's, Redis' and the market's are shown beside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import statistics
from collections import Counter
from typing import Any

import aiohttp
import psutil

from bench.running_service import Service, beside_a_service
from consumer.page.files import read_files

SCRIPT = read_files()["live.js"].body.decode()


def of_script(name: str) -> float:
    """Seconds that the page's own script names."""
    found = re.search(rf"const {name} = (\d+);", SCRIPT)
    assert found is not None, f"live.js has no {name}"
    return int(found[1]) / 1000


DEBOUNCE_S, AT_WORK_S = of_script("DEBOUNCE_MS"), of_script("AT_WORK_MS")


class OpenPage:
    """One page as a browser keeps it: what it has is asked for with its tag."""

    def __init__(self, http: aiohttp.ClientSession, url: str, asked: Counter[str]) -> None:
        self._http, self._url, self._asked = http, url, asked
        self._tags: dict[str, str] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._refresh())

    async def _listen(self) -> None:
        async with self._http.get(f"{self._url}/events") as answer:
            self._asked[f"/events {answer.status}"] += 1
            async for line in answer.content:
                if line.startswith(b"event: maintenance"):
                    self._news.set()

    async def _refresh(self) -> None:
        await self._ask("/page/market")
        await self._ask("/page/log")
        while True:
            await self._ask("/page/overview")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AT_WORK_S):
                    await self._news.wait()
            if self._news.is_set():
                await asyncio.sleep(DEBOUNCE_S)
                self._news.clear()

    async def _ask(self, path: str) -> None:
        headers = {"If-None-Match": self._tags[path]} if path in self._tags else {}
        async with self._http.get(self._url + path, headers=headers) as answer:
            await answer.read()
            self._asked[f"{path} {answer.status}"] += 1
            if "ETag" in answer.headers:
                self._tags[path] = answer.headers["ETag"]


def kind_of(process: psutil.Process) -> str:
    """Whose CPU it is."""
    words = " ".join(process.cmdline()) or process.name()
    for name, seen in (
        ("redis", "redis"),
        ("redis", "valkey"),
        ("market", "simulated_market"),
        ("postgres", "postgres"),
    ):
        if seen in words:
            return name
    return "service"


def spent_by(process: psutil.Process) -> Counter[str]:
    """CPU seconds so far of the service (all its own processes), PostgreSQL, Redis and the market."""
    found: Counter[str] = Counter()
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            used = one.cpu_times()
            kind = kind_of(one)
            # A server's sessions that have ended count with the process that began them.
            ended = used.children_user + used.children_system if kind != "service" else 0.0
            found[kind] += used.user + used.system + ended  # type: ignore[assignment]
    return found


@contextlib.asynccontextmanager
async def open_pages(http: aiohttp.ClientSession, url: str, count: int, asked: Counter[str]) -> Any:
    pages = [asyncio.create_task(OpenPage(http, url, asked).run()) for _ in range(count)]
    try:
        await asyncio.sleep(2 if count else 0)  # they are open before the night begins
        yield
        for page in pages:
            if page.done():
                page.result()
    finally:
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)


async def measure(url: str, process: psutil.Process, options: argparse.Namespace) -> None:
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        service = Service(http, url, process)
        last = await service.at_rest()
        print(f"filled: cycle {last['cycle']} {last['state']} in {last['duration_seconds']:.1f} s", flush=True)
        spent: dict[int, list[float]] = {0: [], options.pages: []}
        for _ in range(options.turns):
            for count in spent:
                asked: Counter[str] = Counter()
                async with open_pages(http, url, count, asked):
                    before = spent_by(process)
                    asked.clear()
                    last = await service.cycle_again(last["cycle"])
                    used = {name: round(value - before[name], 2) for name, value in spent_by(process).items()}
                spent[count].append(used["service"])
                print(
                    f"{count} pages: cycle {last['state']} in {last['duration_seconds']:.1f} s, s of CPU {used}; "
                    f"{dict(asked)}; load average {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
        alone, beside = (statistics.median(spent[count]) for count in (0, options.pages))
        print(
            f"{options.pages} open pages: {beside - alone:+.2f} s of the service's CPU a cycle, "
            f"{beside / alone - 1:+.1%} of {alone:.1f} s"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=11_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    beside_a_service(options.tickers, lambda url, run: measure(url, run, options))


if __name__ == "__main__":
    main()
