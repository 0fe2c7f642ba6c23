"""Drives every field of every endpoint with every extreme through the whole way: HTTP, client, part, tables, caches.

Many extremes come in one answer, a row each, sound neighbours between them. What must become of each is said by an
oracle of its own (tests/extremes/oracle.py): kept exactly, or kept nowhere and set aside with its reason.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres.tickers import ETF_TYPES
from consumer.tasks import data_sets
from consumer.tasks.calendar_check import check_calendar
from consumer.tasks.derived_figures import compute_derived
from consumer.tasks.metadata_enrich import load_details, load_floats, load_universe
from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.redis_sync import sync_cache
from consumer.tasks.splits import load_splits
from consumer.tasks.volume_slots import load_batch
from market.bounded_fields import ENDPOINTS
from tests.extremes import oracle
from tests.extremes.oracle import LOST
from tests.extremes.values import EXTREMES, SOUND, Case, cases
from tests.tasks.conftest import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.extremes.conftest import Wire
    from tests.tasks.conftest import Desk

LISTING = "/v3/reference/tickers"
GROUPED = f"/v2/aggs/grouped/locale/us/market/stocks/{DAY}"


def envelope(rows: Iterable[bytes]) -> bytes:
    listed = list(rows)
    return b'{"status":"OK","request_id":"r1","resultsCount":%d,"results":[%s]}' % (len(listed), b",".join(listed))


async def set_aside(desk: Desk, data_set: str) -> Counter[tuple[str | None, str | None]]:
    """(symbol, field) of what was set aside; each with a flaw and, while it was kept, what came."""
    rows = await desk.pool.fetch("SELECT symbol, field, flaw, evidence FROM set_aside WHERE data_set = $1", data_set)
    for row in rows:
        assert row["flaw"]
        json.loads(row["evidence"], parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        assert len(row["evidence"]) < 30_000
    counted = await desk.pool.fetchval(
        "SELECT sum(value::bigint) FROM data_load, jsonb_each_text(rejected) WHERE rejected <> '{}'"
    )
    assert (counted or 0) >= len(rows)
    return Counter((row["symbol"], row["field"]) for row in rows)


def expected_lost(tried: Iterable[Case]) -> Counter[tuple[str | None, str | None]]:
    return Counter(found for case in tried if (found := oracle.lost(case)) is not None)


def whole_rows(tried: Iterable[Case]) -> list[dict[str, Any]]:
    return [fields for case in tried if (fields := oracle.row(case)) is not None]


def value(fields: dict[str, Any], name: str) -> Any:
    return None if fields[name] is LOST else fields[name]


def assert_each_was_tried(endpoint: str, tried: list[Case]) -> None:
    spoiled = [case for case in tried if case.field is not None]
    print(f"{endpoint}: {len(ENDPOINTS[endpoint])} fields x {len(EXTREMES)} extremes = {len(spoiled)}")
    assert len(spoiled) == len(ENDPOINTS[endpoint]) * len(EXTREMES)


async def caches(desk: Desk, *names: str) -> None:
    for name in names:
        report = await desk.run(sync_cache, {"cache": name}, fence=2)
        assert report.warnings == ()


def strict(text: str | None) -> dict[str, Any]:
    assert text is not None
    return dict(json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON")))


def test_there_is_an_extreme_for_every_way_to_be_wrong() -> None:
    fields = sum(len(found) for endpoint, found in ENDPOINTS.items() if endpoint in SOUND)
    print(f"{fields} fields x {len(EXTREMES)} extremes = {fields * len(EXTREMES)}, and 9 of the envelope")
    assert len({extreme.raw for extreme in EXTREMES}) == len(EXTREMES) >= 50
    assert set(SOUND) == set(ENDPOINTS) - {"envelope", "day_file", "minute_file"}


# Daily bars


def bar_of(fields: dict[str, Any]) -> tuple[Any, ...] | None:
    """The bar that must be stored, None where its prices contradict each other."""
    low, high = fields["l"], fields["h"]
    if not (low <= fields["o"] <= high and low <= fields["c"] <= high):
        return None
    session = dt.datetime.combine(DAY, dt.time(5), dt.UTC).timestamp() * 1000  # midnight in New York
    if not session <= fields["t"] < session + 86_400_000:
        return None
    mean = value(fields, "vw")
    return (
        fields["o"], high, low, fields["c"], fields["v"], mean if mean is None or low <= mean <= high else None,
        value(fields, "n"),
    )  # fmt: skip


def bar_lost(case: Case) -> tuple[str | None, str | None] | None:
    fields = oracle.row(case)
    if fields is not None and bar_of(fields) is None:
        return fields["T"], None
    if fields is not None and (mean := value(fields, "vw")) is not None and not fields["l"] <= mean <= fields["h"]:
        return fields["T"], "vw"
    return oracle.lost(case)


async def test_every_extreme_of_a_daily_bar_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("grouped_daily")
    assert_each_was_tried("grouped_daily", tried)
    wire.says[GROUPED] = envelope(case.json for case in tried)
    await wire.desk.run(load_session_bars, {"session": str(DAY)})
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, open, high, low, close, volume, vwap, trades_count FROM market_data_daily"
    )
    bars = {fields["T"]: bar for fields in whole_rows(tried) if (bar := bar_of(fields)) is not None}
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == bars
    lost = Counter(found for case in tried if (found := bar_lost(case)) is not None)
    # A flag of the bar that is read and not kept.
    assert await set_aside(wire.desk, data_sets.DAILY_BARS) == lost
    await wire.desk.run(compute_derived)
    await wire.desk.pool.execute(
        "INSERT INTO ticker_universe (symbol, is_active, last_seen, added_at, changed_at) "
        "SELECT symbol, true, $1, now(), now() FROM market_data_daily", DAY,
    )  # fmt: skip
    await caches(wire.desk, data_sets.CACHE_AVERAGE_VOLUMES, data_sets.CACHE_METADATA)
    for symbol, bar in bars.items():
        cached = strict(wire.desk.cache.get(f"ticker:avg_volume:{symbol}"))
        assert cached["avg_volume_5d"] == round(bar[4])
        assert strict(wire.desk.cache.get(f"metadata:ticker:{symbol}"))["last_close"] == bar[3]


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
        "FROM ticker_metadata"
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
    rows = await wire.desk.pool.fetch("SELECT symbol, state, delisted_at FROM ticker_universe WHERE NOT is_active")
    delisted = {fields["ticker"]: ("delisted", value(fields, "delisted_utc")) for fields in whole_rows(tried)}
    unknown = {case.symbol: ("unlisted", None) for case in tried if case.symbol not in delisted}
    assert {row["symbol"]: tuple(row)[1:] for row in rows} == delisted | unknown
    assert await set_aside(wire.desk, data_sets.UNIVERSE) == expected_lost(tried)


# Details, floats, splits


async def list_sound(wire: Wire, symbols: Iterable[str]) -> None:
    wire.says[LISTING] = envelope(Case(symbol, "tickers").json for symbol in symbols)
    await wire.desk.run(load_universe)
    del wire.says[LISTING]


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
        "FROM ticker_metadata WHERE details_outcome = 'loaded'"
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


async def test_every_extreme_of_a_float_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("floats")
    assert_each_was_tried("floats", tried)
    await list_sound(wire, [case.symbol for case in tried])
    wire.says["/stocks/vX/float"] = envelope(case.json for case in tried)
    await wire.desk.run(load_floats)
    rows = await wire.desk.pool.fetch(
        "SELECT symbol, float_shares, float_percent, float_effective_date FROM ticker_metadata "
        "WHERE float_shares IS NOT NULL"
    )
    known = {case.symbol for case in tried}
    floats = {
        fields["ticker"]: tuple(value(fields, n) for n in ("free_float", "free_float_percent", "effective_date"))
        for fields in whole_rows(tried)
        if fields["ticker"] in known and value(fields, "free_float") is not None
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


async def test_every_extreme_of_a_closure_is_read_or_set_aside(wire: Wire) -> None:
    tried = cases("market_holidays")
    assert_each_was_tried("market_holidays", tried)
    wire.says["/v1/marketstatus/upcoming"] = b"[%s]" % b",".join(case.json for case in tried)
    await wire.desk.run(check_calendar)
    loaded = await wire.desk.pool.fetchval("SELECT row_count FROM data_load")
    assert loaded == len(whole_rows(tried))
    found = await set_aside(wire.desk, data_sets.CALENDAR_CHECK)
    assert found == Counter((None, lost[1]) for case in tried if (lost := oracle.lost(case)) is not None)


# Intraday bars, and the envelope around them


def bars_path(symbol: str) -> str:
    return f"/v2/aggs/ticker/{symbol}/range/5/minute/{DAY}/{DAY}"


async def ask_for_slots(wire: Wire, symbols: list[str]) -> Any:
    wire.desk.options = type(wire.desk.options)(slot_sessions=1, batch=len(symbols))
    await wire.desk.pool.executemany(
        "INSERT INTO ticker_universe (symbol, is_active, last_seen, added_at, changed_at) "
        "VALUES ($1, true, $2, $3, $3)",
        [(symbol, DAY, wire.desk.now) for symbol in symbols],
    )
    return await wire.desk.run(load_batch, {"symbols": symbols})


async def slots_of(desk: Desk) -> dict[str, tuple[str, dict[int, float]]]:
    rows = await desk.pool.fetch("SELECT symbol, outcome, volumes FROM volume_slots_daily")
    return {
        row["symbol"]: (row["outcome"], {slot: v for slot, v in enumerate(row["volumes"] or ()) if v}) for row in rows
    }


NEIGHBOURS = [
    Case("", "range_bars").json.replace(b"1762873200000", b"%d" % (1762873200000 + 300_000 * at)) for at in (1, 2)
]


async def test_every_extreme_of_an_intraday_bar_is_kept_exactly_or_set_aside(wire: Wire) -> None:
    tried = cases("range_bars")
    assert_each_was_tried("range_bars", tried)
    for case in tried:
        body = envelope([NEIGHBOURS[0], case.json, NEIGHBOURS[1]])
        wire.says[bars_path(case.symbol)] = body.replace(b"{", b'{"ticker":"%s",' % case.symbol.encode(), 1)
    await ask_for_slots(wire, [case.symbol for case in tried])
    found = await slots_of(wire.desk)
    lost = Counter[tuple[str | None, str | None]]()
    for case in tried:
        fields = oracle.row(case)
        of_the_day = fields is not None and fields["t"] == 1762873200000
        own = {72: fields["v"]} if fields is not None and of_the_day and fields["v"] else {}
        assert found[case.symbol] == ("traded", {73: 64.5, 74: 64.5} | own), case
        lost[case.symbol, None] += not of_the_day
    assert await set_aside(wire.desk, data_sets.VOLUME_SLOTS) == +lost
    await wire.desk.cover(data_sets.VOLUME_SLOTS)
    await caches(wire.desk, *data_sets.CACHE_RVOL)
    for symbol, (_, slots) in found.items():
        cached: Any = wire.desk.cache.hgetall(f"rvol:hist:avg:{symbol}:5")
        assert int(cached["191"]) == math.floor(sum(slots.values()) + 1e-6)


async def test_no_extreme_around_the_rows_stores_a_wrong_one_or_loses_a_sound_one_silently(wire: Wire) -> None:
    tried = [
        Case(f"E{number}", "range_bars", field, extreme)
        for number, (field, extreme) in enumerate((f, e) for f in ENDPOINTS["envelope"] for e in EXTREMES)
    ]
    print(f"envelope: {len(ENDPOINTS['envelope'])} fields x {len(EXTREMES)} extremes = {len(tried)}")
    for case in tried:
        assert case.extreme is not None
        around = {"status": b'"OK"', "request_id": b'"r1"', "ticker": b'"%s"' % case.symbol.encode()}
        around |= {str(case.field): case.extreme.raw} if case.extreme.raw is not None else {}
        if case.extreme.raw is None:
            around.pop(str(case.field), None)
        told = b",".join(b'"%s":%s' % (name.encode(), raw) for name, raw in around.items())
        wire.says[bars_path(case.symbol)] = b'{%s,"results":[%s]}' % (told, b",".join(NEIGHBOURS))
    report = await ask_for_slots(wire, [case.symbol for case in tried])
    found = await slots_of(wire.desk)
    refused = {case.symbol for case in tried} - found.keys()
    assert all(slots == ("traded", {73: 64.5, 74: 64.5}) for slots in found.values())
    assert report.unfinished is not None  # what was refused is asked for again
    by_field = Counter(case.field for case in tried if case.symbol in refused)
    # No JSON around the rows is no answer; another ticker, adjusted bars, more rows than came and a next page that
    # cannot be found are refused; all else leaves the rows as they are.
    assert {field for field, count in by_field.items() if count > 1} == {
        "ticker",
        "adjusted",
        "resultsCount",
        "next_url",
    }
    noted = await set_aside(wire.desk, data_sets.VOLUME_SLOTS)
    for case in tried:
        if case.symbol in found and oracle_of_envelope(case) is LOST:
            assert noted[case.symbol, case.field] == 1, case


def oracle_of_envelope(case: Case) -> Any:
    raw = case.extreme.raw if case.extreme is not None else None
    return None if raw is None else oracle.kept_of("envelope", str(case.field), raw)
