"""Looks at what people and services are told: keys, status, the newest due time; and watches it while work goes on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from consumer.runtime import end_all
from tests.cycle.stack import CALENDAR, DAY, Stack, until

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator

    from consumer.verdict.service import Service

BEFORE, NEXT = CALENDAR.previous_trading_day(DAY), CALENDAR.next_trading_day(DAY)


async def last(stack: Stack) -> tuple[str | None, str | None]:
    """What `maintenance:last_run` and `maintenance:last_final` name."""
    run, final = await stack.redis.mget("maintenance:last_run", "maintenance:last_final")
    return run, final


async def told(stack: Stack, day: dt.date = DAY) -> tuple[str, str, bool, list[str]]:
    """State, condition, success and what lacks, as the day's key has them."""
    status = await stack.status(day)
    return status["state"], status["condition"], status["all_success"], status["missing"]


async def serving(stack: Stack) -> Service:
    return (await stack.judged()).serving.service


@contextlib.asynccontextmanager
async def watched(stack: Stack) -> AsyncIterator[list[tuple[str | None, str | None]]]:
    """Everything that both keys, judged anew at every look, say until the block ends."""
    seen: list[tuple[str | None, str | None]] = []

    async def watch() -> None:
        while True:
            judged = await stack.judged()
            seen.append((_text(judged.last_run), _text(judged.last_final)))
            seen.append(await last(stack))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        await end_all([watching])
    assert len(seen) > 10


def _text(day: dt.date | None) -> str | None:
    return None if day is None else str(day)


async def run_passes(stack: Stack, count: int) -> list[Any]:
    """Let the waiting cycle make *count* passes at the present hour."""
    found = []
    async with stack.working():
        for _ in range(count):
            before = await stack.cycle()
            assert before is not None
            await stack.passes_only.look()

            async def ended(run_pass: int = before.run_pass) -> Any:
                cycle = await stack.cycle()
                assert cycle is not None
                return cycle if cycle.run_pass > run_pass and cycle.state != "running" else None

            found.append(await until(ended, what="a pass"))
            await stack.at_rest()  # its end is published after it is committed
    return found
