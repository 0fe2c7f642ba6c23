"""Asks a server of bombs as a worker does, and prints what it cost: python -m tests.outages.bomb_asker URL COUNT."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from consumer.vendor.errors import VendorError
from consumer.vendor.sieve import Sieve

DAY = dt.date(2026, 7, 15)


def peak_kb() -> int:
    """Of this program alone: what getrusage says has that of whoever started it in it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


async def ask(url: str, count: int) -> dict[str, Any]:
    """*count* bombs at once by the grouped bars, whose bound is the widest; meanwhile ordinary answers, splits."""
    async with open_session(max_in_flight=count + 4) as http:
        patience = Patience(tries=1, failures_to_open=10_000)
        massive = MassiveClient(
            http,
            Access(base_url=url, api_key="any", budget=UnlimitedBudget(), max_in_flight=count + 4, patience=patience),
        )
        before = peak_kb()
        began, said = time.monotonic(), Counter[str]()

        async def bomb() -> None:
            try:
                await massive.grouped_daily(DAY)
                said["an answer"] += 1
            except VendorError as error:
                said[f"{type(error).__name__}: {str(error)[:110]}"] += 1

        bombs = [asyncio.create_task(bomb()) for _ in range(count)]
        ordinary: list[float] = []
        while not all(task.done() for task in bombs):
            asked = time.monotonic()
            await massive.list_splits(DAY, DAY, sieve=Sieve(DAY))
            ordinary.append(time.monotonic() - asked)
            await asyncio.sleep(0.01)
        peak = peak_kb()
        return {
            "seconds": round(time.monotonic() - began, 2), "MB before": before // 1024, "peak MB": peak // 1024,
            "said": dict(said), "slowest ordinary answer, s": round(max(ordinary, default=0.0), 3),
        }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(ask(sys.argv[1], int(sys.argv[2])))))
