"""Holds the caches to the formats that the earlier service's readers parse, and to what PostgreSQL holds."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from consumer.catalogue.registry import CACHES
from consumer.fence import FenceLost
from consumer.postgres import bars, slots, tickers
from consumer.postgres.derived import DerivedFigures, store_derived
from consumer.postgres.details import store_details
from consumer.postgres.slots import SlotDay
from consumer.redis_cache.writer import CacheMismatch
from consumer.tasks.part import InputMissing
from consumer.tasks.redis_sync import sync_cache
from consumer.vendor.rows import Address, Branding, FloatRow, TickerDetails, TickerRow
from contract import data_sets, keys
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    import datetime as dt

    from redis import Redis

    from consumer.postgres.ledger import PartReport
    from tests.tasks.conftest import Desk

FOURTEEN_DAYS = 14 * 86_400
SYMBOLS = ("AAPL", "BACpB", "SPY")


@pytest.fixture
async def stocked(desk: Desk) -> Desk:
    """Three symbols: AAPL with everything, SPY with bars and slots, BACpB with its name alone."""
    sessions = CALENDAR.last_trading_days(5, up_to=DAY)
    async with desk.pool.acquire() as connection, connection.transaction():
        rows = [TickerRow(ticker="AAPL", name="Apple Inc.", primary_exchange="XNAS", type="CS"),
                TickerRow(ticker="BACpB"), TickerRow(ticker="SPY", type="ETF")]  # fmt: skip
        await tickers.apply_listing(connection, rows, tickers.Evening(day=DAY, now=NOW))
        details = TickerDetails(ticker="AAPL", type="CS", sic_code="3571", sic_description="ELECTRONIC COMPUTERS",
                                weighted_shares_outstanding=1e6)  # fmt: skip
        await store_details(connection, [details], [], now=NOW)
        await tickers.store_floats(connection, [FloatRow(ticker="AAPL", free_float=900_000)], now=NOW)
        figures = [derived("AAPL", 1e6 * 275.123456), derived("SPY", None)]
        await store_derived(connection, figures, day=DAY, now=NOW)
        await bars.replace_atr(connection, DAY, [("AAPL", 4.8112, 1.7481, 30), ("SPY", 0.5, 0.1, 30)], load_id=1)
        traded = [slot_day(day, symbol) for day in sessions for symbol in ("AAPL", "SPY")]
        quiet = [SlotDay(day=day, symbol="BACpB", outcome="no_trades") for day in sessions]
        await slots.write_slots(connection, [*traded, *quiet], fetched_at=NOW, load_id=1)
    await desk.cover(data_sets.ATR, data_sets.SLOT_PROOF, data_sets.DERIVED)
    return desk


def derived(symbol: str, cap: float | None) -> DerivedFigures:
    return DerivedFigures(
        symbol=symbol, market_cap=cap, last_close=275.123456, avg_volume_30d=51.6, avg_volume_10d=49.4,
        avg_volume_5d=47.5, avg_price_30d=270.5, avg_volume_sessions=30, avg_volume_sessions_10d=9,
        avg_volume_sessions_5d=4,
    )  # fmt: skip


def slot_day(day: dt.date, symbol: str) -> SlotDay:
    volumes = np.zeros(192)
    volumes[[66, 190]] = 1000.75, 10.0
    return SlotDay(day=day, symbol=symbol, outcome="traded", volumes=volumes)


async def sync(desk: Desk, cache: str, *, fence: int = 1, day: dt.date = DAY) -> PartReport:
    return await desk.run(partial(sync_cache, cache=CACHES[cache]), {}, fence=fence, day=day)


async def sync_all(desk: Desk, *, fence: int = 1) -> None:
    for cache in CACHES:
        await sync(desk, cache, fence=fence)


async def delist(desk: Desk, kept: str) -> None:
    async with desk.pool.acquire() as connection:
        await tickers.apply_listing(connection, [TickerRow(ticker=kept)], tickers.Evening(day=DAY, now=NOW))


def as_json(cache: Redis, key: str) -> Any:
    text = cache.get(key)
    assert isinstance(text, str)
    return json.loads(text)


async def test_metadata_is_json_with_whole_counts_and_without_nulls(stocked: Desk) -> None:
    await sync(stocked, data_sets.CACHE_METADATA)
    found = as_json(stocked.cache, "metadata:ticker:AAPL")
    assert found == {
        "symbol": "AAPL", "company_name": "Apple Inc.", "exchange": "XNAS", "ticker_type": "CS", "type": "CS",
        "sector": "Technology", "sector_scheme": "SIC11", "ff12": "BusEq", "industry": "ELECTRONIC COMPUTERS",
        "industry_group": "35", "sic_code": "3571",
        "market_cap": 275_123_456, "float_shares": 900_000, "free_float": 900_000, "shares_outstanding": 1_000_000,
        "avg_volume_30d": 52, "avg_volume_10d": 49, "avg_volume_5d": 48,
        "avg_price_30d": 270.5, "last_close": 275.123456, "is_etf": False,
        "is_actively_trading": True, "as_of": "2025-11-11", "updated_at": "2025-11-12T01:30:00Z",
        "avg_volume_sessions": 30, "avg_volume_sessions_10d": 9, "avg_volume_sessions_5d": 4,
    }  # fmt: skip
    for name in ("market_cap", "float_shares", "shares_outstanding", "avg_volume_30d", "avg_volume_10d"):
        assert type(found[name]) is int
    bare = as_json(stocked.cache, "metadata:ticker:BACpB")
    assert bare.keys() == {"symbol", "is_etf", "is_actively_trading", "updated_at", "sector_reason"}
    assert bare["sector_reason"] == "no SIC code"
    assert None not in as_json(stocked.cache, "metadata:ticker:SPY").values()
    assert 0 < stocked.cache.ttl("metadata:ticker:AAPL") <= FOURTEEN_DAYS


async def test_metadata_has_every_name_by_which_it_is_asked_for_and_what_details_tell(stocked: Desk) -> None:
    details = TickerDetails(
        ticker="AAPL", market="stocks", locale="us", currency_name="usd", round_lot=100.0, ticker_root="AAPL",
        description="Makes phones.", homepage_url="https://a.example", phone_number="(408) 996-1010",
        total_employees=166_000, address=Address(address1="1 PARK WAY", city="CUPERTINO"),
        branding=Branding(logo_url="https://a.example/logo", icon_url="https://a.example/icon"),
    )  # fmt: skip
    async with stocked.pool.acquire() as connection, connection.transaction():
        await store_details(connection, [details], [], now=NOW)
        await connection.execute("UPDATE ticker_profile SET float_percent = 61.5, avg_volume_3m = 41.6")
    await sync(stocked, data_sets.CACHE_METADATA)
    found = as_json(stocked.cache, "metadata:ticker:AAPL")
    for old, new in (("float_shares", "free_float"), ("float_percent", "free_float_percent"), ("ticker_type", "type")):
        assert found[old] == found[new]
    assert (found["free_float"], found["free_float_percent"], found["avg_volume_3m"]) == (900_000, 61.5, 42)
    assert {name: found[name] for name in ("market", "locale", "currency_name", "round_lot", "ticker_root")} == {
        "market": "stocks", "locale": "us", "currency_name": "usd", "round_lot": 100, "ticker_root": "AAPL",
    }  # fmt: skip
    assert (found["description"], found["total_employees"]) == ("Makes phones.", 166_000)
    assert found["address"] == {"address1": "1 PARK WAY", "city": "CUPERTINO"}
    assert (found["logo_url"], found["icon_url"]) == ("https://a.example/logo", "https://a.example/icon")
    assert "ticker_suffix" not in found
    fund = as_json(stocked.cache, "metadata:ticker:SPY")
    assert (fund.get("sector"), fund.get("ff12"), fund["sector_reason"], fund["type"]) == (None, None, "a fund", "ETF")


async def test_a_column_that_somebody_adds_is_told_to_nobody(stocked: Desk) -> None:
    await stocked.pool.execute("ALTER TABLE ticker_profile ADD COLUMN secret text DEFAULT 'hidden'")
    await sync(stocked, data_sets.CACHE_METADATA)
    assert "hidden" not in str(stocked.cache.get("metadata:ticker:AAPL"))


async def test_atr_is_a_hash_of_json_with_the_day(stocked: Desk) -> None:
    assert (await sync(stocked, data_sets.CACHE_ATR)).rows == 2
    found = stocked.cache.hgetall("atr:daily")
    assert found.keys() == {"AAPL", "SPY"}
    assert json.loads(found["AAPL"]) == {"atr": 4.8112, "atr_percent": 1.7481, "updated": "2025-11-11", "bars": 30}
    assert 0 < stocked.cache.ttl("atr:daily") <= FOURTEEN_DAYS


async def test_rvol_averages_are_hashes_of_slot_and_whole_number(stocked: Desk) -> None:
    for cache in data_sets.CACHE_RVOL:
        await sync(stocked, cache)
    assert sorted(stocked.cache.scan_iter("rvol:*")) == [f"rvol:hist:avg:{symbol}:5" for symbol in SYMBOLS]
    found = stocked.cache.hgetall("rvol:hist:avg:SPY:5")
    before = {str(slot): "0" for slot in range(66)}
    assert found == before | {str(slot): "1000" for slot in range(66, 190)} | {"190": "1010", "191": "1010"}
    quiet = stocked.cache.hgetall("rvol:hist:avg:BACpB:5")
    assert quiet == {str(slot): "0" for slot in range(192)}, "who was observed and did not trade has a mean of 0"
    assert 0 < stocked.cache.ttl("rvol:hist:avg:SPY:5") <= FOURTEEN_DAYS


async def test_of_how_many_sessions_the_averages_are_stands_beside_them(stocked: Desk) -> None:
    await stocked.pool.execute(
        "UPDATE session_slots SET outcome = 'unproven', volumes = NULL WHERE symbol = 'SPY' AND trading_date = $1",
        DAY,
    )
    assert (await sync(stocked, data_sets.CACHE_RVOL_SESSIONS)).rows == 3
    assert stocked.cache.hgetall("rvol:hist:sessions:5") == {"AAPL": "5", "BACpB": "5", "SPY": "4"}
    assert 0 < stocked.cache.ttl("rvol:hist:sessions:5") <= FOURTEEN_DAYS
    await stocked.pool.execute("UPDATE listed_ticker SET issuer_since = $1 WHERE symbol = 'SPY'", DAY)
    for cache in (*data_sets.CACHE_RVOL, data_sets.CACHE_RVOL_SESSIONS):
        await sync(stocked, cache, fence=2)
    assert stocked.cache.hgetall("rvol:hist:sessions:5") == {"AAPL": "5", "BACpB": "5"}, (
        "before, it was another company's"
    )
    assert "rvol:hist:avg:SPY:5" not in list(stocked.cache.scan_iter("rvol:hist:avg:*"))


async def test_the_universe_is_a_set_that_stays(stocked: Desk) -> None:
    assert (await sync(stocked, data_sets.CACHE_UNIVERSE)).rows == 3
    assert stocked.cache.smembers("ticker:universe") == set(SYMBOLS)
    assert stocked.cache.ttl("ticker:universe") == -1


async def test_average_volumes_are_json_of_whole_numbers(stocked: Desk) -> None:
    assert (await sync(stocked, data_sets.CACHE_AVERAGE_VOLUMES)).rows == 2
    assert as_json(stocked.cache, "ticker:avg_volume:SPY") == {
        "avg_volume_30d": 52, "avg_volume_10d": 49, "avg_volume_5d": 48, "as_of": "2025-11-11",
        "sessions": 30, "sessions_10d": 9, "sessions_5d": 4,
    }  # fmt: skip
    assert stocked.cache.exists("ticker:avg_volume:BACpB") == 0
    assert 0 < stocked.cache.ttl("ticker:avg_volume:SPY") <= FOURTEEN_DAYS


async def test_a_symbol_that_went_is_dropped_from_every_cache_of_the_universe(stocked: Desk) -> None:
    await sync_all(stocked)
    await delist(stocked, "SPY")
    await sync_all(stocked, fence=2)
    assert list(stocked.cache.scan_iter("metadata:ticker:*")) == ["metadata:ticker:SPY"]
    assert list(stocked.cache.scan_iter("ticker:avg_volume:*")) == ["ticker:avg_volume:SPY"]
    assert stocked.cache.smembers("ticker:universe") == {"SPY"}


async def test_a_day_without_atr_values_leaves_no_old_ones_standing(stocked: Desk) -> None:
    await sync(stocked, data_sets.CACHE_ATR)
    await stocked.pool.execute("DELETE FROM ticker_atr")
    assert (await sync(stocked, data_sets.CACHE_ATR, fence=2)).rows == 0
    assert stocked.cache.exists("atr:daily") == 0


@pytest.mark.parametrize("name", [data_sets.CACHE_ATR, *data_sets.CACHE_RVOL, data_sets.CACHE_AVERAGE_VOLUMES])
async def test_a_cache_whose_input_is_missing_stays_as_it_is(stocked: Desk, name: str) -> None:
    await sync_all(stocked)
    before = {key: stocked.cache.dump(key) for key in stocked.cache.scan_iter()}
    with pytest.raises(InputMissing):
        await sync(stocked, name, fence=2, day=CALENDAR.next_trading_day(DAY))
    assert {key: stocked.cache.dump(key) for key in stocked.cache.scan_iter()} == before


async def test_the_ledger_and_redis_tell_of_the_same_write(stocked: Desk) -> None:
    await sync_all(stocked, fence=7)
    marks = {name: text for name, text in stocked.cache.hgetall("maintenance:caches").items() if ":fence" not in name}
    rows = await stocked.pool.fetch("SELECT * FROM coverage WHERE data_set = ANY ($1)", list(CACHES))
    found = {row["data_set"]: (json.loads(row["detail"]) if isinstance(row["detail"], str) else row["detail"],
                               row["row_count"]) for row in rows}  # fmt: skip
    assert marks.keys() == found.keys() == set(CACHES)
    for cache, text in marks.items():
        detail, rows_written = found[cache]
        assert detail == {"fence": 7}
        assert json.loads(text) == {"trading_day": "2025-11-11", "fence": 7, "entries": rows_written}


async def test_a_part_that_lost_its_lease_writes_neither_cache_nor_ledger(stocked: Desk) -> None:
    await sync(stocked, data_sets.CACHE_UNIVERSE, fence=5)
    await delist(stocked, "SPY")
    with pytest.raises(FenceLost):
        await sync(stocked, data_sets.CACHE_UNIVERSE, fence=4)
    assert stocked.cache.smembers("ticker:universe") == set(SYMBOLS)
    assert await stocked.pool.fetchval("SELECT count(*) FROM data_load") == 1


async def test_a_redis_emptied_in_the_middle_fails_the_part_and_leaves_no_mark(
    stocked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = stocked.cache.smembers

    def emptied(*arguments: Any) -> Any:
        stocked.cache.flushall()
        return swap(*arguments)

    monkeypatch.setattr(stocked.cache, "smembers", emptied)
    with pytest.raises(CacheMismatch):
        await sync(stocked, data_sets.CACHE_METADATA)
    assert stocked.cache.exists(keys.CACHES.pattern) == 0
    assert await stocked.pool.fetchval("SELECT count(*) FROM data_load") == 0
