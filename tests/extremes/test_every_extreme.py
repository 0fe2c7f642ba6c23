"""Drives every field of every endpoint with every extreme through the whole way: HTTP, client, part, tables, caches.

Many extremes come in one answer, a row each, sound neighbours between them. What must become of each is said by an
oracle of its own (tests/extremes/oracle.py): kept exactly, or kept nowhere and set aside with its reason.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres.tickers import ETF_TYPES
from consumer.tasks.calendar_check import check_calendar
from consumer.tasks.dividends import load_dividends
from consumer.tasks.metadata_enrich import load_details, load_floats, load_universe
from consumer.tasks.splits import load_splits
from contract import data_sets
from market.bounded_fields import ENDPOINTS
from tests.extremes import oracle
from tests.extremes.findings import assert_each_was_tried, caches, expected_lost, set_aside, strict, value, whole_rows
from tests.extremes.values import EXTREMES, SOUND, Case, cases
from tests.extremes.wire import LISTING, envelope, list_sound

if TYPE_CHECKING:
    from tests.extremes.wire import Wire


def test_there_is_an_extreme_for_every_way_to_be_wrong() -> None:
    fields = sum(len(found) for endpoint, found in ENDPOINTS.items() if endpoint in SOUND)
    print(f"{fields} fields x {len(EXTREMES)} extremes = {fields * len(EXTREMES)}, and 9 of the envelope")
    assert len({extreme.raw for extreme in EXTREMES}) == len(EXTREMES) >= 50
    assert set(SOUND) == set(ENDPOINTS) - {"envelope", "day_file", "minute_file"}


# The universe


def as_listed(fields: dict[str, Any]) -> tuple[Any, ...]:
    kind = value(fields, "type")
    return (
        value(fields, "name"), value(fields, "primary_exchange"), kind, value(fields, "cik"),
        value(fields, "composite_figi"), value(fields, "share_class_figi"), kind in ETF_TYPES,
    )  # fmt: skip


async def test_every_extreme_of_the_listing_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("tickers")
    assert_each_was_tried("tickers", tried)
    wire.says[LISTING] = envelope(case.json for case in tried)
    await wire.desk.run(load_universe)
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, company_name, exchange, ticker_type, cik, composite_figi, share_class_figi, is_etf "
        "FROM ticker_profile"
    )
    listed = {fields["ticker"]: as_listed(fields) for fields in whole_rows(tried) if fields["active"] is not False}
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == listed
    assert await set_aside(wire.desk, data_sets.UNIVERSE) == expected_lost(tried)
    await caches(wire.desk, data_sets.CACHE_METADATA, data_sets.CACHE_UNIVERSE)
    assert wire.desk.cache.smembers("ticker:universe") == listed.keys()
    for symbol, (name, exchange, *_) in listed.items():
        cached = strict(wire.desk.cache.get(f"metadata:ticker:{symbol}"))
        assert (cached.get("company_name"), cached.get("exchange")) == (name, exchange)


async def test_every_extreme_of_a_delisting_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    """The listing of what has left the market: one malformed instant used to end the whole listing."""
    tried = cases("tickers", fields=("delisted_utc",))
    stay = [Case(f"STAY{number}", "tickers") for number in range(10 * len(tried))]
    wire.says[LISTING] = envelope(case.json for case in (*stay, *(Case(one.symbol, "tickers") for one in tried)))
    await wire.desk.run(load_universe)
    answers = {"true": envelope(case.json for case in stay), "false": envelope(case.json for case in tried)}
    wire.by_query = ("active", answers)
    await wire.desk.run(load_universe)
    rows = await wire.desk.pool.fetch("SELECT symbol, state, delisted_at FROM listed_ticker WHERE NOT is_active")
    since = {fields["ticker"]: value(fields, "delisted_utc") for fields in whole_rows(tried)}
    delisted = {symbol: ("delisted", at) for symbol, at in since.items() if at is not None}
    unknown = {case.symbol: ("unlisted", None) for case in tried if case.symbol not in delisted}
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == delisted | unknown
    assert await set_aside(wire.desk, data_sets.UNIVERSE) == expected_lost(tried)


# Details, floats, splits


def as_detailed(fields: dict[str, Any]) -> tuple[Any, ...]:
    class_shares = value(fields, "share_class_shares_outstanding")
    return (
        value(fields, "name") or "Sound Inc.", value(fields, "sic_code"), value(fields, "sic_description"),
        value(fields, "weighted_shares_outstanding") or class_shares, class_shares, value(fields, "list_date"),
        value(fields, "cik") or "0000000042", value(fields, "primary_exchange") or "XNAS",
    )  # fmt: skip


async def test_every_extreme_of_the_details_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("ticker_details")
    assert_each_was_tried("ticker_details", tried)
    await list_sound(wire, [case.symbol for case in tried])
    for case in tried:
        wire.says[f"{LISTING}/{case.symbol}"] = b'{"status":"OK","results":%s}' % case.json
    report = await wire.desk.run(load_details, {"symbols": [case.symbol for case in tried]})
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, company_name, sic_code, industry, shares_outstanding, shares_class, list_date, cik, exchange "
        "FROM ticker_profile WHERE details_outcome = 'loaded'"
    )
    own = [case for case in tried if (fields := oracle.row(case)) is not None and fields["ticker"] == case.symbol]
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == {
        case.symbol: as_detailed(oracle.row(case) or {}) for case in own
    }
    assert report.unfinished is not None  # details of another ticker, or none at all: these symbols stay due
    assert await set_aside(wire.desk, data_sets.DETAILS) == expected_lost(own)
    await caches(wire.desk, data_sets.CACHE_METADATA)
    for case in own:
        cached = strict(wire.desk.cache.get(f"metadata:ticker:{case.symbol}"))
        shares = as_detailed(oracle.row(case) or {})[3]
        assert cached.get("shares_outstanding") == (None if shares is None else round(shares))


@pytest.mark.parametrize(("member", "endpoint"), [("address", "ticker_address"), ("branding", "ticker_branding")])
async def test_every_extreme_of_what_stands_within_details_is_kept_exactly_or_set_aside(
    wire: Wire, member: str, endpoint: str
) -> None:
    tried = cases(endpoint)
    assert_each_was_tried(endpoint, tried)
    await list_sound(wire, [case.symbol for case in tried])
    for case in tried:
        around = Case(case.symbol, "ticker_details").json[:-1]
        wire.says[f"{LISTING}/{case.symbol}"] = b'{"status":"OK","results":%s,"%s":%s}}' % (
            around, member.encode(), case.json,
        )  # fmt: skip
    await wire.desk.run(load_details, {"symbols": [case.symbol for case in tried]})
    names = tuple(SOUND[endpoint])
    rows = await wire.desk.pool.fetch(
        f"SELECT symbol, {', '.join(names)} FROM ticker_profile WHERE details_outcome = 'loaded'"
    )
    kept = {case.symbol: oracle.row(case) for case in tried}
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == {
        symbol: tuple(value(fields, name) for name in names) for symbol, fields in kept.items() if fields is not None
    }
    read = [case for case in tried if kept[case.symbol] is not None]
    assert await set_aside(wire.desk, data_sets.DETAILS) == expected_lost(read)


@pytest.mark.parametrize("member", ["address", "branding"])
async def test_what_is_no_address_at_all_costs_that_member_alone(wire: Wire, member: str) -> None:
    whole = {f"W{number}": one.raw for number, one in enumerate(EXTREMES) if one.raw and one.name != "no JSON"}
    await list_sound(wire, list(whole))
    for symbol, raw in whole.items():
        around = Case(symbol, "ticker_details").json[:-1]
        wire.says[f"{LISTING}/{symbol}"] = b'{"status":"OK","results":%s,"%s":%s}}' % (around, member.encode(), raw)
    await wire.desk.run(load_details, {"symbols": list(whole)})
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, city, logo_url FROM ticker_profile WHERE details_outcome = 'loaded'"
    )
    assert {row["symbol"] for row in rows} == set(whole)
    assert {tuple(row)[1:] for row in rows} == {(None, None)}
    sound = {symbol for symbol, raw in whole.items() if raw in (b"null", b"{}")}
    assert set(await set_aside(wire.desk, data_sets.DETAILS)) == {(symbol, member) for symbol in set(whole) - sound}


async def test_every_extreme_of_a_float_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("floats")
    assert_each_was_tried("floats", tried)
    await list_sound(wire, [case.symbol for case in tried])
    wire.says["/stocks/vX/float"] = envelope(case.json for case in tried)
    await wire.desk.run(load_floats)
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, float_shares, float_percent, float_effective_date FROM ticker_profile "
        "WHERE float_shares IS NOT NULL"
    )
    known = {case.symbol for case in tried}
    floats = {
        fields["ticker"]: tuple(value(fields, n) for n in ("free_float", "free_float_percent", "effective_date"))
        for fields in whole_rows(tried)
        if fields["ticker"] in known and value(fields, "free_float")
    }
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == floats
    assert await set_aside(wire.desk, data_sets.FLOATS) == expected_lost(tried)
    await caches(wire.desk, data_sets.CACHE_METADATA)
    for symbol, (shares, percent, _) in floats.items():
        cached = strict(wire.desk.cache.get(f"metadata:ticker:{symbol}"))
        assert (cached["float_shares"], cached.get("float_percent")) == (shares, percent)


async def test_every_extreme_of_a_split_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("splits")
    assert_each_was_tried("splits", tried)
    wire.says["/stocks/v1/splits"] = envelope(case.json for case in tried)
    await wire.desk.run(load_splits, {"since": "2025-10-01"})
    rows = await wire.desk.pool.fetch("SELECT symbol, execution_day, split_from, split_to, kind FROM stock_split")
    splits, foreign = {}, Counter[tuple[str | None, str | None]]()
    for fields in whole_rows(tried):
        if not dt.date(2025, 10, 1) <= fields["execution_date"] <= dt.date(2025, 11, 18):
            foreign[fields["ticker"], None] += 1
            continue
        ratio = (fields["execution_date"], fields["split_from"], fields["split_to"])
        splits[fields["ticker"]] = (*ratio, value(fields, "adjustment_type") or "split")
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == splits
    assert await set_aside(wire.desk, data_sets.SPLITS) == expected_lost(tried) + foreign


async def test_every_extreme_of_a_dividend_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("dividends")
    assert_each_was_tried("dividends", tried)
    wire.says["/stocks/v1/dividends"] = envelope(case.json for case in tried)
    await wire.desk.run(load_dividends, {"since": "2025-10-01"})
    columns = ("declared_day", "record_day", "pay_day", "frequency", "vendor_id")
    rows = await wire.desk.pool.fetch(
        f"SELECT symbol, ex_dividend_day, cash_amount, currency, distribution_type, {', '.join(columns)} "
        "FROM stock_dividend"
    )
    kept, foreign = {}, Counter[tuple[str | None, str | None]]()
    for fields in whole_rows(tried):
        if not dt.date(2025, 10, 1) <= fields["ex_dividend_date"] <= dt.date(2025, 11, 18):
            foreign[fields["ticker"], None] += 1
            continue
        kept[fields["ticker"]] = (
            fields["ex_dividend_date"],
            fields["cash_amount"],
            (value(fields, "currency") or "XXX").upper(),
            value(fields, "distribution_type") or "unknown",
            *(value(fields, name) for name in ("declaration_date", "record_date", "pay_date", "frequency", "id")),
        )
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == kept
    assert await set_aside(wire.desk, data_sets.DIVIDENDS) == expected_lost(tried) + foreign


async def test_every_extreme_of_a_closure_is_read_or_set_aside(wire: Wire) -> None:
    tried = cases("market_holidays")
    assert_each_was_tried("market_holidays", tried)
    wire.says["/v1/marketstatus/upcoming"] = b"[%s]" % b",".join(case.json for case in tried)
    await wire.desk.run(check_calendar)
    loaded = await wire.desk.pool.fetchval("SELECT row_count FROM data_load")
    assert loaded == len(whole_rows(tried))
    found = await set_aside(wire.desk, data_sets.CALENDAR_CHECK)
    assert found == Counter((None, lost[1]) for case in tried if (lost := oracle.lost(case)) is not None)
