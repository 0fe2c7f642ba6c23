"""Each week a hundredth of what is stored is fetched again: what differs is restated, and counted."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.completeness.forecast import Pace, forecast_of
from consumer.cycle.what_stands import read_situation
from consumer.postgres.ledger import PartId
from consumer.tasks.part import PartContext
from contract import data_sets
from tests.cycle.stack import DAY, OPTIONS, market_of, new_york, stack_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.data_sets.situation import Situation
    from tests.cycle.stack import Clock, Stack

MANY = msgspec.structs.replace(OPTIONS, ohlc_sessions=66)
NEXT_WEEK = dt.date(2025, 11, 17)  # a Monday
RANGE, GROUPED = "range_bars", "grouped_daily"


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str, clock: Clock) -> AsyncIterator[Stack]:
    """Sixty-six sessions of a hundred and ten tickers, on the next Monday's evening."""
    async with (
        market_of(110, clock) as market,
        stack_on(postgres_dsn, redis_url, market, clock, options=MANY) as found,
    ):
        await found.run_cycle()
        clock.at = new_york(NEXT_WEEK, "20:30")
        yield found


async def sampled(stack: Stack) -> dict[str, tuple[int, int, int]]:
    """By data set: sessions, rows compared, rows that differed."""
    rows = await stack.pool.fetch(
        "SELECT data_set, count(*) AS days, sum(compared)::bigint AS compared, sum(differed)::bigint AS differed "
        "FROM sampled_recheck GROUP BY data_set"
    )
    return {row["data_set"]: (row["days"], row["compared"], row["differed"]) for row in rows}


async def copy_slots_back(stack: Stack) -> None:
    """Give the sessions before the window slots, as a longer life would have."""
    await stack.run_cycle(dt.date(2025, 10, 31), first_day=dt.date(2025, 10, 27))


async def next_week(stack: Stack) -> Situation:
    """What Monday's cycle will be planned by, before there is one."""
    newest = await stack.cycle()
    assert newest is not None
    monday = msgspec.structs.replace(newest, trading_day=NEXT_WEEK, first_day=None, pass_started_at=stack.clock())
    part = PartId(cycle_id=newest.cycle_id, task="cycle", part="plan")
    return await read_situation(PartContext(stack.services, monday, part, {}, 0), every_fact=True)


async def test_a_week_s_sample_costs_what_the_forecast_says_and_is_taken_once(stack: Stack) -> None:
    await copy_slots_back(stack)
    await stack.market.reset()
    expected = forecast_of(await next_week(stack), Pace(per_second=None, per_minute=None))
    cycle = await stack.run_cycle(NEXT_WEEK)
    assert (cycle.state, cycle.missing) == ("complete", ())
    assert {"ohlc_daily/sample_bars", "ohlc_daily/sample_slots"} <= (await stack.parts(cycle.cycle_id)).keys()
    found = await sampled(stack)
    assert found[data_sets.DAILY_BARS][0] == 1
    assert found[data_sets.DAILY_BARS][1] > 80
    assert found[data_sets.VOLUME_SLOTS][1] > 0
    assert [differed for *_, differed in found.values()] == [0, 0]
    assert (await stack.market.requests())[GROUPED] == expected.requests[GROUPED]

    await stack.market.reset()
    stack.clock.at = new_york(NEXT_WEEK + dt.timedelta(days=1), "20:30")
    await stack.run_cycle(NEXT_WEEK + dt.timedelta(days=1))
    assert (await stack.market.requests())[GROUPED] == 2, "the day, and the one before; the week's sample was taken"

    stack.clock.advance(minutes=5)
    await stack.run_cycle(dt.date(2025, 11, 6))
    assert await sampled(stack) == found, "an older day's cycle takes none of an earlier week"


async def test_what_differs_is_restated_by_the_ordinary_rules_and_counted(stack: Stack) -> None:
    await copy_slots_back(stack)
    true = dict(await stack.pool.fetch("SELECT trading_date, vwap FROM daily_bar WHERE symbol = 'SPY'"))
    await stack.pool.execute(
        "UPDATE daily_bar SET vwap = vwap * 1.0001 WHERE symbol = 'SPY' AND vwap IS NOT NULL AND trading_date < $1", DAY
    )
    await stack.pool.execute(
        "UPDATE session_slots SET outcome = 'traded', volumes = array_fill(7.5::float8, ARRAY[192]) "
        "WHERE trading_date < $1",
        DAY,
    )
    cycle = await stack.run_cycle(NEXT_WEEK)
    found = await sampled(stack)
    assert found[data_sets.DAILY_BARS][2] == 1
    assert found[data_sets.VOLUME_SLOTS][1:] == (found[data_sets.VOLUME_SLOTS][1],) * 2
    assert any("sample: 1 of" in line for line in cycle.warnings)
    day = await stack.value("SELECT trading_day FROM sampled_recheck WHERE data_set = 'daily_bars'")
    told = await stack.pool.fetch("SELECT data_set, symbol FROM restatement WHERE found_at = $1", stack.clock())
    assert ("daily_bars", "SPY") in {(row["data_set"], row["symbol"]) for row in told}
    assert {row["data_set"] for row in told} == {"daily_bars", "volume_slots"}
    now = await stack.value("SELECT vwap FROM daily_bar WHERE symbol = 'SPY' AND trading_date = $1", day)
    assert now == true[day], "as the vendor has it"


async def test_without_a_budget_nothing_is_asked_again(postgres_dsn: str, redis_url: str, clock: Clock) -> None:
    options = msgspec.structs.replace(MANY, sample_requests=0)
    async with (
        market_of(20, clock) as market,
        stack_on(postgres_dsn, redis_url, market, clock, options=options) as stack,
    ):
        await stack.run_cycle()
        clock.at = new_york(NEXT_WEEK, "20:30")
        cycle = await stack.run_cycle(NEXT_WEEK)
        assert not [part for part in await stack.parts(cycle.cycle_id) if "sample" in part]
