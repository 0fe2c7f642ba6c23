"""The failures that were reported, as they were seen: one row lost a session, a cache or a listing."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer.catalogue.registry import CACHES
from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import flat_file_path
from consumer.postgres import evidence
from consumer.tasks.cache_rows import atr_text, average_volumes_text, left_out_warning, metadata_text, texts_of
from consumer.tasks.derived_figures import compute_derived
from consumer.tasks.metadata_enrich import load_details, load_universe
from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.redis_sync import sync_cache
from consumer.tasks.slot_files import load_flat_file
from consumer.vendor.protocol import FlatFileKind
from contract import data_sets
from tests.extremes.values import Case, Extreme
from tests.extremes.wire import GROUPED, LISTING, envelope, list_sound
from tests.tasks.conftest import DAY, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.extremes.wire import Wire
    from tests.tasks.conftest import Desk

SESSION = {"session": str(DAY)}
GOOD = [Case(symbol, "grouped_daily") for symbol in ("AAPL", "MSFT")]


def bad(field: str, raw: bytes, endpoint: str = "grouped_daily") -> Case:
    return Case("BAD", endpoint, field, Extreme(field, raw))


async def bars(desk: Desk) -> dict[str, tuple[Any, ...]]:
    rows = await desk.pool.fetch("SELECT symbol, close, volume, vwap, trades_count FROM daily_bar")
    return {row["symbol"]: tuple(row)[1:] for row in rows}


SOUND = (11.0, 1234.5, 10.5, 7)


@pytest.mark.parametrize("trades", [b"3e9", b"3000000000", b"2147483648", b"1e30", b"-7"])
async def test_a_count_of_trades_that_no_column_holds_costs_the_count(wire: Wire, trades: bytes) -> None:
    wire.says[GROUPED] = envelope(case.json for case in (*GOOD, bad("n", trades)))
    report = await wire.desk.run(load_session_bars, SESSION)
    assert await bars(wire.desk) == {"AAPL": SOUND, "MSFT": SOUND, "BAD": (11.0, 1234.5, 10.5, None)}
    assert report.warnings == ("bars 2025-11-11: 1 values of n left out",)
    kept = await wire.desk.pool.fetchrow("SELECT symbol, field, flaw FROM set_aside")
    assert tuple(kept)[:2] == ("BAD", "n")


@pytest.mark.parametrize(
    ("field", "raw"),
    [("v", b"NaN"), ("v", b"1e308"), ("v", b"1e-320"), ("c", b"13"), ("o", b"0.1"), ("c", b"NaN"), ("h", b"Infinity")],
)
async def test_a_bar_that_cannot_be_costs_one_bar_of_the_session(wire: Wire, field: str, raw: bytes) -> None:
    wire.says[GROUPED] = envelope(case.json for case in (GOOD[0], bad(field, raw), GOOD[1]))
    await wire.desk.run(load_session_bars, SESSION)
    assert await bars(wire.desk) == {"AAPL": SOUND, "MSFT": SOUND}
    row = await wire.desk.pool.fetchrow("SELECT s.* FROM set_aside AS s JOIN coverage AS c USING (load_id)")
    assert (row["symbol"], row["field"], row["trading_day"]) == ("BAD", None, DAY)
    assert json.loads(row["evidence"])["T"] == "BAD"


@pytest.mark.parametrize("mean", [b"NaN", b"-1", b"0", b"12.01", b"0.24"])
async def test_a_mean_price_outside_the_days_range_is_not_stored_and_the_day_can_be_restated(
    wire: Wire, mean: bytes
) -> None:
    wire.says[GROUPED] = envelope(case.json for case in (*GOOD, bad("vw", mean)))
    await wire.desk.run(load_session_bars, SESSION)
    assert (await bars(wire.desk))["BAD"] == (11.0, 1234.5, None, 7)
    wire.says[GROUPED] = envelope(case.json for case in (*GOOD, bad("v", b"99")))
    await wire.desk.run(load_session_bars, SESSION)
    restated = await wire.desk.pool.fetch("SELECT symbol, before, after FROM restatement")
    assert [row["symbol"] for row in restated] == ["BAD"]


async def test_what_an_old_database_holds_can_be_restated_whatever_it_is(desk: Desk) -> None:
    nan, inf = float("nan"), float("inf")
    before = {"A": (1.0, inf, -inf, 1.0, 5.0, nan, 3), "B": (1.0,) * 6 + (3,)}
    found = evidence.changes_of(before, {"A": (1.0, 2.0, 1.0, 1.0, 5.0, None, 3), "B": (1.0,) * 6 + (3,)})
    async with desk.pool.acquire() as connection:
        await evidence.keep_restatements(connection, data_sets.DAILY_BARS, DAY, found, load_id=1, now=NOW)
    kept = await desk.pool.fetchval("SELECT before FROM restatement")
    assert (kept["open"], kept["high"], kept["low"], kept["vwap"]) == (1.0, "inf", "-inf", "nan")


async def test_a_flood_of_rows_set_aside_names_every_symbol_and_keeps_the_evidence_of_the_first(wire: Wire) -> None:
    flood = [Case(f"F{number}", "grouped_daily", "c", Extreme("c", b"-1")) for number in range(300)]
    wire.says[GROUPED] = envelope(case.json for case in (*GOOD, *flood))
    await wire.desk.run(load_session_bars, SESSION)
    rows = await wire.desk.pool.fetch("SELECT symbol, evidence FROM set_aside")
    assert {row["symbol"] for row in rows} == {case.symbol for case in flood}
    assert sum(row["evidence"] != "null" for row in rows) == 200


async def test_of_a_row_that_came_twice_the_other_is_noted_as_a_duplicate_of_its_symbol(wire: Wire) -> None:
    """Also where it comes under both spellings of a preferred share: that lost the session."""
    await list_sound(wire, ["AAPL", "BACpB"])
    twice = [Case(symbol, "grouped_daily") for symbol in ("AAPL", "AAPL", "BACpB", "BACPB")]
    wire.says[GROUPED] = envelope(case.json for case in twice)
    await wire.desk.run(load_session_bars, SESSION)
    assert (await bars(wire.desk)).keys() == {"AAPL", "BACpB"}
    rows = await wire.desk.pool.fetch("SELECT symbol, flaw FROM set_aside ORDER BY symbol")
    assert [tuple(row) for row in rows] == [("AAPL", "duplicate"), ("BACpB", "duplicate")]


async def test_a_row_set_aside_is_named_as_the_listing_spells_it(wire: Wire) -> None:
    await list_sound(wire, ["AAPL", "BACpB"])
    spoiled = Case("BACPB", "grouped_daily", "c", Extreme("c", b"-1"))
    wire.says[GROUPED] = envelope(case.json for case in (Case("AAPL", "grouped_daily"), spoiled))
    await wire.desk.run(load_session_bars, SESSION)
    assert await wire.desk.pool.fetchval("SELECT symbol FROM set_aside") == "BACpB"


async def test_one_company_with_shares_beyond_counting_does_not_stop_the_cache_of_all(wire: Wire) -> None:
    await list_sound(wire, ["AAPL", "BAD"])
    shares = "weighted_shares_outstanding"
    for case in (Case("AAPL", "ticker_details"), bad(shares, b"1e308", "ticker_details")):
        wire.says[f"{LISTING}/{case.symbol}"] = b'{"results":%s}' % case.json
    report = await wire.desk.run(load_details, {"symbols": ["AAPL", "BAD"]})
    assert report.warnings == (f"details: 1 values of {shares} left out",)
    await wire.desk.run(partial(sync_cache, cache=CACHES[data_sets.CACHE_METADATA]), {})
    cached = {symbol: json.loads(str(wire.desk.cache.get(f"metadata:ticker:{symbol}"))) for symbol in ("AAPL", "BAD")}
    # Where the weighted count cannot be, that of the class speaks.
    assert (cached["AAPL"]["shares_outstanding"], cached["BAD"]["shares_outstanding"]) == (2_000_000, 1_000_000)


async def test_a_market_cap_that_cannot_be_is_unknown_though_shares_and_price_can(wire: Wire) -> None:
    await list_sound(wire, ["AAPL", "BAD"])
    for case in (
        Case("AAPL", "ticker_details"), bad("weighted_shares_outstanding", b"1e13", "ticker_details"),
    ):  # fmt: skip
        wire.says[f"{LISTING}/{case.symbol}"] = b'{"results":%s}' % case.json
    await wire.desk.run(load_details, {"symbols": ["AAPL", "BAD"]})
    dear = [b"%s" % case.json.replace(b"12.0", b"1e6").replace(b"11.0", b"1e6") for case in (bad("n", b"7"),)]
    wire.says[GROUPED] = envelope([GOOD[0].json, *dear])
    await wire.desk.run(load_session_bars, SESSION)
    await wire.desk.run(compute_derived)
    caps = await wire.desk.pool.fetch("SELECT symbol, market_cap, last_close FROM ticker_profile ORDER BY 1")
    assert [tuple(row) for row in caps] == [("AAPL", 22e6, 11.0), ("BAD", None, 1e6)]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_row_that_cannot_be_said_costs_itself_in_every_cache(number: float) -> None:
    day = dt.date(2025, 11, 11)
    good = {
        "symbol": "A", "market_cap": 5.0, "avg_volume_30d": 1.0, "avg_volume_10d": 1.0, "avg_volume_5d": 1.0,
        "as_of": day, "atr": 1.0, "atr_percent": 2.0, "bars_used": 15, "avg_volume_sessions": 30,
    }  # fmt: skip
    spoiled = {"B": {"market_cap": number}, "C": {"avg_volume_10d": number}, "D": {"atr": number}}
    rows = [good, *({**good, "symbol": symbol, **values} for symbol, values in spoiled.items())]
    assert texts_of(rows, metadata_text).left_out == ("B", "C", "D")
    assert texts_of(rows, average_volumes_text).left_out == ("C",)
    assert texts_of(rows, lambda row: atr_text(row, day)).left_out == ("D",)
    assert texts_of(rows, metadata_text).by_symbol.keys() == {"A"}
    assert left_out_warning("cache:atr", ("D",)) == ("cache:atr: 1 rows cannot be written and are left out: D",)


@pytest.mark.parametrize("at", [b'"soon"', b'"2025-02-30"', b'"2025-11-10T99:00:00Z"', b'"9999-12-31T23:59:59Z"', b"7"])
async def test_one_malformed_delisting_does_not_end_the_listing(wire: Wire, at: bytes) -> None:
    stay = [Case(f"S{number}", "tickers") for number in range(20)]
    gone = [Case("GONE", "tickers"), Case("BAD", "tickers")]
    wire.says[LISTING] = envelope(case.json for case in (*stay, *gone))
    await wire.desk.run(load_universe)
    left = [Case("GONE", "tickers", "delisted_utc", Extreme("at", b'"2025-11-10T05:00:00Z"')),
            bad("delisted_utc", at, "tickers")]  # fmt: skip
    wire.by_query = (
        "active",
        {"true": envelope(case.json for case in stay), "false": envelope(case.json for case in left)},
    )
    report = await wire.desk.run(load_universe)
    rows = await wire.desk.pool.fetch("SELECT symbol, state, delisted_at::date FROM listed_ticker WHERE NOT is_active")
    assert {tuple(row) for row in rows} == {("GONE", "delisted", dt.date(2025, 11, 10)), ("BAD", "unlisted", None)}
    assert "universe: 1 values of delisted_utc left out" in report.warnings


HEADER = b"ticker,volume,open,close,high,low,window_start,transactions"
TEN = int(dt.datetime(2025, 11, 11, 15, tzinfo=dt.UTC).timestamp()) * 1_000_000_000


def put_minutes(folder: Path, *rows: bytes, header: bytes = HEADER) -> None:
    path = flat_file_path(folder, FlatFileKind.MINUTE, DAY)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"\n".join([header, *rows, b""])))


def minute(symbol: bytes, volume: bytes = b"5", start: bytes = b"%d" % TEN) -> bytes:
    return b"%s,%s,1,1,1,1,%s,3" % (symbol, volume, start)


@pytest.mark.parametrize(
    "row",
    [
        minute(b"B\xffD"), minute(b"BAD", b"5\xff"), minute(b"BAD", start=b"\xff"), minute(b'"BAD'), minute(b'BAD"'),
        minute(b"BAD", b'"5'), minute(b"BAD", b"1e308"), minute(b"BAD", b"1e-320"), minute(b"BAD", b"nan"),
        minute(b"BAD", b"inf"), minute(b"BAD", b"9" * 5_000), minute(b"BAD", start=b"9" * 40), minute(b"x" * 100_000),
        minute(b"BAD", start=b"-9223372036854775808"), minute(b"\x00"), minute(b"BAD", b""),
    ],
)  # fmt: skip
async def test_a_spoiled_row_of_the_minute_file_costs_that_row(desk: Desk, tmp_path: Path, row: bytes) -> None:
    put_minutes(tmp_path, minute(b"AAPL"), row, minute(b"MSFT", b"7"))
    desk.flat_files = LocalFolder(tmp_path)
    report = await desk.run(load_flat_file, SESSION)
    slots = await desk.pool.fetch("SELECT symbol, volumes[73] AS ten FROM session_slots WHERE outcome = 'traded'")
    assert {row["symbol"]: row["ten"] for row in slots} == {"AAPL": 5.0, "MSFT": 7.0}
    assert sum((await desk.pool.fetchval("SELECT rejected FROM data_load")).values()) == 1
    assert await desk.pool.fetchval("SELECT count(*) FROM set_aside WHERE data_set = 'volume_slots'") == 1
    assert len(report.warnings) == 1


async def test_a_byte_that_is_no_text_in_a_column_that_the_vendor_adds_costs_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    put_minutes(tmp_path, minute(b"AAPL") + b",x", minute(b"MSFT", b"7") + b",\xff", header=HEADER + b",note")
    desk.flat_files = LocalFolder(tmp_path)
    await desk.run(load_flat_file, SESSION)
    slots = await desk.pool.fetch("SELECT symbol, volumes[73] AS ten FROM session_slots")
    assert {row["symbol"]: row["ten"] for row in slots} == {"AAPL": 5.0, "MSFT": 7.0}


async def test_minutes_that_can_be_and_a_slot_that_cannot_cost_the_slot(desk: Desk, tmp_path: Path) -> None:
    rows = [minute(b"BAD", b"9e11", b"%d" % (TEN + at * 60_000_000_000)) for at in range(5)]
    put_minutes(tmp_path, minute(b"AAPL"), *rows)
    desk.flat_files = LocalFolder(tmp_path)
    await desk.run(load_flat_file, SESSION)
    assert await desk.pool.fetchval("SELECT array_agg(symbol) FROM session_slots") == ["AAPL"]
    assert await desk.pool.fetchval("SELECT rejected FROM data_load") == {"volume": 5}


async def test_a_listed_symbol_whose_minutes_were_set_aside_is_not_said_to_have_not_traded(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.pool.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) "
        "SELECT s, true, $1, now(), now() FROM unnest(ARRAY['BAD', 'QUIET']) AS s",
        DAY,
    )
    put_minutes(tmp_path, minute(b"AAPL"), minute(b"BAD", b"-1"))
    desk.flat_files = LocalFolder(tmp_path)
    await desk.run(load_flat_file, SESSION)
    rows = await desk.pool.fetch("SELECT symbol, outcome FROM session_slots ORDER BY 1")
    assert [tuple(row) for row in rows] == [("AAPL", "traded"), ("BAD", "unproven"), ("QUIET", "no_trades")]


@pytest.mark.parametrize("byte", [b"\xff", b"\x01", b"\xed\xa0\x80"])
@pytest.mark.parametrize("field", ["T", "c", "n"])
async def test_one_byte_that_is_no_text_costs_its_row_of_the_days_answer(wire: Wire, byte: bytes, field: str) -> None:
    spoiled = bad(field, b'"B' + byte + b'"' if field == "T" else b"1" + byte)
    wire.says[GROUPED] = envelope(case.json for case in (GOOD[0], spoiled, GOOD[1]))
    await wire.desk.run(load_session_bars, SESSION)
    assert await bars(wire.desk) == {"AAPL": SOUND, "MSFT": SOUND}
    assert await wire.desk.pool.fetchval("SELECT count(*) FROM set_aside WHERE field IS NULL") == 1


async def test_a_last_ticker_that_is_none_does_not_end_the_listing_early(wire: Wire) -> None:
    """Whether the list goes on is asked beyond its last ticker; one that is no text cannot be asked beyond."""
    whole = [Case(f"S{number}", "tickers") for number in range(999)]
    wire.says[LISTING] = envelope([*(case.json for case in whole), bad("ticker", b'"\\ud800"', "tickers").json])
    await wire.desk.run(load_universe)
    assert await wire.desk.pool.fetchval("SELECT count(*) FROM listed_ticker") == 999
