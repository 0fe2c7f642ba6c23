"""Claims that daily, five-minute and one-minute bars tell one story about each ticker and day."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict

import numpy as np
import pytest

from market.trading_calendar import NEW_YORK, TradingCalendar
from simulated_market.invented.market import InventedMarket

CALENDAR = TradingCalendar()
DAYS = CALENDAR.last_trading_days(10, up_to=dt.date(2025, 11, 11))
EARLY_CLOSE = dt.date(2025, 11, 28)


@pytest.fixture(scope="module")
def market() -> InventedMarket:
    return InventedMarket(400, 5, CALENDAR)


def test_five_minute_bars_lie_inside_the_daily_bar_and_reach_its_extremes(market):
    for day in DAYS[-3:]:
        for row in market.grouped(day):
            bars = market.minute_bars(row.T, [day], 5)
            assert (bars.highs.max(), bars.lows.min()) == (row.h, row.l)
            assert (bars.opens[0], bars.closes[-1]) == (row.o, row.c)
            assert np.all(bars.lows <= np.minimum(bars.opens, bars.closes))
            assert np.all(bars.highs >= np.maximum(bars.opens, bars.closes))
            assert 0 < bars.volumes.sum() <= row.v
            assert bars.volumes.min() > 0
            assert row.l <= row.vw <= row.h


def test_a_ticker_has_minute_bars_exactly_on_the_days_it_has_a_daily_row(market):
    days_with_row = defaultdict(set)
    for day in DAYS:
        for row in market.grouped(day):
            days_with_row[row.T].add(day)
    symbols = [row.ticker for row in market.active(DAYS[-1])]
    assert any(days_with_row[symbol] != set(DAYS) for symbol in symbols), "some ticker must have idle days"
    for symbol in symbols:
        starts = market.minute_bars(symbol, DAYS, 5).starts_ms / 1000
        assert {dt.datetime.fromtimestamp(start, NEW_YORK).date() for start in starts} == days_with_row[symbol]


def test_one_minute_bars_fold_into_the_five_minute_bars(market):
    for symbol in [row.ticker for row in market.active(DAYS[-1])][:80]:
        minutes, bars = market.minute_bars(symbol, DAYS, 1), market.minute_bars(symbol, DAYS, 5)
        windows = minutes.starts_ms // 300_000 * 300_000
        assert np.array_equal(np.unique(windows), bars.starts_ms)
        for place, start in enumerate(bars.starts_ms):
            inside = windows == start
            assert (minutes.opens[inside][0], minutes.closes[inside][-1]) == (bars.opens[place], bars.closes[place])
            assert (minutes.highs[inside].max(), minutes.lows[inside].min()) == (bars.highs[place], bars.lows[place])
            assert minutes.volumes[inside].sum() == pytest.approx(bars.volumes[place], abs=1e-6)
            assert minutes.trades[inside].sum() == bars.trades[place]
            assert np.all(minutes.volumes[inside] > 0)


def test_most_volumes_are_fractional_and_some_are_whole(market):
    volumes = np.array([row.v for row in market.grouped(DAYS[-1])])

    assert 0.7 < (volumes % 1 > 0).mean() < 1


def test_a_market_of_full_size_has_about_ninety_slots_a_ticker_and_day():
    market = InventedMarket(11_000, 1, CALENDAR)
    symbols = [row.ticker for row in market.active(DAYS[-1])][::60]
    slots = [len(market.minute_bars(symbol, DAYS[-1:], 5)) for symbol in symbols]

    assert 75 < np.mean(slots) < 105
    assert min(slots) == 0
    assert max(slots) == 192
    assert 0.90 < len(market.grouped(DAYS[-1])) / 11_000 < 0.99


def test_an_early_close_ends_regular_and_extended_trading_early(market):
    bars = market.minute_bars("AAPL", [EARLY_CLOSE], 5)
    times = [dt.datetime.fromtimestamp(start / 1000, NEW_YORK).time() for start in bars.starts_ms]

    assert max(times) < dt.time(17)
    volumes = dict(zip(times, bars.volumes, strict=True))
    assert volumes[dt.time(13)] > 5 * volumes[dt.time(13, 30)], "the closing auction prints at 13:00"
    assert max(row.t for row in market.grouped(EARLY_CLOSE)) == 1764352800000  # 13:00 New York


def test_daily_bars_of_a_range_equal_the_rows_of_the_days(market):
    bars = market.day_bars("AAPL", DAYS)
    rows = [next(row for row in market.grouped(day) if row.T == "AAPL") for day in DAYS]

    assert bars.closes.tolist() == [row.c for row in rows]
    assert bars.volumes.tolist() == [row.v for row in rows]


def test_prices_have_no_overnight_jumps_but_those_of_splits(market):
    splitting = {row.ticker for row in market.splits(DAYS[0], DAYS[-1])}
    wild = {row.ticker for row in market.active(DAYS[-1]) if row.type in ("WARRANT", "RIGHT")}
    for before, after in itertools.pairwise(DAYS):
        closes = {row.T: row.c for row in market.grouped(before)}
        for row in market.grouped(after):
            if row.T in closes and row.T not in splitting | wild and closes[row.T] > 1:
                assert 0.7 < row.c / closes[row.T] < 1.4, row.T
