"""A machine whose clock stands before, or far beyond, what the calendar knows."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.outages.ground import ground, read_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.outages.ground import Ground

CLOCKS = (
    "1970-01-01T00:00:30",
    "1999-12-31T23:59:59",
    "2030-12-31T22:00:00",
    "2031-06-02T22:00:00",
    "2099-01-01T00:00:00",
)
LIVES_FOR_S = 20.0
# Every process of ours asks one function what time it is; here it starts at CLOCK and goes on as time does.
AT_THAT_TIME = """
import datetime as dt, runpy, sys, time
import consumer.runtime
start, began = dt.datetime.fromisoformat(sys.argv[1]).replace(tzinfo=dt.UTC), time.monotonic()
consumer.runtime.utc_now = lambda: start + dt.timedelta(seconds=time.monotonic() - began)
module, sys.argv = sys.argv[2], sys.argv[2:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


async def wrong(_: float) -> dict[str, Any]:
    """A worker and the command line at each clock, on the data of today: what they say, and how the worker ends."""
    figures: dict[str, Any] = {}
    async with ground(tickers=200, workers=1) as on:
        await on.amid(done=1)
        await on.complete()
        for clock in CLOCKS:
            figures[clock] = await at(clock, on)
        figures["and with the right clock"] = await asyncio.to_thread(ask, on, None, "status")
    return figures


async def at(clock: str, on: Ground) -> dict[str, Any]:
    log = on.deployed.home / f"clock-{clock[:4]}.log"
    with log.open("ab") as lines:
        worker = subprocess.Popen(command(clock, "consumer"), env=environment(on), stdout=lines, stderr=lines)
        await asyncio.sleep(LIVES_FOR_S)
        alive = worker.poll() is None
        worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(worker.wait, 20)
        code = worker.poll()
        if code is None:
            worker.kill()
    said = await asyncio.gather(*(asyncio.to_thread(ask, on, clock, verb) for verb in ("status", "doctor")))
    return {"alive": alive, "exit": code, "logged": logged(log), "status": said[0], "doctor": said[1]}


def logged(log: Path) -> dict[str, Any]:
    lines = [line for line in read_log(log) if line.get("level") not in ("DEBUG", "INFO")]
    last = next((str(line.get("reason", line.get("text", "")))[:200] for line in reversed(lines)), "")
    return {**dict(Counter(line["event"] for line in lines).most_common(6)), "last": last}


def ask(on: Ground, clock: str | None, verb: str) -> list[Any]:
    done = subprocess.run(
        command(clock, "consumer.terminal", verb), env=environment(on), capture_output=True, text=True, check=False
    )
    return [done.returncode, " ".join((done.stdout + done.stderr).split())[-300:]]


def command(clock: str | None, module: str, *arguments: str) -> list[str]:
    if clock is None:
        return [sys.executable, "-m", module, *arguments]
    return [sys.executable, "-c", AT_THAT_TIME, clock, module, *arguments]


def environment(on: Ground) -> dict[str, str]:
    given = on.deployed.environment(on.workload.database, on.workload.redis_db)
    return {**os.environ, **given, "MAINTENANCE_SCHEDULE": "CLOSED+15m"}
