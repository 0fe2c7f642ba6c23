"""Replays five and nine weeks of real data as if live, and recalculates everything after each night.

Five weeks night by night; nine with every second night off, so that each cycle brings two sessions.

The simulated clock decides what the vendor has: on the first night nothing but that day, and every session before it is
missing and said to be. The recalculation reads the files in plain Python (expected.py), with TA-Lib for ATR.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from consumer.tasks.terms import TaskOptions
from consumer.verdict.states import SessionState
from tests.cycle.stack import SCHEDULE, Clock, Stack, market_of, new_york, stack_on
from tests.real_market.expected import NEW_YORK, talib_atr

if TYPE_CHECKING:
    from tests.real_market.expected import Bar, Files

OPTIONS = TaskOptions(ohlc_sessions=16, slot_sessions=5, batch=20, requests_at_once=8)
WINDOWS = {
    "2013": (dt.date(2013, 8, 15), dt.date(2013, 9, 20)),
    "2014": (dt.date(2014, 4, 15), dt.date(2014, 6, 13)),
}
SPLIT_NIGHT = dt.date(2014, 6, 9)


class Recalculation:
    """What must be there after the night of *day*, from the files alone."""

    def __init__(self, files: Files, first: dt.date, day: dt.date) -> None:
        self.files, self.day = files, day
        self.sessions = [one for one in files.days("day_aggs_v1") if first <= one <= day]
        self.bars = files.bars(self.sessions)
        self.adjusted = {ticker: files.adjusted(ticker, own, day) for ticker, own in self.bars.items()}

    def atr(self) -> dict[str, float]:
        """Of every ticker with a bar in the window of sixteen sessions."""
        since = SCHEDULE.calendar.last_trading_days(OPTIONS.ohlc_sessions, up_to=self.day)[0]
        found = {ticker: talib_atr(own) for ticker, own in self.adjusted.items() if own[-1].day >= since}
        return {ticker: atr for ticker, atr in found.items() if atr is not None}

    def rvol(self, listed: set[str]) -> dict[str, dict[str, str]]:
        sessions = list(SCHEDULE.calendar.last_trading_days(OPTIONS.rvol_sessions, up_to=self.day))
        found = {ticker: self._rvol(ticker, sessions) for ticker in listed}
        return {ticker: averages for ticker, averages in found.items() if averages}

    def _rvol(self, ticker: str, sessions: list[dt.date]) -> dict[str, str]:
        """Observed: sessions with minutes of the ticker, and those whose day file proves that it did not trade."""
        observed = [day for day in sessions if day in self.sessions and self.outcome(ticker, day) != "unproven"]
        averages: dict[str, str] = {}
        so_far = [self._so_far(ticker, day) for day in observed]
        for slot in range(192):
            total = sum(one[slot] for one in so_far)
            if observed:
                averages[str(slot)] = str(int(total / len(observed) + 1e-6))
        return averages

    def _so_far(self, ticker: str, day: dt.date) -> list[float]:
        """The volume of *day* up to the end of each slot, in shares as they are counted now."""
        slots, shares = self.files.slots(day).get(ticker, {}), self.files.shares_for_one(ticker, day, self.day)
        return [total * shares for total in itertools.accumulate(slots.get(slot, 0) for slot in range(192))]

    def outcome(self, ticker: str, day: dt.date) -> str:
        if ticker in self.files.slots(day):
            return "traded"
        traded = any(bar.day == day and bar.volume > 0 for bar in self.bars.get(ticker, []))
        return "unproven" if traded or day not in self.sessions else "no_trades"

    def last(self, ticker: str) -> Bar:
        return self.adjusted[ticker][-1]


async def replay(stack: Stack, day: dt.date) -> None:
    """One night: the clock stands at a quarter past eight, and the cycle that is due runs."""
    stack.clock.at = new_york(day, "20:16")
    await stack.look_and_work()


@pytest.mark.long(20)
@pytest.mark.parametrize("window", WINDOWS)
async def test_every_night_equals_an_independent_recalculation(
    window: str, files: Files, postgres_dsn: str, redis_url: str
) -> None:
    first, last = WINDOWS[window]
    clock = Clock(new_york(first, "20:16"))
    sessions = SCHEDULE.calendar.trading_days(first, last)
    nights = sessions if window == "2013" else sessions[::-2][::-1]
    caps: dict[dt.date, int] = {}
    async with (
        market_of(20, clock, replay=files.folder) as market,
        stack_on(postgres_dsn, redis_url, market, clock, options=OPTIONS, max_attempts=1) as stack,
    ):
        for day in nights:
            await replay(stack, day)
            expected = Recalculation(files, first, day)
            await check_atr(stack, expected)
            await check_rvol(stack, expected)
            caps[day] = await check_caps(stack, expected)
            await check_coverage(stack, expected, first)
    assert len(nights) in (26, 21)
    if SPLIT_NIGHT in caps:
        before = caps[nights[nights.index(SPLIT_NIGHT) - 1]]
        assert 0.95 < caps[SPLIT_NIGHT] / before < 1.05, "seven times the shares at a seventh of the price"


async def check_atr(stack: Stack, expected: Recalculation) -> None:
    wanted = expected.atr()
    found: dict[str, str] = await stack.redis.hgetall("atr:daily")  # type: ignore[misc]
    assert found.keys() == wanted.keys(), expected.day
    for ticker, text in found.items():
        value = json.loads(text)
        assert value["atr"] == pytest.approx(wanted[ticker], rel=0, abs=1e-9), (expected.day, ticker)
        percent = 100 * wanted[ticker] / expected.last(ticker).close
        assert value["atr_percent"] == pytest.approx(percent, rel=0, abs=1e-9), (expected.day, ticker)
        assert value["updated"] == str(expected.day)


async def check_rvol(stack: Stack, expected: Recalculation) -> None:
    listed = {str(symbol) for symbol in await stack.redis.smembers("ticker:universe")}  # type: ignore[misc]
    wanted = expected.rvol(listed)
    found: dict[str, Any] = {}
    async for key in stack.redis.scan_iter(match="rvol:hist:avg:*", count=1000):
        found[str(key).split(":")[3]] = await stack.redis.hgetall(key)  # type: ignore[misc]
    assert found == wanted, expected.day


async def check_caps(stack: Stack, expected: Recalculation) -> int:
    """Shares as they were counted, brought to the day by the splits since, times that day's close."""
    rows = await stack.pool.fetch("SELECT symbol, shares_outstanding, details_fetched_at FROM ticker_profile")
    caps: dict[str, int] = {}
    for row in rows:
        symbol, shares, counted_at = row
        if symbol in expected.bars and shares is not None:
            metadata = json.loads(str(await stack.redis.get(f"metadata:ticker:{symbol}")))
            counted_on = counted_at.astimezone(NEW_YORK).date()
            wanted = shares * expected.files.shares_for_one(symbol, counted_on, expected.day)
            caps[symbol] = metadata["market_cap"]
            assert caps[symbol] == pytest.approx(wanted * expected.last(symbol).close, abs=1), (expected.day, symbol)
            assert metadata["as_of"] == str(expected.day)
    assert len(caps) >= 10
    return caps.get("AAPL", 0)


async def check_coverage(stack: Stack, expected: Recalculation, first: dt.date) -> None:
    calendar = SCHEDULE.calendar
    sessions = calendar.last_trading_days(OPTIONS.ohlc_sessions, up_to=expected.day)
    found = await stack.sets(sessions[0], sessions[-1])
    listed = [str(symbol) for symbol in await stack.redis.smembers("ticker:universe")]  # type: ignore[misc]
    for day in sessions:
        bars = found["daily_bars", day]
        wanted = len(expected.files.rows("day_aggs_v1", day)) if day >= first else 0
        assert (bars.state, bars.loaded) == (SessionState.FINAL if wanted else SessionState.MISSING, wanted), day
    for day in calendar.last_trading_days(OPTIONS.slot_sessions, up_to=expected.day):
        slots = found["volume_slots", day]
        outcomes = Counter(expected.outcome(ticker, day) for ticker in listed)
        assert (slots.loaded, slots.empty, slots.unproven, slots.missing) == (
            outcomes["traded"], outcomes["no_trades"], outcomes["unproven"], 0,
        ), day  # fmt: skip
