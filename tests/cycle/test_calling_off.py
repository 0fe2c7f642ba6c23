"""Cycles that end before their time: nothing of theirs commits, and whoever is at work on them stops."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from consumer.cycle import calling_off
from consumer.postgres.decisions import Decision
from contract import keys
from contract.messages import TaskName
from tests.cycle.stack import AT_FIVE, DAY, EVENING, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.cycle.calling_off import CalledOff
    from tests.cycle.stack import Stack

MARKET_OF = 60  # tickers

BATCHES = 4  # three of 20 symbols and one of preferred shares, the first of each asked before the others
SLOW = {"endpoint": "range_bars", "kind": "latency", "latency_ms": 30_000}


@contextlib.asynccontextmanager
async def at_work_on_slots(stack: Stack, *, scheduled: bool = False) -> AsyncIterator[None]:
    """A worker in the middle of a cycle, whose slots wait for the vendor."""
    await stack.market.fail(SLOW)

    async def waiting() -> bool:
        running = await stack.value("SELECT count(*) FROM part WHERE state = 'running'")
        return bool(running == BATCHES == (await stack.market.requests()).get("range_bars"))

    async with stack.working():
        await (stack.catch_up.look() if scheduled else stack.ask())
        await until(waiting, what="slots that wait for the vendor")
        yield


async def cancel(stack: Stack, day: dt.date = DAY) -> CalledOff:
    called_off = await calling_off.cancel_day(stack.pool, day, Decision(by="ann", reason="wrong key", at=stack.clock()))
    await calling_off.withdraw(stack.stream, called_off)
    return called_off


async def nothing_is_under_way(stack: Stack) -> bool:
    held = await stack.redis.xpending(keys.TASKS.name, keys.GROUP)
    return await stack.idle() and held["pending"] == 0


async def test_a_cancelled_cycle_stops_asking_and_leaves_nothing_under_way(
    stack: Stack, logged: list[dict[str, object]]
) -> None:
    async def stopped() -> bool:
        # at least: a part of another task may have begun meanwhile
        return [line["event"] for line in logged].count("delivery_abandoned") >= BATCHES

    async with at_work_on_slots(stack):
        called_off = await cancel(stack)
        assert await nothing_is_under_way(stack)
        await until(stopped, what="the end of what was running")
        asked = (await stack.market.requests())["range_bars"]
        await stack.market.fail()
        await stack.ask(task=TaskName.METADATA_ENRICH)
        other = await stack.at_rest(after=called_off.cycles[0].cycle_id)
        assert other.state == "complete", "the worker goes on with other work"
        assert (await stack.market.requests())["range_bars"] == asked

    assert [cycle.trading_day for cycle in called_off.cycles] == [DAY]
    first, _ = await stack.cycles()
    assert (first.state, first.reason) == ("cancelled", "cancelled by ann: wrong key")
    assert await stack.value("SELECT count(*) FROM session_slots") == 0
    assert set((await stack.parts(first.cycle_id)).values()) <= {"done", "cancelled"}


async def test_a_cancelled_cycle_is_not_opened_again_by_itself(stack: Stack) -> None:
    stack.clock.at = AT_FIVE + dt.timedelta(minutes=1)
    async with at_work_on_slots(stack, scheduled=True):
        await cancel(stack)
        await stack.market.fail()
        await stack.catch_up.look()
        cycle = await stack.at_rest()
    assert cycle.state == "cancelled"
    assert len(await stack.cycles()) == 1


async def test_a_cycle_that_waits_is_cancelled_with_its_next_pass(stack: Stack) -> None:
    await stack.market.fail({"endpoint": "tickers", "kind": "server_error"})
    waiting = await stack.run_cycle()
    assert waiting.state == "waiting"
    assert waiting.next_pass_at is not None
    stack.clock.at = waiting.next_pass_at
    await stack.passes_only.look()

    await cancel(stack)

    assert await stack.idle(), "the message of the next pass is withdrawn"
    assert (await stack.cycles())[0].state == "cancelled"
    assert await stack.passes_only.look() == 0


async def test_another_day_is_left_alone(stack: Stack) -> None:
    await stack.market.fail({"endpoint": "tickers", "kind": "server_error"})
    await stack.run_cycle()
    called_off = await cancel(stack, dt.date(2025, 11, 10))
    assert called_off.cycles == ()
    assert (await stack.cycles())[0].state == "waiting"


async def test_a_withdrawal_lost_with_its_process_is_made_up_for_by_the_catch_up(stack: Stack) -> None:
    async with at_work_on_slots(stack):
        await calling_off.cancel_day(stack.pool, DAY, Decision(by="ann", at=stack.clock()))
        assert not await nothing_is_under_way(stack)
        await stack.passes_only.look()
        await until(lambda: nothing_is_under_way(stack), what="an empty stream")


async def test_a_part_of_a_cycle_called_off_halfway_is_settled_once_and_not_sent_again(stack: Stack) -> None:
    await stack.market.fail({"kind": "server_error", "endpoint": "tickers"})
    cycle = await stack.run_cycle()
    await stack.pool.execute("UPDATE part SET state = 'ready' WHERE task = 'ohlc_daily'")
    await stack.pool.execute("UPDATE cycle SET state = 'cancelled', finished_at = now(), next_pass_at = NULL")
    message = {"task": "ohlc_daily", "cycle": str(cycle.cycle_id), "part": "splits", "trading_day": DAY.isoformat()}
    before = (await stack.redis.info("commandstats"))["cmdstat_xadd"]["calls"]

    async with stack.working():
        await stack.redis.xadd(keys.TASKS.name, dict(message))  # type: ignore[arg-type]
        await until(lambda: nothing_is_under_way(stack), what="an empty stream")
    assert (await stack.redis.info("commandstats"))["cmdstat_xadd"]["calls"] == before + 1


async def test_a_superseded_cycle_stops_asking(stack: Stack) -> None:
    stack.clock.at = AT_FIVE + dt.timedelta(minutes=1)
    async with at_work_on_slots(stack, scheduled=True):
        stack.clock.at = EVENING
        await stack.market.fail()
        await stack.catch_up.look()
        final = await stack.at_rest(after=1)
        asked = (await stack.market.requests())["range_bars"]
    first = (await stack.cycles())[0]
    assert (first.state, final.state) == ("superseded", "complete")
    assert {state for part, state in (await stack.parts(1)).items() if "/batch:" in part} == {"superseded"}
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert asked == BATCHES + listed, "those in flight, and each symbol once by the cycle that took over"
