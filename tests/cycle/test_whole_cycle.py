"""A whole cycle on a quiet vendor: what is planned, what is asked, and above all what is not."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from tests.cycle.stack import AT_FIVE, DAY, OPTIONS, new_york, until

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

BEFORE = dt.date(2025, 11, 10)
NEXT_DAY = dt.date(2025, 11, 12)

MARKET_OF = 24  # tickers


async def test_an_empty_database_is_brought_to_complete_by_one_cycle(stack: Stack) -> None:
    cycle = await stack.run_cycle()

    assert (cycle.state, cycle.missing) == ("complete", ())
    requests = await stack.market.requests()
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert requests == {
        "grouped_daily": OPTIONS.ohlc_sessions, "splits": 1, "dividends": 1, "tickers": 1, "floats": 1,
        "market_holidays": 1, "ticker_details": listed, "range_bars": listed,
    }  # fmt: skip
    assert await stack.value("SELECT count(DISTINCT trading_date) FROM daily_bar") == OPTIONS.ohlc_sessions
    assert await stack.value("SELECT count(*) FROM session_slots") == listed * OPTIONS.slot_sessions
    assert await stack.redis.scard("ticker:universe") == listed
    assert await stack.redis.hlen("atr:daily") == await stack.value("SELECT count(*) FROM ticker_atr") > 0
    assert await stack.redis.get("maintenance:last_run") == DAY.isoformat()


async def test_running_it_again_plans_nothing_and_asks_nothing(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()

    again = await stack.run_cycle()

    assert again.state == "complete"
    assert await stack.parts(again.cycle_id) == {}
    assert await stack.market.requests() == {}


async def test_provisional_data_is_refetched_at_quarter_past_eight_and_not_before(stack: Stack) -> None:
    stack.clock.at = AT_FIVE + dt.timedelta(minutes=1)
    first = await stack.look_and_work()
    assert (first.occasion, first.state) == ("POST_MARKET+1h", "complete")
    await stack.market.reset()

    for time in ("17:30", "19:59", "20:14"):
        stack.clock.at = new_york(DAY, time)
        await stack.catch_up.look()
        assert (await stack.run_cycle()).state == "complete"
    assert await stack.market.requests() == {}

    stack.clock.at = new_york(DAY, "20:15")
    final = await stack.look_and_work()
    assert (final.occasion, final.state) == ("CLOSED+15m", "complete")
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert await stack.market.requests() == {
        "grouped_daily": 2, "splits": 1, "dividends": 1, "tickers": 1, "floats": 1, "range_bars": listed
    }  # fmt: skip
    ranges = [path for path in await stack.market.paths() if "/range/" in path]
    assert all(f"/{BEFORE}/{DAY}" in path for path in ranges), "the day, and the one before once more"


async def test_the_next_day_costs_one_session_and_the_one_before_once_more(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()
    stack.clock.at = new_york(NEXT_DAY, "20:30")

    cycle = await stack.run_cycle(NEXT_DAY)

    assert cycle.state == "complete"
    requests = await stack.market.requests()
    assert requests["grouped_daily"] == 2
    assert all(f"/{DAY}/{NEXT_DAY}" in path for path in await stack.market.paths() if "/range/" in path)


async def test_only_the_session_that_the_ledger_lacks_is_fetched(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()
    await stack.pool.execute(
        "DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", dt.date(2025, 11, 6)
    )

    assert (await stack.run_cycle()).state == "complete"

    assert await stack.market.requests() == {"grouped_daily": 1}
    assert any("2025-11-06" in path for path in await stack.market.paths())


async def test_a_forced_cycle_for_an_old_day_stamps_todays_lists_with_today(stack: Stack) -> None:
    await stack.run_cycle()
    stack.clock.advance(minutes=1)
    await stack.market.reset()

    forced = await stack.run_cycle(dt.date(2025, 11, 6), task="metadata_enrich", force=True)

    assert forced.state == "complete"
    assert (await stack.market.requests())["tickers"] == 1
    rows = await stack.pool.fetch(
        "SELECT data_set, array_agg(trading_day) AS days FROM coverage "
        "WHERE data_set IN ('universe', 'floats', 'splits', 'dividends', 'calendar_check', 'details') GROUP BY 1"
    )
    assert len(rows) == 6
    assert [row["data_set"] for row in rows if row["days"] != [DAY]] == []
    assert await stack.value("SELECT min(last_seen) FROM listed_ticker WHERE is_active") == DAY


async def test_only_the_slots_that_the_ledger_lacks_are_fetched(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()
    missing = dt.date(2025, 11, 7)
    await stack.pool.execute("DELETE FROM session_slots WHERE trading_date = $1 AND symbol < 'D'", missing)
    lacking = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active AND symbol < 'D'")

    assert (await stack.run_cycle()).state == "complete"

    assert lacking > 0
    assert await stack.market.requests() == {"range_bars": lacking}
    assert all(f"/{missing}/{missing}" in path for path in await stack.market.paths())


async def test_a_newly_listed_symbol_gets_its_details_and_slots_and_nothing_else(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()
    symbol = await stack.value("SELECT min(symbol) FROM listed_ticker WHERE is_active AND ticker_type = 'CS'")
    for table in ("listed_ticker", "ticker_profile", "session_slots"):
        await stack.pool.execute(f"DELETE FROM {table} WHERE symbol = $1", symbol)
    await stack.pool.execute("UPDATE coverage SET fetched_at = fetched_at - interval '1 day' WHERE data_set='universe'")

    assert (await stack.run_cycle()).state == "complete"

    assert await stack.market.requests() == {"tickers": 1, "ticker_details": 1, "range_bars": 1}
    asked = [path for path in await stack.market.paths() if re.search(rf"/{re.escape(symbol)}(/| |\?|$)", path)]
    assert len(asked) == 2


async def test_force_asks_again_for_what_is_there(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()
    stack.clock.advance(minutes=1)

    assert (await stack.run_cycle(task="ohlc_daily", force=True)).state == "complete"

    assert await stack.market.requests() == {"grouped_daily": OPTIONS.ohlc_sessions, "splits": 1, "dividends": 1}


async def test_caches_lost_in_redis_are_rebuilt_without_a_request_to_the_vendor(stack: Stack) -> None:
    await stack.run_cycle()
    before = await contents(stack)
    await stack.redis.flushall()
    await stack.market.reset()

    cycle = await stack.run_cycle()

    assert cycle.state == "complete"
    assert {name.partition("/")[0] for name in await stack.parts(cycle.cycle_id)} == {"redis_sync"}
    assert await contents(stack) == before
    assert await stack.market.requests() == {}


async def test_an_older_day_is_loaded_without_taking_the_caches_back_in_time(stack: Stack) -> None:
    await stack.run_cycle()
    before = await contents(stack)
    older = dt.date(2025, 10, 31)

    cycle = await stack.run_cycle(older)

    assert cycle.state == "complete"
    assert not [name for name in await stack.parts(cycle.cycle_id) if name.startswith("redis_sync/")]
    assert any("caches stand at 2025-11-11" in warning for warning in cycle.warnings)
    assert await contents(stack) == before
    assert await stack.redis.get("maintenance:last_run") == DAY.isoformat()


async def test_a_single_task_asks_only_for_what_is_its_own(stack: Stack) -> None:
    cycle = await stack.run_cycle(task="ohlc_daily")

    assert cycle.state == "complete"
    assert await stack.market.requests() == {"grouped_daily": OPTIONS.ohlc_sessions, "splits": 1, "dividends": 1}
    assert await stack.redis.get("maintenance:last_run") is None, "a task is not a day"


async def test_a_cycle_whose_due_time_passes_while_it_runs_is_judged_as_of_its_start(stack: Stack) -> None:
    stack.clock.at = AT_FIVE - dt.timedelta(minutes=1)
    async with stack.working():
        await stack.ask()

        async def bars_are_there() -> bool:
            return bool(await stack.value("SELECT count(*) > 0 FROM coverage WHERE data_set = 'daily_bars'"))

        await until(bars_are_there)
        stack.clock.at = AT_FIVE + dt.timedelta(minutes=1)
        cycle = await stack.at_rest()

    assert (cycle.state, cycle.missing) == ("complete", ())


async def contents(stack: Stack) -> dict[str, object]:
    """What the neighbouring services would read, without the times of writing."""
    found: dict[str, object] = {}
    async for name in stack.redis.scan_iter(count=1000):
        kind = await stack.redis.type(name)
        if name.startswith(("maintenance:", "market:")):
            continue
        if kind == "string":
            found[name] = re.sub(r'"updated_at":"[^"]*"', "", str(await stack.redis.get(name)))
        elif kind == "hash":
            found[name] = await stack.redis.hgetall(name)
        else:
            found[name] = await stack.redis.smembers(name)
    assert found
    return found
