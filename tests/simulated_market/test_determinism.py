"""Claims that seed, size and day decide every byte, and nothing else does."""

from __future__ import annotations

PATHS = (
    "/v2/aggs/grouped/locale/us/market/stocks/2025-11-11?adjusted=false",
    "/v2/aggs/ticker/AAPL/range/5/minute/2025-10-29/2025-11-11?adjusted=false&limit=50000",
    "/v2/aggs/ticker/BACpB/range/1/minute/2025-11-10/2025-11-11",
    "/v3/reference/tickers?limit=1000",
    "/v3/reference/tickers/BRK.A",
    "/stocks/vX/float?limit=5000",
    "/stocks/v1/splits?execution_date.gte=2025-09-01&limit=5000",
)


async def test_the_order_of_asking_changes_no_byte(serve):
    forwards, backwards = await serve(), await serve()

    first = {path: await forwards.raw(path) for path in PATHS}
    await backwards.grouped("2019-03-04")
    second = {path: await backwards.raw(path) for path in reversed(PATHS)}

    assert first == second


async def test_asking_twice_changes_no_byte(client):
    assert [await client.raw(path) for path in PATHS] == [await client.raw(path) for path in PATHS]


async def test_many_days_asked_in_between_change_no_byte(client):
    before = await client.raw(PATHS[1])
    await client.bars("AAPL", "2025-01-02/2025-10-01", "1/day")

    assert await client.raw(PATHS[1]) == before


async def test_another_seed_is_another_market(serve):
    one, other = await serve(seed=1), await serve(seed=2)

    assert (await one.grouped("2025-11-11"))["AAPL"] != (await other.grouped("2025-11-11"))["AAPL"]
    symbols = [{row["ticker"] for row in (await c.ok(PATHS[3]))["results"]} for c in (one, other)]
    assert symbols[0] != symbols[1]
    assert {"AAPL", "BRK.A", "BACpB", "ZVZZT"} <= symbols[0] & symbols[1]
