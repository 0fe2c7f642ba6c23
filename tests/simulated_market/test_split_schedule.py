"""Claims about splits: there are some of each sort, raw prices show them, adjusted ones do not."""

from __future__ import annotations

import datetime as dt
from statistics import median

import pytest

from market.trading_calendar import TradingCalendar
from simulated_market.invented.market import InventedMarket

CALENDAR = TradingCalendar()


@pytest.mark.parametrize("tickers", [20, 300])
@pytest.mark.parametrize("last", [dt.date(2013, 10, 11), dt.date(2024, 2, 29), dt.date(2025, 11, 11)], ids=str)
async def test_any_thirty_sessions_have_a_forward_a_reverse_and_a_fractional_split(serve, tickers, last):
    client = await serve(tickers=tickers, now=dt.datetime.combine(last, dt.time(23), dt.UTC))
    first = CALENDAR.last_trading_days(30, up_to=last)[0]
    path = f"/stocks/v1/splits?execution_date.gte={first}&execution_date.lte={last}&limit=5000"
    rows = (await client.ok(path))["results"]

    ratios = [(row["split_from"], row["split_to"]) for row in rows]
    assert any(to / base >= 2 for base, to in ratios)
    assert any(to < base for base, to in ratios)
    assert any(1 < to / base < 2 for base, to in ratios)
    assert all(CALENDAR.is_trading_day(dt.date.fromisoformat(row["execution_date"])) for row in rows)


async def splits(client, since: str) -> list[dict]:
    return (await client.ok(f"/stocks/v1/splits?execution_date.gte={since}&limit=5000"))["results"]


async def test_a_split_moves_the_raw_price_and_volume_between_two_sessions(serve):
    client = await serve(tickers=300)
    checked = 0
    for row in await splits(client, "2025-09-15"):
        day = dt.date.fromisoformat(row["execution_date"])
        if day > dt.date(2025, 11, 11):
            continue
        ratio = row["split_to"] / row["split_from"]
        days = f"{CALENDAR.previous_trading_day(day)}/{day}"
        raw = await client.bars(row["ticker"], days, "1/day")
        adjusted = await client.bars(row["ticker"], days, "1/day", adjusted="true")
        if len(raw) == 2 and raw[0]["c"] > 0.5:
            assert raw[1]["c"] * ratio / raw[0]["c"] == pytest.approx(1, abs=0.4)
            assert adjusted[1]["c"] / adjusted[0]["c"] == pytest.approx(raw[1]["c"] * ratio / raw[0]["c"], rel=1e-3)
            assert adjusted[0]["v"] / raw[0]["v"] == pytest.approx(adjusted[1]["v"] / raw[1]["v"] * ratio, rel=1e-6)
            checked += 1
    assert checked > 3


def test_raw_volumes_follow_the_number_of_shares():
    market = InventedMarket(2000, 1, CALENDAR)
    left_over = []
    for split in market.splits(dt.date(2025, 9, 15), dt.date(2025, 11, 11)):
        day = dt.date.fromisoformat(split.execution_date)
        bars = market.day_bars(split.ticker, [CALENDAR.previous_trading_day(day), day])
        if len(bars) == 2 and split.split_to / split.split_from >= 3:
            left_over.append(bars.volumes[1] / bars.volumes[0] / (split.split_to / split.split_from))
    assert len(left_over) > 5
    assert 0.5 < median(left_over) < 2


async def test_a_whole_day_is_adjusted_like_a_range(serve):
    client = await serve(tickers=300)
    raw, adjusted = await client.grouped("2025-10-01"), await client.grouped("2025-10-01", adjusted="true")
    changed = {symbol for symbol in raw if raw[symbol] != adjusted[symbol]}

    executed = {row["ticker"] for row in await splits(client, "2025-10-02") if row["execution_date"] <= "2025-11-11"}
    assert changed == executed & set(raw)
    for symbol in changed:
        bar = (await client.bars(symbol, "2025-10-01/2025-10-01", "1/day", adjusted="true"))[0]
        assert (bar["c"], bar["v"]) == (adjusted[symbol]["c"], adjusted[symbol]["v"])


async def test_both_addresses_list_the_same_splits(serve):
    client = await serve(tickers=300)
    new = await splits(client, "2025-10-01")
    old = (await client.ok("/v3/reference/splits?execution_date.gte=2025-10-01&limit=1000"))["results"]

    key = ("ticker", "execution_date", "split_from", "split_to")
    assert sorted([str(row[k]) for k in key] for row in new) == sorted([str(row[k]) for k in key] for row in old)
    assert {"adjustment_type", "historical_adjustment_factor"} <= set(new[0])
    assert set(old[0]) == {"id", *key}
    dates = [row["execution_date"] for row in new]
    assert dates == sorted(dates, reverse=True)


async def test_splits_are_filtered_by_ticker_and_date(serve):
    client = await serve(tickers=300)
    one = (await splits(client, "2025-10-01"))[0]

    path = f"/stocks/v1/splits?ticker={one['ticker']}&execution_date={one['execution_date']}"
    assert (await client.ok(path))["results"] == [one]


async def test_the_historical_factor_turns_a_price_before_the_split_into_todays(serve):
    client = await serve(tickers=300)
    row = next(row for row in await splits(client, "2025-10-01") if row["execution_date"] <= "2025-11-11")
    before = CALENDAR.previous_trading_day(dt.date.fromisoformat(row["execution_date"]))
    raw = await client.bars(row["ticker"], f"{before}/{before}", "1/day")
    adjusted = await client.bars(row["ticker"], f"{before}/{before}", "1/day", adjusted="true")

    assert adjusted[0]["c"] == pytest.approx(raw[0]["c"] * row["historical_adjustment_factor"], rel=1e-4)


async def test_share_counts_follow_a_split_some_days_late(serve):
    client = await serve(tickers=300)
    rows = [row for row in await splits(client, "2025-09-15") if row["execution_date"] <= "2025-11-01"]
    companies = {row["ticker"] for row in (await client.ok("/v3/reference/tickers?type=CS&limit=1000"))["results"]}
    row = next(row for row in rows if row["ticker"] in companies)

    ratio = row["split_to"] / row["split_from"]
    later = str(dt.date.fromisoformat(row["execution_date"]) + dt.timedelta(days=4))
    on_the_day, after = [await shares(client, row["ticker"], day) for day in (row["execution_date"], later)]
    assert after / on_the_day == pytest.approx(ratio, rel=1e-3)


async def shares(client, ticker: str, day: str) -> int | None:
    details = (await client.ok(f"/v3/reference/tickers/{ticker}?date={day}"))["results"]
    return details.get("share_class_shares_outstanding")
