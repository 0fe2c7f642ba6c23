"""Claims that every request is counted, by endpoint, path, ticker and day."""

from __future__ import annotations


async def test_requests_are_counted_by_endpoint_and_path(client):
    await client.grouped("2025-11-11")
    await client.bars("BRK.A", "2025-11-10/2025-11-11")
    await client.raw("/v3/reference/tickers/NOSUCH")
    await client.pages("/v3/reference/tickers?limit=30")

    told = await client.ok("/_simulator/requests")
    assert told["by_endpoint"] == {"grouped_daily": 1, "range_bars": 1, "ticker_details": 1, "tickers": 2}
    assert told["total"] == 5
    assert told["by_path"]["/v2/aggs/ticker/BRK.A/range/5/minute/2025-11-10/2025-11-11"] == 1
    assert told["by_path"]["/v3/reference/tickers"] == 2
    assert told["by_ticker"] == {"BRK.A": 1, "NOSUCH": 1}
    assert told["by_day"] == {"2025-11-11": 1}
    assert told["by_status"] == {"200": 4, "404": 1}


async def test_refused_and_struck_requests_count_too(client):
    await client.control("faults", [{"kind": "rate_limited"}])
    await client.raw("/stocks/vX/float")

    told = await client.ok("/_simulator/requests")
    assert (told["by_endpoint"], told["by_status"]) == ({"floats": 1}, {"429": 1})


async def test_a_reset_starts_the_counts_again_and_leaves_the_faults(client):
    await client.control("faults", [{"kind": "rate_limited"}])
    await client.raw("/stocks/v1/splits")
    await client.control("reset")

    assert (await client.ok("/_simulator/requests"))["total"] == 0
    assert (await client.raw("/stocks/v1/splits"))[0] == 429


async def test_both_split_addresses_count_as_splits(client):
    await client.raw("/stocks/v1/splits")
    await client.raw("/v3/reference/splits")

    assert (await client.ok("/_simulator/requests"))["by_endpoint"] == {"splits": 2}
