"""Two releases work on one night together, up and down again; then the older one is served no more, and stops.

The next release is this one with a change to the tables of its own (tests/next_release.py), in a folder beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import re
import subprocess
import sys
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from tests.crash.chaos import schedule_for
from tests.crash.deployment import Supervised, deployment
from tests.crash.repeats import count_deliveries, cut_short, largest_parts, repeated_at_most
from tests.crash.stack import until
from tests.crash.workload import Workload
from tests.next_release import NEXT, copy_next_release
from tests.outages.ground import DATABASE, ENDS_WITHIN_S, QUICK, REDIS_DB, Ground, make_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.crash.deployment import Deployment

TICKERS = 300
WORKERS = 2
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name LIKE 'maintenance/{}@%'"
)
AMID = """
    SELECT count(*) FILTER (WHERE p.state = 'done') >= 3 AND bool_or(p.state IN ('ready', 'running', 'blocked'))
    FROM part AS p JOIN cycle USING (cycle_id)
    WHERE cycle.state = 'running' AND cycle_id = (SELECT max(cycle_id) FROM cycle)
      AND (SELECT count(*) FROM cycle) >= $1
"""


class Releases:
    """Workers of two releases on one deployment."""

    def __init__(self, deployed: Deployment, workload: Workload, of_next: Path) -> None:
        self.deployed, self.workload = deployed, workload
        self.ground = Ground(deployed, workload, None, None)  # type: ignore[arg-type]  # without wires
        self._environment = deployed.environment(DATABASE, REDIS_DB)
        # Without the folder that a process is started in, the packages come from here.
        self._of_next = {**self._environment, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(of_next)}
        self._running: list[asyncio.Task[None]] = []

    def start(self, *names: str) -> list[Supervised]:
        """Start workers; those called next… are of the next release."""
        started = [
            Supervised(
                name,
                ("-m", "consumer", "--no-http"),
                self._of_next if name.startswith("next") else self._environment,
                self.deployed.log(DATABASE, name),
            )
            for name in names
        ]
        self._running += [asyncio.create_task(one.run()) for one in started]
        return started

    async def at_work(self, version: int) -> None:
        async def look() -> bool:
            async with self.workload.ledger() as db:
                return bool(await db.fetchval(SESSIONS.format(version)))

        await until(look, within_s=ENDS_WITHIN_S, what=f"a worker of version {version}")

    async def amid(self, cycles: int) -> None:
        """Wait until something of the newest of so many cycles is loaded, and more is to come."""

        async def look() -> bool:
            async with self.workload.ledger() as db:
                return bool(await db.fetchval(AMID, cycles))

        await until(look, within_s=ENDS_WITHIN_S, what="the middle of a cycle")

    async def figures(self, began: float) -> dict[str, Any]:
        """What the phase has cost; asserts that the day is whole and nothing was asked for beyond what kills cost."""
        await self.ground.complete()
        await self.workload.take_stock()
        async with self.workload.ledger() as db:
            cut, largest = await cut_short(db), await largest_parts(db)
            letters = await db.fetchval("SELECT count(*) FROM dead_letter")
            holders = await db.fetch(
                "SELECT holder, count(*) FROM part WHERE cycle_id = (SELECT max(cycle_id) FROM cycle) GROUP BY 1"
            )
        twice = sum(self.workload.asked_twice.values())
        assert letters == 0
        assert twice <= repeated_at_most(cut, largest, faulty=0), (self.workload.asked_twice, cut)
        return {
            "seconds": round(time.monotonic() - began, 1), "parts by worker": sorted(row["count"] for row in holders),
            "deliveries cut short": cut, "requests": sum(self.workload.requests.values()), "asked twice": twice,
        }  # fmt: skip

    def loud(self) -> dict[str, int]:
        """What was logged as an error, and every traceback."""
        logs = self.ground.logs()
        lines = self.ground.lines(dt.datetime.fromtimestamp(0, dt.UTC))
        found = Counter(line["event"] for line in lines if line.get("level") in ("ERROR", "CRITICAL"))
        found["tracebacks"] = sum(len(re.findall(r"Traceback", log.read_text("utf-8", "replace"))) for log in logs)
        return dict(found)

    async def finish_upgrade(self) -> tuple[int, str]:
        """`maintenance migrate --finish` of the next release."""

        def run() -> tuple[int, str]:
            done = subprocess.run(
                [sys.executable, "-m", "consumer.terminal", "migrate", "--finish"],
                env={**os.environ, **self._of_next}, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            return done.returncode, done.stdout + done.stderr

        return await asyncio.to_thread(run)

    async def stop(self, *workers: Supervised) -> None:
        await asyncio.gather(*(one.stop() for one in workers))


@contextlib.asynccontextmanager
async def releases() -> AsyncIterator[Releases]:
    rule, day = schedule_for(dt.datetime.now(dt.UTC))
    environment = {**QUICK, "MAINTENANCE_SCHEDULE": rule, "HTTP_PORT": "0"}
    async with deployment(tickers=TICKERS, latency_ms=100, settings=environment, postgres={}) as deployed:
        await make_database(deployed)
        await count_deliveries(deployed.dsn(DATABASE))
        of_next = await asyncio.to_thread(copy_next_release, deployed.home / "next", after=True)
        workload = Workload(deployed, day, Random(1), database=DATABASE, redis_db=REDIS_DB)
        yield Releases(deployed, workload, of_next)


async def side_by_side(_minutes: float) -> dict[str, Any]:
    """Up, down, and up for good, each amid a cycle."""
    figures: dict[str, Any] = {}
    async with releases() as on:
        began = time.monotonic()
        ours = on.start("ours-0", "ours-1")
        await on.amid(1)
        following = on.start("next-0")
        await on.at_work(NEXT)
        await on.stop(*ours)
        figures["up"] = await on.figures(began)
        data = await on.workload.fingerprint()

        began = time.monotonic()
        await on.workload.ask("down", force=True)
        await on.amid(2)
        ours = on.start("ours-2", "ours-3")
        await on.at_work(NEXT - 1)
        await on.stop(*following)
        figures["down"] = await on.figures(began)
        assert await on.workload.fingerprint() == data

        began = time.monotonic()
        await on.workload.ask("for good", force=True)
        await on.amid(3)
        following = on.start("next-1")
        await on.at_work(NEXT)
        asked = time.monotonic()
        code, told = await on.finish_upgrade()
        assert code == 0, told
        figures["finish, seconds"] = round(time.monotonic() - asked, 1)
        figures["for good"] = await on.figures(began)
        assert await on.workload.fingerprint() == data
        figures["exits of the older workers"] = [dict(one.exits) for one in ours]
        await on.stop(*ours, *following)
        figures["loud"] = on.loud()
    return figures
