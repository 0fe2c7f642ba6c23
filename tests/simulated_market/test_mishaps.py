"""What a vendor does to data over days: bars corrected later, short answers, late splits, symbols that change hands."""

from __future__ import annotations

import datetime as dt

from simulated_market.options import Reissue

DAY = "2025-11-11"
EARLIER = "2025-11-10"
LISTING = "/v3/reference/tickers?limit=1000"
SPLITS = "/stocks/v1/splits?execution_date.gte=2025-10-01&limit=1000"


async def put(client, *faults: dict) -> None:
    status, body = await client.control("faults", list(faults))
    assert status == 200, body


async def test_bars_are_restated_for_their_tickers_and_day_only(client):
    before = await client.grouped(DAY), await client.grouped(EARLIER)
    bars = await client.bars("SPY", f"{EARLIER}/{DAY}")
    await put(client, {"kind": "restated", "day": DAY, "tickers": ["SPY"], "volume_factor": 0.5, "price_factor": 2})
    told = await client.grouped(DAY)
    assert told["SPY"]["v"] == before[0]["SPY"]["v"] / 2
    assert told["SPY"]["c"] == before[0]["SPY"]["c"] * 2
    assert {name: row for name, row in told.items() if name != "SPY"} == {
        name: row for name, row in before[0].items() if name != "SPY"
    }
    assert await client.grouped(EARLIER) == before[1]
    spoiled = await client.bars("SPY", f"{EARLIER}/{DAY}")
    share = [new["v"] / old["v"] for new, old in zip(spoiled, bars, strict=True)]
    assert sorted(set(share)) == [0.5, 1.0]
    await put(client)
    assert await client.grouped(DAY) == before[0]


async def test_a_short_answer_agrees_with_itself(client):
    whole = await client.ok(LISTING)
    await put(client, {"kind": "missing_rows", "share": 0.5})
    short = await client.ok(LISTING)
    assert len(short["results"]) == short["count"] == round(whole["count"] / 2)
    assert "next_url" not in short
    await put(client, {"kind": "missing_rows", "tickers": ["SPY"]})
    assert "SPY" not in await client.grouped(DAY)


async def test_a_hidden_split_is_listed_once_it_is_not_hidden_any_more(client):
    listed = (await client.ok(SPLITS))["results"]
    hidden = listed[0]["ticker"]
    await put(client, {"kind": "hidden_splits", "tickers": [hidden]})
    told = (await client.ok(SPLITS))["results"]
    assert told == [row for row in listed if row["ticker"] != hidden]


async def test_a_reissued_symbol_is_another_company_from_its_day_on(serve):
    reissue = Reissue(symbol="KO", day=dt.date(2025, 11, 11))
    plain, changed = await serve(), await serve(reissues=(reissue,))
    before = await serve(reissues=(reissue,), now=dt.datetime(2025, 11, 11, 1, 30, tzinfo=dt.UTC))

    async def figi(market) -> str:
        rows = (await market.ok(LISTING))["results"]
        return next(row["composite_figi"] for row in rows if row["ticker"] == "KO")

    assert await figi(before) == await figi(plain) != await figi(changed)
    details = (await changed.ok("/v3/reference/tickers/KO"))["results"]
    assert (details["ticker"], details["list_date"]) == ("KO", DAY)
    assert (await changed.grouped(EARLIER))["KO"] == (await plain.grouped(EARLIER))["KO"]
    assert (await changed.grouped(DAY))["KO"] != (await plain.grouped(DAY))["KO"]
    own, other = await plain.bars("KO", f"{EARLIER}/{DAY}"), await changed.bars("KO", f"{EARLIER}/{DAY}")
    midnight = int(dt.datetime(2025, 11, 11, 5, tzinfo=dt.UTC).timestamp()) * 1000
    assert [bar for bar in own if bar["t"] < midnight] == [bar for bar in other if bar["t"] < midnight]
    assert [bar for bar in own if bar["t"] >= midnight] != [bar for bar in other if bar["t"] >= midnight]
