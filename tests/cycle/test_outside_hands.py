"""What no load tells: rows deleted, keys overwritten, findings on old sessions, a symbol back, a quarter of silence."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.cycle.publication import JUDGED_ANEW_AFTER
from tests.cycle.looks import BEFORE, NEXT, last, told, watched
from tests.cycle.stack import CALENDAR, DAY, Stack, new_york

MARKET_OF = 60  # tickers

OLD = dt.date(2025, 9, 2)
STATE = "SELECT state FROM session_condition WHERE trading_day = $1"
FIND = (
    "INSERT INTO session_finding (trading_day, data_set, kind, reason, load_id, found_at) "
    "VALUES ($1, 'daily_bars', 'repeated_prices', 'as the day before', 1, $2)"
)


async def two_days(stack: Stack) -> None:
    for day in (BEFORE, DAY):
        stack.clock.at = new_york(day, "20:30")
        await stack.run_cycle(day)


@pytest.mark.parametrize("lost", [
    f"daily_bar WHERE trading_date = '{DAY}'", "ticker_atr", "ticker_profile", "listed_ticker",
    f"session_slots WHERE trading_date = '{DAY}' AND symbol = 'SPY'",
])  # fmt: skip
async def test_rows_that_somebody_deleted_are_noticed_told_and_brought_again(stack: Stack, lost: str) -> None:
    await two_days(stack)
    assert (await told(stack))[0] == "final"
    await stack.pool.execute(f"DELETE FROM {lost}")
    stack.clock.advance(seconds=JUDGED_ANEW_AFTER.total_seconds())
    await stack.passes_only.look()
    state = (await stack.verdict()).state
    assert state == "partial"
    assert ((await told(stack))[0], await stack.value(STATE, DAY)) == (state, state)
    assert (await last(stack))[0] != str(DAY)
    await stack.run_cycle()
    assert (await told(stack))[:3] == ("final", "available", True)


async def test_a_status_key_that_somebody_wrote_into_is_corrected(stack: Stack) -> None:
    await two_days(stack)
    for day, text in ((DAY, '{"state": "missing"}'), (BEFORE, "whatever")):
        await stack.redis.set(f"maintenance:status:{day}", text)
    await stack.passes_only.look()
    assert [(await told(stack, day))[0] for day in (BEFORE, DAY)] == ["final", "final"]


async def test_findings_and_retention_of_sessions_outside_the_window_reach_the_table(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.run_cycle(OLD, first_day=OLD)
    stack.clock.advance(minutes=30)
    await stack.reporter.refresh()
    assert await stack.value(STATE, OLD) == "final"
    await stack.pool.execute(FIND, OLD, stack.clock())
    await stack.reporter.refresh()
    assert await stack.value(STATE, OLD) == "suspect"
    stack.clock.advance(minutes=30)
    await stack.reporter.judge()
    await stack.pool.execute("UPDATE session_finding SET state = 'accepted', settled_at = $1", stack.clock())
    await stack.reporter.refresh()
    assert await stack.value(STATE, OLD) == "final"

    stack.clock.advance(minutes=30)
    await stack.reporter.judge()
    for table in ("daily_bar", "session_slots"):
        await stack.pool.execute(f"DELETE FROM {table} WHERE trading_date = $1", OLD)
    await stack.pool.execute(
        "INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, detail) SELECT 'volume_slots', "
        "trading_day, 60, fetched_at, load_id, '{}' FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1",
        OLD,
    )
    await stack.pool.execute("UPDATE coverage SET retired_at = $2 WHERE trading_day = $1", OLD, stack.clock())
    stack.clock.advance(minutes=5)
    await stack.reporter.refresh()
    assert await stack.value(STATE, OLD) == "retired"


async def test_after_a_quarter_of_silence_an_older_session_changes_no_name(stack: Stack) -> None:
    await stack.run_cycle()
    stack.clock.at = new_york(dt.date(2026, 2, 10), "12:00")
    await stack.passes_only.look()
    assert await last(stack) == (str(DAY), str(DAY))
    await stack.run_cycle(OLD, first_day=OLD)
    assert await last(stack) == (str(DAY), str(DAY))
    await stack.market.fail({"kind": "unknown_key"})
    await stack.run_cycle(dt.date(2025, 9, 3))
    assert await last(stack) == (str(DAY), str(DAY))


async def test_a_backfill_of_an_old_session_says_nothing_of_those_between(stack: Stack) -> None:
    await two_days(stack)
    window = [day for day in (await stack.judged()).verdicts if day <= DAY]
    before = {day: await stack.value(STATE, day) for day in window}
    await stack.run_cycle(OLD, first_day=OLD)
    assert {day: await stack.value(STATE, day) for day in window} == before
    assert await stack.value(STATE, OLD) == "final"


async def test_a_symbol_that_comes_back_changes_nothing_about_the_sessions_without_it(stack: Stack) -> None:
    first, *away = CALENDAR.last_trading_days(4, up_to=DAY)
    stack.clock.at = new_york(first, "20:30")
    await stack.run_cycle(first)
    for day in away:
        await stack.market.fail({"kind": "missing_rows", "tickers": ["KO"]})
        stack.clock.at = new_york(day, "20:30")
        await stack.run_cycle(day)
    assert not await stack.value("SELECT is_active FROM listed_ticker WHERE symbol = 'KO'")
    await stack.market.fail()
    stack.clock.at = new_york(NEXT, "17:00")
    async with watched(stack) as seen:
        await stack.look_and_work()
    assert await stack.value("SELECT is_active FROM listed_ticker WHERE symbol = 'KO'")
    assert set(seen) == {(str(DAY), str(DAY)), (str(NEXT), str(DAY))}
