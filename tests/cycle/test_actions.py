"""What persons ask for and decide stands in the ledger with who and why, once, by whichever way it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer.cycle import resend
from consumer.cycle.noting import OWN
from consumer.cycle.stores import Stores
from consumer.postgres import actions
from consumer.postgres.dead_letters import Selection
from consumer.postgres.decisions import Decision
from contract import keys
from tests.cycle.stack import DAY, until

if TYPE_CHECKING:
    from consumer.postgres.actions import KeptAction
    from tests.cycle.stack import Stack

WHY = "the vendor corrected it"


async def noted(stack: Stack) -> list[KeptAction]:
    return (await actions.find(stack.pool, most=50))[::-1]


async def test_a_request_by_hand_is_noted_once_with_its_author_reason_and_cycle_and_our_own_are_not(
    stack: Stack,
) -> None:
    fields = {
        "task": "ohlc_daily",
        "trading_day": str(DAY),
        "requested_by": "maria",
        "reason": WHY,
    }
    async with stack.working():
        entry = await stack.redis.xadd(keys.TASKS.name, fields)  # type: ignore[arg-type]
        cycle = await stack.at_rest()
        again = {**fields, "request": entry, "requested_by": "maria"}  # as it is delivered again
        await stack.redis.xadd(keys.TASKS.name, again)  # type: ignore[arg-type]
        await stack.redis.xadd(keys.TASKS.name, {**fields, "request": "figures-1", "requested_by": "catch-up"})
        await stack.at_rest(after=cycle.cycle_id)
    (one,) = await noted(stack)
    assert (one.action, one.author, one.reason, one.via) == ("trigger", "maria", WHY, "stream")
    assert (one.about, one.trading_day, one.request, one.cycle_id) == ("ohlc_daily", DAY, entry, cycle.cycle_id)


@pytest.mark.parametrize("name", sorted(OWN))
async def test_who_asks_under_a_name_of_the_service_itself_is_noted_like_everybody(stack: Stack, name: str) -> None:
    fields = {"task": "redis_sync", "trading_day": str(DAY), "requested_by": name, "via": "http"}
    async with stack.working():
        await stack.redis.xadd(keys.TASKS.name, fields)  # type: ignore[arg-type]
        await stack.at_rest()
    assert [(one.author, one.via) for one in await noted(stack)] == [(name, "http")]


async def test_a_request_over_http_that_died_and_is_replayed_is_noted_as_the_replay_alone(stack: Stack) -> None:
    async def one_is_dead() -> bool:
        return bool(await stack.redis.xlen(keys.DEAD.name) == 1)

    stores = Stores(pool=stack.pool, redis=stack.redis, stream=stack.stream)
    async with stack.working():
        await stack.redis.xadd(keys.TASKS.name, {"task": "junk", "trading_day": str(DAY), "via": "http"})
        await until(one_is_dead, what="a dead letter")
        by = Decision(by="ann", at=stack.clock(), via="page")
        (sent,) = await resend.resend(stores, Selection(), {"task": "redis_sync"}, by)
        await stack.at_rest()
    assert "via" not in sent.fields, "nobody asked by that way again"
    assert [(one.action, one.author) for one in await noted(stack)] == [("replay", "ann")]


async def test_a_request_that_waited_its_turn_is_noted_once_with_the_cycle_that_serves_it(stack: Stack) -> None:
    async with stack.working():
        await stack.ask(task="ohlc_daily")
        await stack.ask(task="volume_slots")  # other work: it waits until the first has ended
        last = await stack.at_rest(after=1)
    first, second = await noted(stack)
    assert (first.cycle_id, second.cycle_id) == (1, last.cycle_id)
    assert second.author == "test"


async def test_letters_that_are_dropped_and_replayed_are_noted_and_again_only_where_something_is_left(
    stack: Stack,
) -> None:
    async def two_are_dead() -> bool:
        return bool(await stack.redis.xlen(keys.DEAD.name) == 2)

    async with stack.working():
        for task in ("junk", "more"):
            await stack.redis.xadd(keys.TASKS.name, {"task": task})
        await until(two_are_dead, what="two dead letters")
    by = Decision(by="ann", reason="a typing error", at=stack.clock(), via="page")
    await resend.drop(stack.pool, stack.redis, Selection(ids=(1,)), by)
    stores = Stores(pool=stack.pool, redis=stack.redis, stream=stack.stream)
    await resend.resend(stores, Selection(), {"task": "redis_sync"}, by)
    assert [(one.action, one.about, one.author, one.via) for one in await noted(stack)] == [
        ("drop", "dead letter 1", "ann", "page"),
        ("replay", "dead letter 2", "ann", "page"),
    ]
    await resend.drop(stack.pool, stack.redis, Selection(ids=(1,)), by)
    assert len(await noted(stack)) == 2, "nothing was left to be dropped"
