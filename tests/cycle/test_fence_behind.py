"""Redis lost its counter of fence tokens: the ledger, which has seen later ones, is not locked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract import keys
from tests.cycle.stack import until

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

SEEN = 1_000_000


async def test_a_fence_counter_that_went_back_is_lifted_over_what_the_ledger_has_seen(stack: Stack) -> None:
    await stack.market.fail({"endpoint": "grouped_daily", "kind": "latency", "latency_ms": 500})

    async def planned() -> bool:
        return bool(await stack.value("SELECT count(*) FROM part WHERE task = 'ohlc_daily' AND state = 'running'"))

    async with stack.working():
        await stack.ask()
        await until(planned, what="running parts")
        await stack.pool.execute("UPDATE part SET fence = $1 WHERE state IN ('blocked', 'ready')", SEEN)
        await stack.market.fail()
        cycle = await stack.at_rest()
    assert cycle.state == "complete"
    assert int(str(await stack.redis.get(keys.FENCE.pattern))) > SEEN
