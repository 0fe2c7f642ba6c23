"""Every message of a cycle twice and more: each part's work is committed once, and what follows it begins once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.cycle.messages import part_message
from consumer.cycle.runner import CycleRunner
from consumer.delivery.entries import flatten
from consumer.postgres import cycles, ledger
from contract import keys
from tests.cycle.stack import DAY, until

if TYPE_CHECKING:
    import pytest

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
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert (await stack.market.requests())["grouped_daily"] == stack.services.options.ohlc_sessions
    assert (await stack.market.requests())["range_bars"] == listed, "nothing was fetched twice"
    assert await stack.value("SELECT count(*) FROM data_load WHERE task = 'volume_slots' AND source <> 'computed'") == (
        await stack.value("SELECT count(*) FROM part WHERE stage = 'volume_slots/slots'")
    ), "one load a part"
    assert await stack.dead() == []
    events: Any = await stack.redis.xrange(keys.EVENTS.name)
    assert [fields["event"] for _, fields in events].count("cycle_finished") == 1, "the continuation ran once"


async def test_a_part_taken_in_a_pass_that_has_begun_since_is_run_in_that_pass(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_cycle, take_part, run_taken = cycles.find_cycle, ledger.take_part, CycleRunner._run_taken
    taken: list[str] = []
    in_its_pass: list[bool] = []

    async def as_of_the_last_pass(pool: Any, cycle_id: int) -> Any:
        cycle = await find_cycle(pool, cycle_id)
        stale = cycle is not None and not taken
        return msgspec.structs.replace(cycle, run_pass=cycle.run_pass - 1) if stale else cycle

    async def taking(pool: Any, part: Any, taker: Any, **named: Any) -> Any:
        taken.append(part.key)
        return await take_part(pool, part, taker, **named)

    async def noted(self: CycleRunner, delivery: Any, cycle: Any, part: Any, as_taken: Any) -> Any:
        in_its_pass.append(cycle.run_pass == as_taken.run_pass)
        return await run_taken(self, delivery, cycle, part, as_taken)

    monkeypatch.setattr(cycles, "find_cycle", as_of_the_last_pass)
    monkeypatch.setattr(ledger, "take_part", taking)
    monkeypatch.setattr(CycleRunner, "_run_taken", noted)
    assert (await stack.run_cycle()).state == "complete"
    assert in_its_pass
    assert all(in_its_pass)
