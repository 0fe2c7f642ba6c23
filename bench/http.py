"""Measures reads over HTTP while a cycle runs: latency, errors, what they cost the cycle, and the CPU of a bulk answer.

    .venv/bin/python -m bench.http [--tickers 11000] [--rate 200] [--seconds 60]

`maintenance run` fills an empty database from the simulated market. Then every part of a night is asked for again
(`force`): once beside nobody, once beside reads at a fixed rate, which go on for as long as the cycle takes and at
least for --seconds. A request's latency counts from when it was due, so that one that waits for others waits in the
figures too. The client runs on the same machine, and takes its share of it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import aiohttp

from bench.running_service import Service, beside_a_service

if TYPE_CHECKING:
    import psutil

SAMPLES = 20
#: Path, and how many of a hundred requests ask for it; {} is a symbol.
MIX = (
    ("/api/rvol/hist-avg/bulk?symbol={}", 38),
    ("/api/metadata/{}", 20),
    ("/api/bars/{}", 10),
    ("/api/slots/{}?days=5", 8),
    ("/api/atr/{}", 8),
    ("/api/rvol/hist-avg?symbol={}&slot=80", 5),
    ("/api/trades/baseline/bulk?symbol={}", 4),
    ("/api/metadata/bulk?symbols={},{},{},{},{}", 3),
    ("/api/universe/symbols", 2),
    ("/api/metadata/{}ZQ", 1),
    ("/api/metadata/bulk", 1),
)
NOT_FOUND = "/api/metadata/{}ZQ"
BULK = "/api/metadata/bulk"


class Load:
    """Reads at a fixed rate, each begun when it is due, whatever became of those before."""

    def __init__(self, http: aiohttp.ClientSession, url: str, symbols: list[str], rate: int) -> None:
        self._http, self._url, self._symbols, self._rate = http, url, symbols, rate
        self._random = random.Random(1)
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.statuses: Counter[str] = Counter()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Read until `stop` is set, and wait for the last answers."""
        began, number, under_way = time.perf_counter(), 0, set()
        while not self.stop.is_set():
            due = began + number / self._rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            one = asyncio.create_task(self._read(due))
            under_way.add(one)
            one.add_done_callback(under_way.discard)
            number += 1
        await asyncio.gather(*under_way)

    async def _read(self, due: float) -> None:
        (path,) = self._random.choices([path for path, _ in MIX], [weight for _, weight in MIX])
        asked = path.format(*(self._random.choice(self._symbols) for _ in range(path.count("{}"))))
        try:
            async with self._http.get(self._url + asked) as answer:
                await answer.read()
            expected = 404 if path == NOT_FOUND else 200
            self.statuses["ok" if answer.status == expected else f"{answer.status} {path}"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.statuses[f"{type(error).__name__} {path}"] += 1
        self.latencies[path].append(time.perf_counter() - due)


def show(load: Load, seconds: float) -> None:
    """Print the latencies by path and in all."""
    every = [one for some in load.latencies.values() for one in some]
    print(f"{'path':<44}{'requests':>9}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}")
    for path, some in [*sorted(load.latencies.items()), ("all", every)]:
        cuts = statistics.quantiles(some, n=100) if len(some) > 1 else [some[0]] * 99
        print(f"{path:<44}{len(some):>9}{1000 * cuts[49]:>9.1f}{1000 * cuts[98]:>9.1f}{1000 * max(some):>9.1f}")
    errors = {name: count for name, count in load.statuses.items() if name != "ok"}
    print(f"\n{len(every) / seconds:.0f} requests/s for {seconds:.0f} s; errors: {sum(errors.values())} {errors or ''}")


async def measure(url: str, process: psutil.Process, options: argparse.Namespace) -> None:
    """Fill, run a night again alone, and beside reads."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        service = Service(http, url, process)
        first = await service.at_rest()
        print(f"filled: cycle {first['cycle']} {first['state']} in {first['duration_seconds']:.1f} s", flush=True)
        symbols = (await service.get("/api/universe/symbols?limit=20000"))["symbols"]
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(symbols):,} symbols listed")
        cold = await service.cpu_of(BULK, 1)
        warm = await service.cpu_of(BULK, SAMPLES)
        print(f"{BULK}: {cold:.0f} ms CPU when it is made, {warm:.0f} ms when it stands ({SAMPLES} times)", flush=True)
        alone = await service.cycle_again(first["cycle"])
        print(f"cycle alone: {alone['state']} in {alone['duration_seconds']:.1f} s", flush=True)
        load = Load(http, url, symbols, options.rate)
        began, used = time.perf_counter(), process.cpu_times()
        reading = asyncio.create_task(load.run())
        try:
            beside = await service.cycle_again(alone["cycle"])
            await asyncio.sleep(max(0.0, options.seconds - (time.perf_counter() - began)))
        finally:
            load.stop.set()
            await reading
        seconds, now = time.perf_counter() - began, process.cpu_times()
        cpu = now.user + now.system - used.user - used.system
    slower = beside["duration_seconds"] / alone["duration_seconds"] - 1
    print(f"cycle beside reads: {beside['state']} in {beside['duration_seconds']:.1f} s ({slower:+.0%})\n")
    show(load, seconds)
    print(f"the serving process: {cpu / seconds:.0%} of a core; load average {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=11_000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    beside_a_service(options.tickers, lambda url, run: measure(url, run, options))


if __name__ == "__main__":
    main()
