"""Measures one whole cycle from an empty database: wall time, requests, CPU seconds and peak memory of each process.

    .venv/bin/python -m bench.cycle [--tickers 11000] [--latency-ms 30]

The floor, measured in the same run, is a bare loop that asks the same vendor the same kinds of questions with the same
number of requests under way, and throws the answers away. The earlier service's figures are those of its audit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import aiohttp
import psutil

IN_FLIGHT = 128
FLOOR_SAMPLE = 1_000
# Earlier service on the same work, 11,000 tickers, 30 ms vendor, no rate limit, wall seconds (extrapolated where said).
EARLIER = {
    "daily bars, 30 sessions": 110.0,
    "volume slots, 10 sessions (extrapolated)": 17 * 60.0,
    "ATR": 37.2,
    "RVOL averages (extrapolated from 1,000)": 510.4,
    "metadata (22 runs of 500)": 550.0,
    "Redis sync": 17.7,
}
EARLIER_REQUESTS = 11_000 + 110_000 + 11_000

ROLES = (
    ("consumer.terminal", "run"),
    ("simulated_market", "simulated market"),
    ("producers.market_session", "market session"),
    ("-m consumer", "worker"),
    ("valkey", "redis"),
    ("postgres", "postgresql"),
)


class ProcessUse:
    """CPU seconds and peak memory of one process, as last seen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cpu_s = 0.0
        self.peak_mb = 0.0


def role_of(process: psutil.Process) -> str:
    """Name a process by what it does."""
    words = " ".join(process.cmdline())
    for mark, name in ROLES:
        if mark in words:
            return name
    return process.name()


def watch(root: psutil.Process, used: dict[int, ProcessUse]) -> None:
    """Note what every process of the tree has used so far."""
    for process in (root, *root.children(recursive=True)):
        try:
            use = used.setdefault(process.pid, ProcessUse(role_of(process)))
            times = process.cpu_times()
            memory = process.memory_full_info().uss if use.name == "postgresql" else process.memory_info().rss
            use.cpu_s = max(use.cpu_s, times.user + times.system)
            use.peak_mb = max(use.peak_mb, memory / 1e6)
        except psutil.Error:
            continue


async def floor(url: str, tickers: int) -> float:
    """Seconds that a bare loop needs for a sample of range requests and of details, scaled to all tickers."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as http:
        async with http.get(f"{url}/v3/reference/tickers?market=stocks&active=true&limit=1000") as answer:
            symbols = [row["ticker"] for row in (await answer.json())["results"]][:FLOOR_SAMPLE]
        paths = [
            f"/v2/aggs/ticker/{s}/range/5/minute/2025-10-29/2025-11-11?adjusted=false&limit=50000" for s in symbols
        ]
        paths += [f"/v3/reference/tickers/{s}" for s in symbols]
        gate = asyncio.Semaphore(IN_FLIGHT)

        async def ask(path: str) -> None:
            async with gate, http.get(url + path) as answer:
                await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(ask(path) for path in paths))
        return (time.perf_counter() - began) * tickers / len(symbols)


def measure_floor(tickers: int, latency_ms: int) -> float:
    """Start a market and measure the floor against it."""
    arguments = ["--port", "0", "--tickers", str(tickers), "--latency-ms", str(latency_ms)]
    market = subprocess.Popen([sys.executable, "-m", "simulated_market", *arguments], stdout=subprocess.PIPE)
    try:
        assert market.stdout is not None
        return asyncio.run(floor(json.loads(market.stdout.readline())["listening"], tickers))
    finally:
        market.kill()
        market.wait()


def run_cycle(tickers: int, latency_ms: int, data_dir: Path) -> tuple[float, dict[int, ProcessUse], str]:
    """Run the cycle and return wall seconds, what each process used, and the summary printed."""
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "HTTP_PORT": "0",
        "LOG_FORMAT": "text",
        "SIMULATED_LATENCY": f"{latency_ms}ms",
    }
    command = [sys.executable, "-m", "consumer.terminal", "run", "--simulated", "--once", "--tickers", str(tickers)]
    used: dict[int, ProcessUse] = {}
    began = time.perf_counter()
    run = subprocess.Popen(
        [*command, "--trading-day", "2025-11-11"], env=environment, stdout=subprocess.PIPE, text=True
    )
    root = psutil.Process(run.pid)
    while run.poll() is None:
        watch(root, used)
        time.sleep(0.2)
    output = run.stdout.read() if run.stdout else ""
    if run.returncode:
        sys.exit(f"the cycle did not end complete (exit {run.returncode}):\n{output}")
    return time.perf_counter() - began, used, output


def report(tickers: int, latency_ms: int, wall: float, used: dict[int, ProcessUse], output: str, bare: float) -> None:
    """Print the figures."""
    print(
        f"python {platform.python_version()} · {os.cpu_count()} cores · aiohttp {version('aiohttp')} · "
        f"asyncpg {version('asyncpg')} · redis-py {version('redis')} · numpy {version('numpy')}"
    )
    print(f"{tickers:,} tickers, {latency_ms} ms vendor, no rate limit, empty database\n")
    print(output[output.index("cycle 1 for ") : output.index("look:")])
    print(f"{'process':<20}{'CPU s':>8}{'peak MB':>10}")
    roles: dict[str, list[ProcessUse]] = {}
    for use in used.values():
        roles.setdefault(use.name, []).append(use)
    for name, uses in sorted(roles.items()):
        if name == "postgresql":
            cpu, peak = sum(use.cpu_s for use in uses), sum(use.peak_mb for use in uses)
            print(f"{name + f' ({len(uses)})':<20}{cpu:>8.1f}{peak:>10.0f}")
            continue
        for use in uses:
            print(f"{name:<20}{use.cpu_s:>8.1f}{use.peak_mb:>10.0f}")
    print(f"\nwall with start and stop of everything: {wall:.1f} s")
    print(
        f"floor: the same requests by a bare loop, {IN_FLIGHT} at once, answers thrown away: {bare:.1f} s "
        f"(from {FLOOR_SAMPLE} tickers); ratio {wall / bare:.2f}"
    )
    earlier = sum(EARLIER.values())
    print(
        f"earlier service on the same work: {earlier / 60:.0f} min and {EARLIER_REQUESTS:,} requests; "
        f"{earlier / wall:.0f} times as long"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=11_000)
    parser.add_argument("--latency-ms", type=int, default=30)
    options = parser.parse_args()
    bare = measure_floor(options.tickers, options.latency_ms)
    with tempfile.TemporaryDirectory(prefix="dm-bench-") as folder:
        Path(folder).chmod(0o711)
        wall, used, output = run_cycle(options.tickers, options.latency_ms, Path(folder))
    report(options.tickers, options.latency_ms, wall, used, output, bare)


if __name__ == "__main__":
    main()
