"""Claims about who is listed when: kinds of symbols, offerings, delistings, changes of ticker."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from market.trading_calendar import NEW_YORK, TradingCalendar

CALENDAR = TradingCalendar()
# Nine in the evening, New York, of the day before.
EVENINGS = [dt.datetime(2013, 10, 12, 1, tzinfo=dt.UTC), dt.datetime(2025, 11, 12, 2, tzinfo=dt.UTC)]


def window(now: dt.datetime) -> tuple[str, ...]:
    """The thirty sessions up to the evening's."""
    last = now.astimezone(NEW_YORK).date()
    return tuple(day.isoformat() for day in CALENDAR.last_trading_days(30, up_to=last))


async def listed(client, query: str = "") -> dict[str, dict]:
    pages = await client.pages(f"/v3/reference/tickers?limit=1000{query}")
    return {row["ticker"]: row for page in pages for row in page["results"]}


async def test_even_a_small_market_shows_every_shape_of_symbol(serve):
    symbols = await listed(await serve(tickers=20))

    assert {"AAPL", "BRK.A", "BACpB", "AAC.WS", "AAC.U", "AACr", "ZVZZT", "SPY", "TSM"} <= set(symbols)


async def test_a_large_market_has_the_real_mix_of_types(serve):
    rows = await listed(await serve(tickers=4000))
    types = Counter(row["type"] for row in rows.values())

    assert 3990 <= len(rows) <= 4000
    assert 0.5 < types["CS"] / len(rows) < 0.6
    assert {"ETF", "ADRC", "PFD", "WARRANT", "UNIT", "SP", "RIGHT", "FUND", "ETN"} <= set(types)
    assert all(symbol == symbol.strip() and len(symbol) <= 10 for symbol in rows)


@pytest.mark.parametrize("now", EVENINGS, ids=str)
async def test_the_last_thirty_sessions_have_an_offering_and_a_delisting(serve, now):
    client = await serve(tickers=200, now=now)
    days = window(now)
    before, after = await listed(client, f"&date={days[0]}"), await listed(client)
    gone = await listed(client, "&active=false")

    left = {symbol for symbol in before if symbol in gone}
    assert left
    assert all(gone[symbol]["delisted_utc"][:10] in days for symbol in left)
    came = [symbol for symbol in after if symbol not in before and await is_fresh(client, symbol, days)]
    assert came


async def is_fresh(client, symbol: str, days: tuple[str, ...]) -> bool:
    status, body = await client.refused(f"/v3/reference/tickers/{symbol}")
    assert status == 200
    return body["results"].get("list_date", "") in days


@pytest.mark.parametrize("now", EVENINGS, ids=str)
async def test_a_change_of_ticker_keeps_the_company_and_parts_its_bars(serve, now):
    client = await serve(tickers=200, now=now)
    days = window(now)
    before, after = await listed(client, f"&date={days[0]}"), await listed(client)
    figis = {row["composite_figi"]: symbol for symbol, row in before.items() if "composite_figi" in row}
    changed = {
        figis[row["composite_figi"]]: symbol
        for symbol, row in after.items()
        if row.get("composite_figi") in figis and figis[row["composite_figi"]] != symbol
    }

    assert changed
    for old, new in changed.items():
        events = (await client.ok(f"/vX/reference/tickers/{new}/events"))["results"]["events"]
        assert [event["ticker_change"]["ticker"] for event in events[:2]] == [new, old]
        old_bars = await client.bars(old, f"{days[0]}/{days[-1]}", "1/day")
        new_bars = await client.bars(new, f"{days[0]}/{days[-1]}", "1/day")
        assert len(old_bars) + len(new_bars) == 30
        assert old_bars[-1]["t"] < new_bars[0]["t"]
        assert (await client.refused(f"/v3/reference/tickers/{old}"))[0] == 404


async def test_a_delisted_ticker_keeps_its_bars_and_details(serve):
    client = await serve(tickers=200)
    gone = (await client.ok("/v3/reference/tickers?active=false&sort=delisted_utc&order=desc&limit=1"))["results"][0]
    ended = dt.date.fromisoformat(gone["delisted_utc"][:10])
    bars = await client.bars(gone["ticker"], f"{ended - dt.timedelta(days=20)}/2025-11-11", "1/day")

    assert bars
    assert max(bar["t"] for bar in bars) < dt.datetime.combine(ended, dt.time(), dt.UTC).timestamp() * 1000
    details = (await client.ok(f"/v3/reference/tickers/{gone['ticker']}"))["results"]
    assert details["active"] is False
    assert details["delisted_utc"] == gone["delisted_utc"]


async def test_grouped_rows_name_only_tickers_listed_that_day(serve):
    client = await serve(tickers=200)

    for day in ("2025-10-01", "2025-11-11"):
        assert set(await client.grouped(day)) <= set(await listed(client, f"&date={day}"))


async def test_symbols_are_case_sensitive(client):
    assert (await client.raw("/v3/reference/tickers/BACpB"))[0] == 200
    assert (await client.raw("/v3/reference/tickers/BACPB"))[0] == 404


async def test_filters_of_the_listing_narrow_it(client):
    everyone = await listed(client)

    assert set(await listed(client, "&ticker=BRK.A")) == {"BRK.A"}
    assert set(await listed(client, "&ticker.gte=M&ticker.lt=N")) == {s for s in everyone if "M" <= s < "N"}
    assert set(await listed(client, "&type=ETF")) == {s for s, row in everyone.items() if row["type"] == "ETF"}
    assert set(await listed(client, "&search=berkshire")) == {"BRK.A", "BRK.B"}
