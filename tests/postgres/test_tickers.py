"""Holds universe and metadata to: a null never overwrites a good value, and an older fact never a newer one."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres import tickers
from consumer.postgres.derived import DerivedFigures, store_derived
from consumer.postgres.details import store_details
from consumer.postgres.tickers import UniverseChange
from consumer.vendor.rows import Address, Branding, FloatRow, TickerDetails, TickerRow
from market.sector_names import sector_name
from market.sectors import FUND_TYPES

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection

DAY = dt.date(2025, 11, 11)
NEXT_DAY = DAY + dt.timedelta(days=1)
NOW = dt.datetime(2025, 11, 12, 1, 15, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)
APPLE = TickerRow(
    ticker="AAPL", name="Apple Inc.", primary_exchange="XNAS", type="CS", active=True, cik="0000320193",
    composite_figi="BBG000B9XRY4", share_class_figi="BBG001S5N8V8",
)  # fmt: skip
SPY = TickerRow(ticker="SPY", name="SPDR S&P 500", primary_exchange="ARCX", type="ETF", composite_figi="BBG000BDTBL9")


async def apply(connection: Connection, *rows: TickerRow, day: dt.date = DAY, now: dt.datetime = NOW) -> UniverseChange:
    return await tickers.apply_listing(connection, rows, tickers.Evening(day=day, now=now))


async def universe(connection: Connection, symbol: str) -> dict[str, Any]:
    return dict(await connection.fetchrow("SELECT * FROM listed_ticker WHERE symbol = $1", symbol))  # type: ignore[arg-type]


async def metadata(connection: Connection, symbol: str) -> dict[str, Any]:
    return dict(await connection.fetchrow("SELECT * FROM ticker_profile WHERE symbol = $1", symbol))  # type: ignore[arg-type]


# The listing


async def test_a_first_listing_adds_every_symbol(connection: Connection) -> None:
    assert await apply(connection, APPLE, SPY) == UniverseChange(added=2, removed=0, active=2)
    assert await tickers.count_active(connection) == 2
    row = await universe(connection, "AAPL")
    assert (row["is_active"], row["last_seen"], row["added_at"], row["removed_at"]) == (True, DAY, NOW, None)
    row = await metadata(connection, "SPY")
    assert (row["company_name"], row["is_etf"], row["is_actively_trading"]) == ("SPDR S&P 500", True, True)


async def test_a_symbol_that_the_listing_lacks_becomes_inactive_and_keeps_its_metadata(connection: Connection) -> None:
    await apply(connection, APPLE, SPY)
    assert await apply(connection, SPY, day=NEXT_DAY, now=LATER) == UniverseChange(added=0, removed=1, active=1)
    row = await universe(connection, "AAPL")
    assert (row["is_active"], row["last_seen"], row["removed_at"]) == (False, DAY, LATER)
    assert row["reason_removed"] == "not in the complete listing of 2025-11-12"
    row = await metadata(connection, "AAPL")
    assert (row["company_name"], row["is_actively_trading"]) == ("Apple Inc.", False)


async def test_a_symbol_that_comes_back_is_active_again_and_counts_as_changed(connection: Connection) -> None:
    await apply(connection, APPLE, SPY)
    await apply(connection, SPY, now=LATER)
    back = LATER + dt.timedelta(days=1)
    assert await apply(connection, APPLE, SPY, now=back) == UniverseChange(added=0, removed=0, active=2)
    row = await universe(connection, "AAPL")
    assert (row["is_active"], row["removed_at"], row["reason_removed"]) == (True, None, None)
    assert (row["added_at"], row["changed_at"]) == (NOW, back)
    assert (await metadata(connection, "AAPL"))["is_actively_trading"] is True
    assert (await universe(connection, "SPY"))["changed_at"] == NOW


async def test_symbols_are_case_sensitive(connection: Connection) -> None:
    await apply(connection, TickerRow(ticker="BACpB"), TickerRow(ticker="BACPB"))
    assert await apply(connection, TickerRow(ticker="BACpB"), now=LATER) == UniverseChange(added=0, removed=1, active=1)
    assert (await universe(connection, "BACpB"))["is_active"] is True


async def test_a_listing_with_nulls_overwrites_nothing(connection: Connection) -> None:
    await apply(connection, APPLE, SPY)
    before = await metadata(connection, "AAPL"), await metadata(connection, "SPY")
    listed = await universe(connection, "AAPL")
    await apply(connection, TickerRow(ticker="AAPL"), TickerRow(ticker="SPY"), now=LATER)
    assert (await metadata(connection, "AAPL"), await metadata(connection, "SPY")) == before
    assert await universe(connection, "AAPL") == listed


async def test_a_changed_fact_is_taken_over(connection: Connection) -> None:
    await apply(connection, APPLE)
    changed = TickerRow(ticker="AAPL", type="ETF", share_class_figi="BBG001NEW")
    await apply(connection, changed, now=LATER)
    row = await metadata(connection, "AAPL")
    assert (row["is_etf"], row["ticker_type"], row["share_class_figi"]) == (True, "ETF", "BBG001NEW")
    assert (row["company_name"], row["updated_at"]) == ("Apple Inc.", LATER)


async def test_a_listing_read_for_an_older_day_does_not_turn_last_seen_back(connection: Connection) -> None:
    await apply(connection, APPLE, day=NEXT_DAY)
    await apply(connection, APPLE, day=DAY, now=LATER)
    assert (await universe(connection, "AAPL"))["last_seen"] == NEXT_DAY


@pytest.mark.parametrize(
    ("now_listed", "is_another"),
    [
        pytest.param(TickerRow(ticker="AAPL", composite_figi="BBG00OTHER"), True, id="another FIGI"),
        pytest.param(
            TickerRow(ticker="AAPL", composite_figi="BBG000B9XRY4", cik="999"), False, id="same FIGI, new CIK"
        ),
        pytest.param(TickerRow(ticker="AAPL", cik="999"), True, id="no FIGI, another CIK"),
        pytest.param(TickerRow(ticker="AAPL"), False, id="nothing said"),
    ],
)
async def test_another_company_inherits_nothing_of_the_symbol(
    connection: Connection, now_listed: TickerRow, is_another: bool
) -> None:
    await apply(connection, APPLE)
    details = TickerDetails(ticker="AAPL", type="CS", sic_code="3571", weighted_shares_outstanding=1e9)
    await store_details(connection, [details], [], now=NOW)
    await apply(connection, now_listed, now=LATER)
    row = await metadata(connection, "AAPL")
    assert (row["shares_outstanding"] is None) is is_another
    assert (row["details_attempted_at"] is None) is is_another
    assert (row["company_name"] is None) is is_another


@pytest.mark.parametrize(
    ("now_listed", "changed"),
    [
        (TickerRow(ticker="AAPL", composite_figi="BBG00OTHER"), True),
        (TickerRow(ticker="AAPL", composite_figi="BBG000B9XRY4", cik="999"), True),
        (APPLE, False),
        (TickerRow(ticker="AAPL"), False),
    ],
)
async def test_another_identity_counts_as_changed(connection: Connection, now_listed: TickerRow, changed: bool) -> None:
    await apply(connection, APPLE)
    await apply(connection, now_listed, now=LATER)
    assert (await universe(connection, "AAPL"))["changed_at"] == (LATER if changed else NOW)


# Details

FULL = TickerDetails(
    ticker="AAPL", name="Apple Inc.", type="CS", primary_exchange="XNAS", cik="0000320193",
    weighted_shares_outstanding=14.8e9, share_class_shares_outstanding=14.7e9, sic_code="3571",
    sic_description="ELECTRONIC COMPUTERS", list_date=dt.date(1980, 12, 12), market="stocks", locale="us",
    currency_name="usd", round_lot=100.0, description="Designs phones.\nAnd sells them.", total_employees=166_000,
    homepage_url="https://www.apple.com", phone_number="(408) 996-1010", ticker_root="AAPL",
    address=Address(address1="ONE APPLE PARK WAY", city="CUPERTINO", state="CA", postal_code="95014"),
    branding=Branding(logo_url="https://pictures.example/logo.svg", icon_url="https://pictures.example/icon.png"),
)  # fmt: skip


async def test_details_are_stored_with_sector_and_the_day_of_the_count(connection: Connection) -> None:
    await store_details(connection, [FULL], [], now=NOW)
    row = await metadata(connection, "AAPL")
    assert (row["sector"], row["sector_scheme"], row["industry"]) == ("BusEq", "FF12", "ELECTRONIC COMPUTERS")
    assert (row["industry_group"], row["shares_outstanding"], row["shares_class"]) == ("35", 14.8e9, 14.7e9)
    assert (row["list_date"], row["details_outcome"]) == (dt.date(1980, 12, 12), "loaded")
    assert (row["details_attempted_at"], row["details_fetched_at"]) == (NOW, NOW)


async def test_details_of_a_batch_are_each_stored_for_their_own_symbol(connection: Connection) -> None:
    batch = [FULL, TickerDetails(ticker="B", name="B Inc.", type="ETF", total_employees=7), TickerDetails(ticker="C")]
    await store_details(connection, batch, ["GONE"], now=NOW)
    rows = [await metadata(connection, symbol) for symbol in ("AAPL", "B", "C", "GONE")]
    assert [(row["company_name"], row["total_employees"], row["is_etf"], row["details_outcome"]) for row in rows] == [
        ("Apple Inc.", 166_000, False, "loaded"), ("B Inc.", 7, True, "loaded"), (None, None, False, "loaded"),
        (None, None, False, "not_found"),
    ]  # fmt: skip


async def test_what_details_tell_of_a_company_is_kept_beside_what_is_made_of_it(
    connection: Connection,
) -> None:
    await store_details(connection, [FULL], [], now=NOW)
    row = await metadata(connection, "AAPL")
    assert (row["market"], row["locale"], row["currency_name"]) == ("stocks", "us", "usd")
    assert (row["round_lot"], row["total_employees"], row["phone_number"]) == (100, 166_000, "(408) 996-1010")
    assert (row["description"], row["homepage_url"]) == ("Designs phones.\nAnd sells them.", "https://www.apple.com")
    assert (row["ticker_root"], row["ticker_suffix"], row["delisted_utc"]) == ("AAPL", None, None)
    assert (row["logo_url"], row["icon_url"]) == (
        "https://pictures.example/logo.svg", "https://pictures.example/icon.png",
    )  # fmt: skip
    assert [row[name] for name in ("address1", "address2", "city", "state", "postal_code")] == [
        "ONE APPLE PARK WAY", None, "CUPERTINO", "CA", "95014",
    ]  # fmt: skip


async def test_who_has_moved_has_no_line_of_the_old_address(connection: Connection) -> None:
    old = Address(address1="1 OLD ROAD", address2="FLOOR 7", city="OLDTOWN", state="CA", postal_code="95014")
    await store_details(connection, [TickerDetails(ticker="A", address=old)], [], now=NOW)
    await store_details(connection, [TickerDetails(ticker="A", address=Address(city="NEWTOWN"))], [], now=LATER)
    row = await metadata(connection, "A")
    assert [row[name] for name in ("address1", "address2", "city", "state", "postal_code")] == [
        None, None, "NEWTOWN", None, None,
    ]  # fmt: skip


async def test_a_company_that_is_listed_again_is_not_delisted(connection: Connection) -> None:
    gone = TickerDetails(ticker="A", delisted_utc="2025-10-01T00:00:00Z")
    await store_details(connection, [gone], [], now=NOW)
    assert (await metadata(connection, "A"))["delisted_utc"] == dt.datetime(2025, 10, 1, tzinfo=dt.UTC)
    await store_details(connection, [TickerDetails(ticker="A")], [], now=LATER)
    assert (await metadata(connection, "A"))["delisted_utc"] is None


async def test_the_database_places_every_code_in_the_sector_that_the_program_does(connection: Connection) -> None:
    codes = [None, "", "abcd", "35713", *(f"{code:04d}" for code in range(10_000)), "100", "0"]
    for ticker_type in (None, "CS", *FUND_TYPES):
        rows = await connection.fetch(
            "SELECT sic, sector_of_sic($1, sic) AS sector FROM unnest($2::text[]) AS u (sic)", ticker_type, codes
        )
        assert {r["sic"]: r["sector"] for r in rows} == {one: sector_name(ticker_type, one) for one in codes}


@pytest.mark.parametrize("nothing", [None, 0.0])
async def test_details_without_values_overwrite_nothing(connection: Connection, nothing: float | None) -> None:
    await store_details(connection, [FULL], [], now=NOW)
    before = await metadata(connection, "AAPL")
    empty = TickerDetails(ticker="AAPL", weighted_shares_outstanding=nothing, share_class_shares_outstanding=nothing)
    await store_details(connection, [empty], [], now=LATER)
    after = await metadata(connection, "AAPL")
    assert after == {**before, "details_attempted_at": LATER, "updated_at": LATER}  # the count is still of NOW


async def test_a_class_count_stands_in_for_a_missing_weighted_one(connection: Connection) -> None:
    details = TickerDetails(ticker="A", weighted_shares_outstanding=0.0, share_class_shares_outstanding=5.0)
    await store_details(connection, [details], [], now=NOW)
    assert (await metadata(connection, "A"))["shares_outstanding"] == 5.0


async def test_not_found_is_remembered_and_takes_nothing_away(connection: Connection) -> None:
    await store_details(connection, [FULL], [], now=NOW)
    before = await metadata(connection, "AAPL")
    await store_details(connection, [], ["AAPL", "NEW"], now=LATER)
    assert await metadata(connection, "AAPL") == {
        **before, "details_attempted_at": LATER, "details_outcome": "not_found",
    }  # fmt: skip
    row = await metadata(connection, "NEW")
    assert (row["details_attempted_at"], row["details_outcome"], row["details_fetched_at"]) == (
        LATER,
        "not_found",
        None,
    )


# Floats


def free_float(day: dt.date | None, shares: int | None, percent: float | None = None) -> FloatRow:
    return FloatRow(ticker="AAPL", effective_date=day, free_float=shares, free_float_percent=percent)


async def test_the_newest_float_is_stored_for_known_symbols_only(connection: Connection) -> None:
    await apply(connection, APPLE)
    rows = [
        free_float(DAY, 300, 99.5),
        free_float(DAY - dt.timedelta(days=30), 200),
        FloatRow(ticker="X", free_float=1),
    ]
    assert await tickers.store_floats(connection, rows, now=LATER) == 1
    row = await metadata(connection, "AAPL")
    assert (row["float_shares"], row["float_percent"], row["float_effective_date"]) == (300.0, 99.5, DAY)
    assert await connection.fetchval("SELECT count(*) FROM ticker_profile") == 1


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param(free_float(NEXT_DAY, None, 1.0), id="no shares"),
        pytest.param(free_float(NEXT_DAY, 0, 1.0), id="zero shares"),
        pytest.param(free_float(DAY - dt.timedelta(days=1), 1, 1.0), id="older"),
        pytest.param(free_float(DAY, 300), id="no percent"),
        pytest.param(free_float(None, 300), id="no date"),
    ],
)
async def test_a_worse_float_overwrites_nothing(connection: Connection, worse: FloatRow) -> None:
    await apply(connection, APPLE)
    await tickers.store_floats(connection, [free_float(DAY, 300, 99.5)], now=NOW)
    before = await metadata(connection, "AAPL")
    await tickers.store_floats(connection, [worse], now=LATER)
    assert await metadata(connection, "AAPL") == before


async def test_a_stored_float_of_a_day_to_come_holds_no_right_one_off(connection: Connection) -> None:
    await apply(connection, APPLE)
    await tickers.store_floats(connection, [free_float(LATER.date() + dt.timedelta(days=90), 7)], now=NOW)
    await tickers.store_floats(connection, [free_float(DAY, 300)], now=LATER)
    row = await metadata(connection, "AAPL")
    assert (row["float_shares"], row["float_effective_date"]) == (300.0, DAY)


# Derived figures


def figures(symbol: str, close: float, cap: float | None) -> DerivedFigures:
    return DerivedFigures(
        symbol=symbol, market_cap=cap, last_close=close, avg_volume_30d=3.0, avg_volume_10d=2.0, avg_volume_5d=1.0,
        avg_price_30d=9.0,
    )  # fmt: skip


async def derived(connection: Connection, symbol: str) -> tuple[object, ...]:
    row = await metadata(connection, symbol)
    return row["market_cap"], row["last_close"], row["as_of"]


async def test_figures_of_an_older_day_never_overwrite_newer_ones(connection: Connection) -> None:
    await store_derived(connection, [figures("A", 10.0, 100.0)], day=NEXT_DAY, now=NOW)
    await store_derived(connection, [figures("A", 5.0, 50.0)], day=DAY, now=LATER)
    assert await derived(connection, "A") == (100.0, 10.0, NEXT_DAY)
    await store_derived(connection, [figures("A", 11.0, 110.0)], day=NEXT_DAY, now=LATER)
    assert await derived(connection, "A") == (110.0, 11.0, NEXT_DAY)


async def test_an_unknown_market_cap_leaves_the_old_one(connection: Connection) -> None:
    await store_derived(connection, [figures("A", 10.0, 100.0)], day=DAY, now=NOW)
    await store_derived(connection, [figures("A", 11.0, None)], day=NEXT_DAY, now=LATER)
    assert await derived(connection, "A") == (100.0, 11.0, NEXT_DAY)


async def test_figures_of_a_symbol_that_is_not_listed_do_not_make_it_trade(connection: Connection) -> None:
    await apply(connection, APPLE)
    await store_derived(connection, [figures("OTC", 1.0, None), figures("AAPL", 1.0, None)], day=DAY, now=NOW)
    assert (await metadata(connection, "OTC"))["is_actively_trading"] is False
    assert (await metadata(connection, "AAPL"))["is_actively_trading"] is True


# The relations that SQL readers know

V1_COLUMNS = {
    "market_data_daily": "trading_date symbol open high low close volume vwap trades_count",
    "volume_slots": "date symbol slot_number slot_time volume_accumulated trades_count avg_price",
    "ticker_metadata": "symbol company_name exchange sector industry market_cap float_shares shares_outstanding "
    "avg_volume_30d avg_volume_10d avg_price_30d beta is_etf is_actively_trading updated_at created_at",
    "ticker_universe": "symbol is_active last_seen added_at removed_at reason_removed",
}


@pytest.mark.parametrize("relation", V1_COLUMNS)
async def test_readers_of_the_earlier_service_find_their_columns(connection: Connection, relation: str) -> None:
    columns = ", ".join(V1_COLUMNS[relation].split())
    assert await connection.fetch(f"SELECT {columns} FROM public.{relation} ORDER BY symbol LIMIT 1") == []
