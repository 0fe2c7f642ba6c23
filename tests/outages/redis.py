"""A stream of ours ended by one XADD with the last possible id, or a group set far ahead."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from contract import keys
from producers.trigger import request_cycle
from tests.crash.stack import until
from tests.outages.ground import ground

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.outages.ground import Ground

LAST = "18446744073709551615-18446744073709551615"
AHEAD = "9999999999999-0"
TAKES_WITHIN_S = 120.0


async def ended_streams(_: float) -> dict[str, Any]:
    """Each stream in turn: seconds until it takes entries again, and until a cycle asked for then is complete."""
    figures = {}
    async with ground(tickers=300) as on, on.workload.redis() as redis:
        await on.amid(done=1)
        await on.complete()
        for stream in keys.STREAMS:
            began = time.monotonic()
            await redis.xadd(stream.name, {"by": "a slip of the hand"}, id=LAST)
            takes = await takes_entries(redis, stream.name)
            figures[stream.name] = {"takes entries after, s": takes, **await asked_for(on, began)}
        for stream in keys.STREAMS:
            if stream.group is not None:
                began = time.monotonic()
                await redis.xgroup_setid(stream.name, keys.GROUP, AHEAD)
                figures[f"{stream.name}, group ahead"] = await asked_for(on, began)
        figures["told"] = sorted({line["event"] for line in loud(on)})
    return figures


def loud(on: Ground) -> list[dict[str, Any]]:
    return [line for line in on.lines(on.began) if line.get("level") not in ("DEBUG", "INFO")]


async def takes_entries(redis: Redis, stream: str) -> float:
    began = time.monotonic()

    async def look() -> bool:
        with contextlib.suppress(ResponseError):
            entry = await redis.xadd(stream, {"by": "a trial"})
            await redis.xdel(stream, entry)
            return True
        return False

    await until(look, within_s=TAKES_WITHIN_S, what=f"an entry in {stream}")
    return round(time.monotonic() - began, 1)


async def asked_for(on: Ground, began: float) -> dict[str, float]:
    """Have everything loaded again, and wait for the end."""
    async with on.workload.ledger() as db:
        before = await db.fetchval("SELECT max(cycle_id) FROM cycle")
        async with on.workload.redis() as redis:

            async def asked() -> bool:
                with contextlib.suppress(ResponseError):
                    await request_cycle(redis, trading_day=on.workload.day, force=True, requested_by="trial")
                    return True
                return False

            await until(asked, within_s=TAKES_WITHIN_S, what="a request that is taken")

        async def ended() -> bool:
            state = await db.fetchval("SELECT state FROM cycle WHERE cycle_id > $1", before)
            return state == "complete"

        await until(ended, within_s=TAKES_WITHIN_S, what="the cycle that was asked for")
    return {"a cycle asked for is complete after, s": round(time.monotonic() - began, 1)}
