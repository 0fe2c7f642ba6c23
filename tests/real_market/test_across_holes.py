"""Replays real sessions on both sides of a hole of eight months: no figure that carries on reads across it.

Every figure is held against expected.py on the unbroken stretch alone: TA-Lib for ATR, plain sums for the means.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.tasks.terms import TaskOptions
from tests.cycle.stack import SCHEDULE, Clock, Stack, market_of, new_york, stack_on
from tests.real_market.expected import talib_atr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real_market.expected import Bar, Files

OPTIONS = TaskOptions(ohlc_sessions=30, slot_sessions=5, batch=20, requests_at_once=8)
BEFORE, AFTER = dt.date(2013, 10, 11), dt.date(2014, 6, 9)


@pytest.fixture
async def stack(files: Files, postgres_dsn: str, redis_url: str) -> AsyncIterator[Stack]:
    """A service that was up until 2013-10-11, down for eight months, and up again."""
    clock = Clock(new_york(BEFORE, "20:16"))
    async with (
        market_of(20, clock, replay=files.folder) as market,
        stack_on(postgres_dsn, redis_url, market, clock, options=OPTIONS, max_attempts=1) as found,
    ):
        await found.look_and_work()
        clock.at = new_york(AFTER, "20:16")
        await found.look_and_work()
        yield found


def stretch(files: Files, first: dt.date, last: dt.date = AFTER) -> dict[str, list[Bar]]:
    bars = files.bars([day for day in files.days("day_aggs_v1") if first <= day <= last])
    return {ticker: files.adjusted(ticker, own, last) for ticker, own in bars.items()}


async def atr_of(stack: Stack) -> dict[str, Any]:
    found: dict[str, str] = await stack.redis.hgetall("atr:daily")  # type: ignore[misc]
    return {ticker: json.loads(text) for ticker, text in found.items()}


def check(found: dict[str, Any], bars: dict[str, list[Bar]]) -> None:
    wanted = {ticker: atr for ticker, own in bars.items() if (atr := talib_atr(own)) is not None}
    assert found.keys() == wanted.keys()
    for ticker, atr in wanted.items():
        assert found[ticker]["atr"] == pytest.approx(atr, rel=0, abs=1e-9), ticker
        assert found[ticker]["bars"] == len(bars[ticker]), ticker


async def test_no_figure_reads_across_a_hole_until_it_is_repaired(stack: Stack, files: Files) -> None:
    await check_after_eight_months(stack, files)
    await check_a_hole_and_its_repair(stack, files)


async def check_after_eight_months(stack: Stack, files: Files) -> None:
    """What stands after eight months that nobody loaded is of the thirty sessions since."""
    sessions = SCHEDULE.calendar.last_trading_days(30, up_to=AFTER)
    bars = stretch(files, sessions[0])
    assert await stack.value("SELECT min(trading_date) FROM daily_bar") < BEFORE
    found = await atr_of(stack)
    check(found, bars)
    assert {ticker: round(found[ticker]["atr"], 2) for ticker in ("GOOG", "AAPL", "SPY")} == {
        "GOOG": 9.60, "AAPL": 1.34, "SPY": 1.24,
    }  # fmt: skip
    for ticker, own in bars.items():
        means = json.loads(str(await stack.redis.get(f"ticker:avg_volume:{ticker}")))
        first = sessions.index(own[0].day)
        assert means["sessions"] == 30 - first, ticker
        assert means["avg_volume_30d"] == round(sum(bar.volume for bar in own) / (30 - first)), ticker
    counts: dict[str, str] = await stack.redis.hgetall("rvol:hist:sessions:5")  # type: ignore[misc]
    observed = [day for day in sessions[-5:] if "AAPL" in files.slots(day)]
    assert counts["AAPL"] == str(len(observed)) == "3"


async def check_a_hole_and_its_repair(stack: Stack, files: Files) -> None:
    """Where one of them is lost, ATR begins after it; where it is brought back, it is read through again."""
    sessions = SCHEDULE.calendar.last_trading_days(30, up_to=AFTER)
    lost = sessions[-20]
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", lost)
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", lost)
    stack.clock.advance(minutes=1)
    await stack.market.fail({"kind": "server_error", "endpoint": "grouped_daily"})
    await stack.pool.execute("UPDATE coverage SET fetched_at = '2014-01-01' WHERE data_set = 'atr'")
    assert (await stack.run_cycle(AFTER, task="ohlc_daily")).state != "complete"
    rows = await stack.pool.fetch("SELECT symbol, atr, bars_used FROM ticker_atr WHERE trading_date = $1", AFTER)
    found = {row["symbol"]: {"atr": row["atr"], "bars": row["bars_used"]} for row in rows}
    check(found, stretch(files, sessions[-19]))

    await stack.market.fail()
    stack.clock.advance(minutes=1)
    await stack.run_cycle(AFTER)
    check(await atr_of(stack), stretch(files, sessions[0]))
