"""On every plan of the vendor: what comes later is pending, what never comes is named, and `last_run` advances."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from consumer.cycle.plan_learning import PlanLearner
from consumer.massive.flat_file_store import LocalFolder
from consumer.postgres.capabilities import read_capabilities
from consumer.postgres.ledger import PartId
from consumer.vendor.errors import NotYetPublished
from consumer.verdict.service import Service
from simulated_market.options import Plan
from tests.cycle.looks import BEFORE, NEXT, last, run_passes, serving, told, watched
from tests.cycle.stack import CALENDAR, DAY, EVENING, OPTIONS, Clock, Market, Stack, market_of, new_york, stack_on
from tests.tasks.test_slot_files import publish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@contextlib.asynccontextmanager
async def free_stack(dsn: str, redis_url: str, clock: Clock, market: Market) -> AsyncIterator[Stack]:
    """A consumer with the budget of the free plan, whose passes ask for a dozen tickers each."""
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
        asked = await stack.value("SELECT count(DISTINCT symbol) FROM session_slots")
        assert asked == 3 * 8, "two thirds of each pass"
        assert await stack.redis.hlen("atr:daily"), "figures and caches do not wait for the rotation"


async def test_other_days_that_are_answered_first_do_not_hide_that_the_plan_brings_the_day_itself_later(
    stack: Stack,
) -> None:
    cycle = await stack.run_cycle()
    todays = PartId(cycle_id=cycle.cycle_id, task="ohlc_daily", part=f"bars:{DAY}")
    await PlanLearner(stack.services).part_refused(todays, NotYetPublished("403: today's data before end of day"))
    same_day = {one.capability: one for one in await read_capabilities(stack.pool)}["same_day"]
    assert same_day.refused_since == stack.clock()


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
        market_of(24, clock) as market,
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
        assert (await told(stack))[:2] == ("provisional", "pending"), "it is being fetched"
        assert await last(stack) == (str(DAY), None)

        bars = await stack.pool.fetch("SELECT symbol, volume FROM daily_bar WHERE trading_date = $1", DAY)
        publish(tmp_path, DAY, **{row["symbol"]: row["volume"] for row in bars})
        await stack.catch_up.look()
        assert await stack.idle(), "looked for again half an hour later"
        clock.at = new_york(NEXT, "13:02")
        await stack.passes_only.look()
        assert (await stack.status())["missing"][0].startswith(f"volume_slots {DAY}: "), "the file is late"
        async with watched(stack) as seen:
            newest = await stack.look_and_work()
        assert newest.occasion == f"request:published-{DAY}-2"
        assert (await told(stack))[:3] == ("final", "available", True)
        assert await last(stack) == (str(DAY), str(DAY))
        assert set(seen) == {(None, None), (str(DAY), str(DAY))}


async def test_files_that_come_in_time_take_no_name_back(postgres_dsn: str, redis_url: str, tmp_path: Path) -> None:
    clock = Clock(EVENING)
    (tmp_path / "us_stocks_sip").mkdir()
    async with (
        market_of(24, clock) as market,
        stack_on(postgres_dsn, redis_url, market, clock, flat_files=LocalFolder(tmp_path)) as stack,
    ):
        await market.fail({"kind": "not_entitled", "endpoint": "range_bars"})
        for day in CALENDAR.last_trading_days(4, up_to=BEFORE):
            publish(tmp_path, day, **dict.fromkeys(("SPY", "AAPL"), 100.0))
        await stack.look_and_work()
        bars = await stack.pool.fetch("SELECT symbol, volume FROM daily_bar WHERE trading_date = $1", DAY)
        publish(tmp_path, DAY, **{row["symbol"]: row["volume"] for row in bars})
        clock.at = new_york(NEXT, "12:00")
        async with watched(stack) as seen:
            await stack.passes_only.look()
            await stack.catch_up.look()
            await stack.look_and_work()
        assert set(seen) == {(str(DAY), None), (str(DAY), str(DAY))}


@pytest.mark.long(25)
async def test_a_plan_whose_nights_rotate_goes_on_beside_what_is_overdue(postgres_dsn: str, redis_url: str) -> None:
    """Three nights on a plan that takes two for the market: `last_run` is always the newest session that it gives."""
    clock = Clock(EVENING)
    options = replace(OPTIONS, requests_per_second=0.0025, requests_a_pass=18)
    async with (
        market_of(75, clock, plan=Plan.FREE) as market,
        stack_on(postgres_dsn, redis_url, market, clock, options=options) as stack,
    ):
        day = DAY
        for _ in range(3):
            clock.at = new_york(day, "20:30")
            await stack.look_and_work()
            for hour in (0, 2, 4, 6):
                clock.at = new_york(day + dt.timedelta(days=1), f"{hour:02}:06")
                (cycle,) = await run_passes(stack, 1)
                assert (str((await stack.judged()).last_run), cycle.state) == (str(day), "waiting")
            day = CALENDAR.next_trading_day(day)
            clock.at = new_york(day, "09:31")
            async with stack.working():
                await stack.passes_only.look()
                await stack.at_rest()
            assert await serving(stack) is Service.SERVED
        assert await last(stack) == (str(CALENDAR.previous_trading_day(day)), str(NEXT))


@pytest.mark.parametrize("endpoint", ["range_bars", "ticker_details"])
async def test_a_plan_that_is_refused_beside_answers_is_not_lacking(stack: Stack, endpoint: str) -> None:
    await stack.market.fail({"kind": "not_entitled", "endpoint": endpoint, "every": 3})
    await stack.run_cycle()
    assert (await stack.verdict()).not_in_plan == ()
