"""Every message of a cycle twice and more: each part's work is committed once, and what follows it begins once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.cycle.messages import part_message
from consumer.delivery.entries import flatten
from consumer.postgres import ledger
from producers import keys
from tests.cycle.stack import DAY, until

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

STATES = ("ready", "running", "retrying", "done")


async def strew_duplicates(stack: Stack, seen: set[str]) -> None:
    """A bare XADD of every part there is, twice, as a script of somebody's might send it."""
    rows = await stack.pool.fetch("SELECT cycle_id, task, part FROM part WHERE state = ANY ($1)", list(STATES))
    for row in rows:
        part = ledger.PartId(**dict(row))
        if part.key not in seen:
            seen.add(part.key)
            fields: dict[Any, Any] = part_message(part, DAY).fields
            assert flatten(fields)
            await stack.redis.xadd(keys.TASKS.name, fields)
            await stack.redis.xadd(keys.TASKS.name, fields)


async def test_duplicates_of_every_part_change_nothing(stack: Stack) -> None:
    seen: set[str] = set()

    async def ended() -> bool:
        await strew_duplicates(stack, seen)
        cycle = await stack.cycle()
        return cycle is not None and cycle.state != "running" and await stack.idle()

    async with stack.working():
        await stack.ask()
        await until(ended, within_s=40, what="the end of the cycle")

    (cycle,) = await stack.cycles()
    assert (cycle.state, cycle.missing) == ("complete", ())
    assert await stack.parts(cycle.cycle_id) == dict.fromkeys(await stack.parts(cycle.cycle_id), "done"), (
        "each part ended once"
    )
    listed = await stack.value("SELECT count(*) FROM ticker_universe WHERE is_active")
    assert (await stack.market.requests())["grouped_daily"] == stack.services.options.ohlc_sessions
    assert (await stack.market.requests())["range_bars"] == listed, "nothing was fetched twice"
    assert await stack.value("SELECT count(*) FROM data_load WHERE task = 'volume_slots' AND source <> 'computed'") == (
        await stack.value("SELECT count(*) FROM part WHERE stage = 'volume_slots/slots'")
    ), "one load a part"
    assert await stack.dead() == []
    events: Any = await stack.redis.xrange(keys.EVENTS.name)
    assert [fields["event"] for _, fields in events].count("cycle_finished") == 1, "the continuation ran once"
