"""What people are told of a day stays with its data, whatever a later, smaller or failed cycle does."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.massive.flat_file_store import LocalFolder
from consumer.verdict.service import Service
from consumer.web.monitor import Monitor
from producers.simulated_market.options import Plan
from tests.cycle.stack import (
    AT_FIVE,
    CALENDAR,
    DAY,
    EVENING,
    OPTIONS,
    Clock,
    Market,
    Stack,
    market_of,
    new_york,
    stack_on,
    until,
)
from tests.tasks.test_slot_files import publish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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


async def lose_slots(stack: Stack, symbols: int, day: dt.date = DAY) -> None:
    """Nobody ever loaded the slots of some symbols; the vendor does not answer for them."""
    await stack.pool.execute(
        "DELETE FROM volume_slots_daily WHERE trading_date = $1 AND symbol IN "
        "(SELECT symbol FROM ticker_universe WHERE is_active ORDER BY symbol LIMIT $2)",
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
    await stack.pool.execute("DELETE FROM volume_slots_daily WHERE trading_date = $1 AND symbol <> 'SPY'", DAY)
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
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert len(seen) > 10


def _text(day: dt.date | None) -> str | None:
    return None if day is None else str(day)


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


@contextlib.asynccontextmanager
async def free_stack(dsn: str, redis_url: str, clock: Clock, market: Market) -> AsyncIterator[Stack]:
    """A consumer with the budget of the free plan, whose passes ask for a dozen tickers each."""
    from msgspec.structs import replace

    options = replace(OPTIONS, requests_per_second=5 / 60, requests_a_pass=12)
    async with stack_on(dsn, redis_url, market, clock, options=options) as stack:
        # The budget is told, not kept: a market of sixty would wait for an hour.
        yield stack


async def test_on_the_free_plan_a_day_is_pending_until_midnight_and_then_provisional(
    postgres_dsn: str, redis_url: str
) -> None:
    clock = Clock(EVENING)
    async with (
        market_of(300, clock, plan=Plan.FREE) as market,
        free_stack(postgres_dsn, redis_url, clock, market) as stack,
    ):
        cycle = await stack.look_and_work()
        assert (cycle.state, cycle.next_pass_at) == ("waiting", new_york(NEXT, "00:05"))
        assert (await told(stack))[:2] == ("missing", "pending")
        assert (await last(stack))[0] is None or (await last(stack))[0] != str(DAY)
        assert await serving(stack) is Service.UNDER_WAY

        clock.at = new_york(NEXT, "00:06")
        passes = await run_passes(stack, 3)
        assert {one.state for one in passes} == {"waiting"}
        assert {one.missing for one in passes} == {()}, "what the plan brings bit by bit is no lack"
        status = await stack.status()
        assert (status["state"], status["condition"], status["missing"]) == ("provisional", "pending", [])
        assert status["later"][0].startswith("volume_slots") or status["later"][0].startswith("details")
        assert (await last(stack))[0] == str(DAY)
        asked = await stack.value("SELECT count(DISTINCT symbol) FROM volume_slots_daily")
        assert asked == 3 * 8, "two thirds of each pass"
        assert await stack.redis.hlen("atr:daily"), "figures and caches do not wait for the rotation"


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
    return found


async def test_what_a_plan_never_gives_is_named_once_and_is_no_part_of_the_verdict(
    stack: Stack, logged: list[dict[str, object]]
) -> None:
    await stack.market.fail(
        {"kind": "not_entitled", "endpoint": "floats"}, {"kind": "not_entitled", "endpoint": "range_bars"}
    )
    cycle = await stack.run_cycle()
    assert (cycle.state, cycle.missing) == ("complete", ())
    status = await stack.status()
    assert (status["state"], status["not_in_plan"]) == ("final", ["floats", "volume_slots"])
    assert status["tasks"]["volume_slots"] == "skipped"
    assert await last(stack) == (str(DAY), str(DAY))

    stack.clock.at = new_york(NEXT, "20:30")
    await stack.market.reset()
    again = await stack.run_cycle(NEXT)
    assert again.state == "complete"
    assert (await stack.market.requests())["range_bars"] == 1, "one question shows whether it is still so"
    assert [line["capability"] for line in logged if line["event"] == "vendor_plan_lacks"] == ["range_bars"]
    assert not any("floats" in line for line in again.warnings)

    stack.clock.at = EVENING + dt.timedelta(days=2)
    await stack.market.fail()
    await stack.run_cycle(CALENDAR.next_trading_day(NEXT))
    upgraded = await stack.run_cycle(CALENDAR.next_trading_day(NEXT))
    assert upgraded.state == "complete"
    assert (await stack.status(CALENDAR.next_trading_day(NEXT)))["not_in_plan"] == []


async def test_what_was_given_once_is_not_taken_for_lacking_after_one_refusal(stack: Stack) -> None:
    await stack.run_cycle()
    stack.clock.at = new_york(NEXT, "20:30")
    await stack.market.fail({"kind": "not_entitled", "endpoint": "floats"})
    await stack.run_cycle(NEXT)
    assert (await stack.verdict(NEXT)).not_in_plan == ()
    third = CALENDAR.next_trading_day(NEXT)
    stack.clock.at = new_york(third, "20:30")
    await stack.run_cycle(third)
    assert (await stack.verdict(third)).not_in_plan == ("floats",)


async def test_slots_that_come_as_files_alone_are_pending_until_noon_and_fetched_then(
    postgres_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    clock = Clock(EVENING)
    (tmp_path / "us_stocks_sip").mkdir()
    async with (
        market_of(60, clock) as market,
        stack_on(postgres_dsn, redis_url, market, clock, flat_files=LocalFolder(tmp_path)) as stack,
    ):
        await market.fail({"kind": "not_entitled", "endpoint": "range_bars"})
        for day in CALENDAR.last_trading_days(4, up_to=BEFORE):
            publish(tmp_path, day, **dict.fromkeys(("SPY", "AAPL"), 100.0))
        await stack.look_and_work()
        status = await stack.status()
        assert (status["state"], status["condition"]) == ("provisional", "pending")
        assert status["later"] == [f"volume_slots {DAY}: by Wed 12 Nov 12:00 ET"]
        assert (await last(stack))[0] == str(DAY)
        assert await serving(stack) is Service.SERVED

        clock.at = new_york(NEXT, "12:01")
        await stack.passes_only.look()
        await stack.catch_up.look()
        newest = await stack.look_and_work()
        assert newest.occasion == f"request:published-{DAY}-1"
        assert (await stack.status())["missing"][0].startswith(f"volume_slots {DAY}: "), "the file is late"

        bars = await stack.pool.fetch("SELECT symbol, volume FROM market_data_daily WHERE trading_date = $1", DAY)
        publish(tmp_path, DAY, **{row["symbol"]: row["volume"] for row in bars})
        await stack.catch_up.look()
        assert await stack.idle(), "looked for again half an hour later"
        clock.advance(minutes=31)
        newest = await stack.look_and_work()
        assert newest.occasion == f"request:published-{DAY}-2"
        assert (await told(stack))[:3] == ("final", "available", True)
        assert await last(stack) == (str(DAY), str(DAY))


@pytest.mark.parametrize("endpoint", ["range_bars", "ticker_details"])
async def test_a_plan_that_is_refused_beside_answers_is_not_lacking(stack: Stack, endpoint: str) -> None:
    await stack.market.fail({"kind": "not_entitled", "endpoint": endpoint, "every": 3})
    await stack.run_cycle()
    assert (await stack.verdict()).not_in_plan == ()
