"""What people are told of a day stays with its data, whatever a later, smaller or failed cycle does."""

from __future__ import annotations

import datetime as dt
from typing import Any

from consumer.verdict.service import Service
from consumer.web.monitor import Monitor
from tests.cycle.looks import BEFORE, NEXT, last, serving, told, watched
from tests.cycle.stack import (
    AT_FIVE,
    DAY,
    EVENING,
    Stack,
    new_york,
)

MARKET_OF = 24  # tickers


async def lose_slots(stack: Stack, symbols: int, day: dt.date = DAY) -> None:
    """Nobody ever loaded the slots of some symbols; the vendor does not answer for them."""
    await stack.pool.execute(
        "DELETE FROM session_slots WHERE trading_date = $1 AND symbol IN "
        "(SELECT symbol FROM listed_ticker WHERE is_active ORDER BY symbol LIMIT $2)",
        day, symbols,
    )  # fmt: skip
    await stack.reporter.judge()


async def test_a_first_look_is_provisional_and_a_failed_final_cycle_leaves_it_so(stack: Stack) -> None:
    stack.clock.at = new_york(BEFORE, "20:30")
    await stack.run_cycle(BEFORE)
    stack.clock.at = AT_FIVE
    await stack.look_and_work()
    assert await last(stack) == (str(DAY), str(BEFORE))
    assert (await told(stack))[:3] == ("provisional", "pending", True)
    assert await serving(stack) is Service.SERVED

    stack.clock.at = EVENING
    await stack.market.fail({"kind": "unknown_key"})
    assert (await stack.look_and_work()).state == "failed"
    assert await last(stack) == (str(DAY), str(BEFORE))
    assert (await told(stack))[:3] == ("provisional", "pending", True)
    assert await serving(stack) is Service.LATE, "nobody serves 20:15 any more"


async def test_a_smaller_run_changes_nothing_about_a_partial_day(stack: Stack) -> None:
    await stack.look_and_work()
    await lose_slots(stack, 3)
    lacks = await told(stack)
    assert lacks[:3] == ("partial", "degraded", False)
    assert lacks[3][0].startswith(f"volume_slots {DAY}: 3 of ")

    await stack.redis.flushall()
    await stack.market.fail({"kind": "server_error", "endpoint": "range_bars"})
    cycle = await stack.look_and_work()
    assert (cycle.tasks, cycle.state) == (("redis_sync",), "complete"), "the caches that were lost"
    assert await told(stack) == lacks
    assert await stack.run_cycle(task="ohlc_daily")
    assert await told(stack) == lacks
    status = await stack.status()
    assert (status["run"]["state"], status["run"]["tasks"]["ohlc_daily"]) == ("complete", "completed")
    assert status["tasks"]["volume_slots"] == "failed"
    assert (await last(stack))[0] != str(DAY)


async def test_slots_of_one_symbol_are_no_slots_of_the_day(stack: Stack) -> None:
    """The proof is held against the bars whatever there is; whether it is all is another question."""
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM session_slots WHERE trading_date = $1 AND symbol <> 'SPY'", DAY)
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'slot_proof'")
    await stack.market.fail({"kind": "server_error", "endpoint": "range_bars"})
    await stack.run_cycle()
    assert await stack.value("SELECT row_count FROM coverage WHERE data_set = 'slot_proof' AND trading_day = $1", DAY)
    verdict = (await stack.verdict()).of("volume_slots")
    assert verdict is not None
    assert (verdict.state, verdict.missing) == ("partial", verdict.expected - 1)


async def test_neither_key_flickers_while_the_final_cycle_or_the_next_days_runs(stack: Stack) -> None:
    stack.clock.at = new_york(BEFORE, "20:30")
    await stack.run_cycle(BEFORE)
    for at, known, then in (
        (AT_FIVE, (str(BEFORE), str(BEFORE)), (str(DAY), str(BEFORE))),
        (EVENING, (str(DAY), str(BEFORE)), (str(DAY), str(DAY))),
        (new_york(NEXT, "17:00"), (str(DAY), str(DAY)), (str(NEXT), str(DAY))),
        (new_york(NEXT, "20:30"), (str(NEXT), str(DAY)), (str(NEXT), str(NEXT))),
    ):
        stack.clock.at = at
        async with watched(stack) as seen:
            await stack.look_and_work()
        assert await last(stack) == then
        assert set(seen) <= {known, then}, at


async def test_a_key_that_somebody_set_is_corrected_at_the_next_look(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.redis.mset({"maintenance:last_run": "9999-12-31", "maintenance:last_final": "2025-01-02"})
    await stack.passes_only.look()
    assert await last(stack) == (str(DAY), str(DAY))


async def test_a_day_that_lost_its_data_is_not_named_any_more(stack: Stack) -> None:
    stack.clock.at = new_york(BEFORE, "20:30")
    await stack.run_cycle(BEFORE)
    stack.clock.at = EVENING
    await stack.run_cycle()
    await lose_slots(stack, 1)
    assert await last(stack) == (str(BEFORE), str(BEFORE))


async def test_all_surfaces_say_the_same(stack: Stack) -> None:
    await stack.run_cycle()
    await lose_slots(stack, 2)
    verdict = await stack.verdict()
    row = await stack.pool.fetchrow("SELECT * FROM session_condition WHERE trading_day = $1", DAY)
    status = await stack.status()
    monitor = Monitor(pool=stack.pool, redis=stack.redis, expectations=stack.expectations, now=stack.clock)
    asked = await monitor.status()
    assert row is not None
    assert {str(verdict.state), row["state"], status["state"], str(asked.session.state)} == {"partial"}
    assert {str(verdict.condition), row["condition"], status["condition"], str(asked.session.condition)} == {"degraded"}
    assert row["reason"] == status["summary"] == asked.session.summary
    assert row["last_modified_at"] == verdict.last_modified_at == EVENING
    assert row["data_sets"]["volume_slots"]["missing"] == status["data_sets"]["volume_slots"]["missing"] == 2
    entries: Any = await stack.redis.xrevrange("maintenance:events", count=20)
    details = [fields["detail"] for _, fields in entries if fields["event"] == "session_judged"]
    assert details[0] == f"final → partial: {row['reason']}"


async def test_a_session_is_judged_again_when_it_falls_due_though_nothing_is_loaded(stack: Stack) -> None:
    stack.clock.at = new_york(BEFORE, "20:30")
    await stack.run_cycle(BEFORE)
    stack.clock.at = new_york(DAY, "16:30")
    await stack.passes_only.look()
    assert (await told(stack))[:2] == ("missing", "pending")
    stack.clock.at = AT_FIVE
    await stack.passes_only.look()
    assert (await told(stack))[:2] == ("missing", "missing")


async def test_a_backfill_makes_its_sessions_final_and_they_are_told(stack: Stack) -> None:
    await stack.run_cycle()
    first, end = dt.date(2025, 9, 2), dt.date(2025, 9, 3)
    await stack.run_cycle(end, first_day=first)
    states = await stack.pool.fetch(
        "SELECT trading_day, state FROM session_condition WHERE trading_day <= $1 ORDER BY 1", end
    )
    assert [tuple(row) for row in states] == [(first, "final"), (end, "final")]
    assert await last(stack) == (str(DAY), str(DAY))


# What the plan gives
