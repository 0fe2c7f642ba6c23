"""Has each neighbour read what a night wrote: nothing is missed, so nothing is written over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from market.volume_slots import SLOTS_PER_DAY
from tests.cycle.stack import CALENDAR, DAY
from tests.neighbours.clients import (
    SECTORS,
    AtrReader,
    Historical,
    MetadataReader,
    RvolReader,
    TradesReader,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.cycle.stack import Stack

MARKET_OF = 60  # tickers

SESSIONS = CALENDAR.last_trading_days(5, up_to=DAY)


async def symbols(stack: Stack) -> list[str]:
    """Those that readers find: who reads for BACpB asks for BACPB (docs: neighbours ask in capitals)."""
    rows = await stack.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active ORDER BY symbol")
    return [row["symbol"] for row in rows if row["symbol"] == row["symbol"].upper()]


async def hashes(redis: Redis) -> dict[str, dict[str, str]]:
    return {
        str(key): await redis.hgetall(key)  # type: ignore[misc]
        async for key in redis.scan_iter(match="rvol:hist:avg:*", count=1000)
    }


async def test_a_reader_of_relative_volume_misses_nothing_and_historical_writes_over_nothing(stack: Stack) -> None:
    await stack.run_cycle()
    before = await hashes(stack.redis)
    historical = Historical(stack.redis, stack.pool)
    reader = RvolReader(stack.redis, historical)
    observed = {str(key).split(":")[3] for key in before}

    answers = {symbol: await reader.averages(symbol) for symbol in await symbols(stack)}

    print(f"slots missed: {reader.misses}, hashes written over: {len(historical.rewritten)} of {len(before)}")
    assert await hashes(stack.redis) == before
    assert historical.rewritten == []
    assert {len(answers[symbol]) for symbol in answers.keys() & observed} == {SLOTS_PER_DAY}
    rows = "SELECT symbol FROM session_slots WHERE outcome <> 'unproven' AND trading_date = ANY ($1) GROUP BY symbol"
    proven = {row["symbol"] for row in await stack.pool.fetch(rows, list(SESSIONS))}
    assert set(await symbols(stack)) & proven <= observed, "who was observed and did not trade has zeros"


async def test_every_document_is_read_under_both_spellings_and_has_what_details_tell(stack: Stack) -> None:
    await stack.run_cycle()
    listed = await symbols(stack)
    found = await MetadataReader(stack.redis).read(listed)

    assert found.keys() == set(listed)
    profiles = {
        row["symbol"]: row
        for row in await stack.pool.fetch(
            "SELECT symbol, ticker_type, float_shares, float_percent, sic_code, sector, description, city, logo_url "
            "FROM ticker_profile"
        )
    }
    for symbol, one in found.items():
        row: Any = profiles[symbol]
        assert one.type == row["ticker_type"]
        assert one.free_float == one.float_shares == (row["float_shares"] and round(row["float_shares"]))
        assert one.free_float_percent == row["float_percent"]
        assert (one.sector in SECTORS) is ("sector_reason" not in one.rest), symbol
        assert (one.sector is None) is (row["sic_code"] is None or row["sector"] == "Fund" or row["sic_code"] == "9995")
        assert (one.market, one.locale, one.currency_name, one.round_lot) == ("stocks", "us", "usd", 100)
        assert one.description == row["description"]
        assert (one.address or {}).get("city") == row["city"]
        assert (one.logo_url, one.ticker_root) == (row["logo_url"], symbol.partition(".")[0])
    companies = [one for one in found.values() if one.type == "CS"]
    shown = sum(one.sector in SECTORS for one in companies)
    print(f"documents: {len(found)}; companies in a sector that the heat map knows: {shown} of {len(companies)}")
    assert shown > 0.8 * len(companies)


async def test_the_reader_of_ranges_finds_every_symbol_that_has_one(stack: Stack) -> None:
    await stack.run_cycle()
    rows = await stack.pool.fetch("SELECT symbol, atr FROM ticker_atr WHERE trading_date = $1", DAY)
    assert await AtrReader(stack.redis).read(await symbols(stack)) == {
        row["symbol"]: row["atr"] for row in rows if row["symbol"] == row["symbol"].upper()
    }
    updated = {json.loads(text)["updated"] for text in (await stack.redis.hgetall("atr:daily")).values()}
    assert updated == {str(DAY)}


async def test_the_anomaly_detector_finds_what_is_usual_of_trades(stack: Stack) -> None:
    await stack.run_cycle()
    reader, read = TradesReader(stack.redis), 0
    for key in [str(key) async for key in stack.redis.scan_iter(match="trades:baseline:*", count=1000)]:
        symbol = key.split(":")[2]
        usual, opening = await reader.of_day(symbol), await reader.of_slot(symbol, 66)
        assert usual is not None
        assert usual[0] > 0
        assert opening is None or 0 < opening <= usual[0]
        read += 1
    print(f"baselines of trades: {read}")
    assert read > 30
