"""Replays a real month in which the reference data err: every figure equals one on each company's unbroken history.

AAPL is known as APPL until 2014-05-22 and its split of 2014-06-09 is listed under that symbol; IBM's FIGI is corrected;
one night's listing lacks BAC; the details give SPY a list date of a fortnight ago. None of it may cut anything.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.tasks.terms import TaskOptions
from simulated_market import app
from simulated_market.replayed.market import ReplayedMarket
from tests.cycle.stack import SCHEDULE, Clock, Stack, market_of, new_york, stack_on
from tests.real_market.changing import SHARES, Changes, ChangingMarket
from tests.real_market.expected import talib_atr

if TYPE_CHECKING:
    from tests.real_market.expected import Bar, Files

OPTIONS = TaskOptions(ohlc_sessions=20, slot_sessions=5, batch=20, requests_at_once=8)
BEFORE, RENAMED, CORRECTED, UNLISTED, LAST = (
    dt.date(2014, 5, 21), dt.date(2014, 5, 22), dt.date(2014, 5, 29), dt.date(2014, 6, 9), dt.date(2014, 6, 10),
)  # fmt: skip
CHANGES = Changes(
    formerly="APPL", renamed=RENAMED, corrected=CORRECTED, unlisted={UNLISTED: "BAC"},
    list_dates={"SPY": dt.date(2014, 5, 27)},
)  # fmt: skip


async def test_reference_data_that_err_cut_no_history_and_move_no_figure(
    files: Files, postgres_dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        app, "_market", lambda options, calendar: ChangingMarket(ReplayedMarket(options.replay, calendar), CHANGES)
    )
    clock = Clock(new_york(BEFORE, "20:16"))
    async with (
        market_of(20, clock, replay=files.folder) as market,
        stack_on(postgres_dsn, redis_url, market, clock, options=OPTIONS, max_attempts=1) as stack,
    ):
        for day in (BEFORE, RENAMED, CORRECTED, UNLISTED, LAST):
            clock.at = new_york(day, "20:16")
            await stack.look_and_work()
        first = SCHEDULE.calendar.last_trading_days(OPTIONS.ohlc_sessions, up_to=BEFORE)[0]
        bars = files.bars([day for day in files.days("day_aggs_v1") if first <= day <= LAST])
        adjusted = {ticker: files.adjusted(ticker, own, LAST) for ticker, own in bars.items()}
        await check_atr(stack, adjusted)
        await check_means_and_caps(stack, files, adjusted)
        await check_rvol(stack, files)
        told = [line for row in await stack.pool.fetch("SELECT warnings FROM cycle ORDER BY cycle_id")
                for line in row["warnings"] if "universe" in line or "details" in line or "bars:" in line]  # fmt: skip
    number = sorted(bars).index("IBM")
    assert sorted(told) == [
        "bars: APPL is AAPL since 2014-05-22",
        "bars: SPY may be another company since 2014-05-27, history kept: its list date, and it traded before",
        "universe: 1 symbols are missing in the listing of 2014-06-09, kept: traded on 2014-05-29: BAC",
        "universe: IBM is the same company under another code, history kept: "
        f"composite_figi BBGA{number:08} -> BBGC{number:08}",
    ]


async def check_atr(stack: Stack, adjusted: dict[str, list[Bar]]) -> None:
    found: dict[str, str] = await stack.redis.hgetall("atr:daily")  # type: ignore[misc]
    wanted = {ticker: atr for ticker, own in adjusted.items() if (atr := talib_atr(own)) is not None}
    assert found.keys() == wanted.keys()
    for ticker, text in found.items():
        value = json.loads(text)
        assert value["atr"] == pytest.approx(wanted[ticker], rel=0, abs=1e-9), ticker
        assert value["bars"] == len(adjusted[ticker]), ticker


async def check_means_and_caps(stack: Stack, files: Files, adjusted: dict[str, list[Bar]]) -> None:
    window = SCHEDULE.calendar.last_trading_days(30, up_to=LAST)
    for ticker, own in adjusted.items():
        found = json.loads(str(await stack.redis.get(f"metadata:ticker:{ticker}")))
        recent = [bar for bar in own if bar.day in window]
        sessions = len({bar.day for other in adjusted.values() for bar in other if recent[0].day <= bar.day})
        assert found["avg_volume_sessions"] == min(sessions, 30), ticker
        assert found["avg_volume_30d"] == round(sum(bar.volume for bar in recent) / min(sessions, 30)), ticker
        # The vendor's count has not followed the split: it is of before, and scaled.
        cap = SHARES * files.shares_for_one(ticker, BEFORE, LAST) * own[-1].close
        assert found["market_cap"] == pytest.approx(cap, abs=1), ticker


async def check_rvol(stack: Stack, files: Files) -> None:
    sessions = list(SCHEDULE.calendar.last_trading_days(OPTIONS.rvol_sessions, up_to=LAST))
    counts: dict[str, Any] = await stack.redis.hgetall("rvol:hist:sessions:5")  # type: ignore[misc]
    compared = 0
    for ticker in ("AAPL", "SPY", "IBM", "BAC"):
        if wanted := files.rvol_averages(ticker, sessions):
            assert await stack.redis.hgetall(f"rvol:hist:avg:{ticker}:5") == wanted, ticker  # type: ignore[misc]
            assert counts[ticker] == str(sum(ticker in files.slots(day) for day in sessions))
            compared += 1
    assert compared
