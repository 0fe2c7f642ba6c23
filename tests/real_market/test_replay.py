"""Holds whole cycles on real prices and volumes against independent calculations from the same files."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.real_market.conftest import UNKNOWN
from tests.real_market.expected import talib_atr

if TYPE_CHECKING:
    from tests.real_market.conftest import Replayed
    from tests.real_market.expected import Files

STORED_SESSIONS = 30
SLOT_SESSIONS = 10
RVOL_SESSIONS = 5


@pytest.fixture(params=["columbus", "apple"])
def replayed(request: pytest.FixtureRequest) -> Replayed:
    run: Replayed = request.getfixturevalue(request.param)
    return run


def test_atr_of_every_ticker_is_talibs_on_split_adjusted_bars(replayed: Replayed, files: Files) -> None:
    bars = files.bars(files.sessions(STORED_SESSIONS, replayed.day))
    adjusted = {ticker: files.adjusted(ticker, own, replayed.day) for ticker, own in bars.items()}
    wanted = {ticker: atr for ticker, own in adjusted.items() if (atr := talib_atr(own)) is not None}
    assert len(wanted) >= 10
    found = replayed.atr()
    assert found.keys() == wanted.keys()
    for ticker, atr in wanted.items():
        assert found[ticker]["atr"] == pytest.approx(atr, rel=0, abs=1e-9), ticker
        percent = 100 * atr / adjusted[ticker][-1].close
        assert found[ticker]["atr_percent"] == pytest.approx(percent, rel=0, abs=1e-9), ticker
        assert found[ticker]["updated"] == str(replayed.day)


def test_fourteen_tickers_are_no_market_and_nothing_is_found_against_them(replayed: Replayed) -> None:
    assert replayed.tables["session_finding"] == []


def test_the_atr_cache_holds_what_the_table_holds(replayed: Replayed) -> None:
    stored = {row["symbol"]: (row["atr"], row["atr_percent"]) for row in replayed.tables["ticker_atr"]}
    assert {ticker: (value["atr"], value["atr_percent"]) for ticker, value in replayed.atr().items()} == stored


def test_apples_atr_shows_no_trace_of_its_split(apple: Replayed, files: Files) -> None:
    bars = files.bars(files.sessions(STORED_SESSIONS, apple.day))["AAPL"]
    naive = talib_atr(bars)
    assert naive is not None
    found = apple.atr()["AAPL"]
    assert naive > 10 * found["atr"]
    assert found["atr_percent"] < 3.0
    assert [(row["symbol"], row["execution_day"]) for row in apple.tables["stock_split"]] == [("AAPL", apple.day)]


@pytest.mark.parametrize("ticker", ["SPY", "IBM", "BAC", "AIG"])
def test_rvol_averages_are_the_mean_accumulated_volumes_of_five_sessions(
    columbus: Replayed, files: Files, ticker: str
) -> None:
    wanted = files.rvol_averages(ticker, files.sessions(RVOL_SESSIONS, columbus.day))
    assert len(wanted) > 100
    assert columbus.keys[f"rvol:hist:avg:{ticker}:5"] == wanted


def test_apples_rvol_averages_count_shares_of_before_the_split_seven_times(apple: Replayed, files: Files) -> None:
    sessions = files.sessions(RVOL_SESSIONS, apple.day)
    assert [day for day in sessions if "AAPL" in files.slots(day)] == sessions[2:]
    assert apple.keys["rvol:hist:avg:AAPL:5"] == files.rvol_averages("AAPL", sessions)


def test_rvol_averages_are_of_whoever_was_observed_and_zeros_of_who_did_not_trade(
    replayed: Replayed, files: Files
) -> None:
    listed = {row["symbol"] for row in replayed.tables["listed_ticker"] if row["is_active"]}
    sessions = files.sessions(RVOL_SESSIONS, replayed.day)
    with_minutes = {ticker for day in sessions for ticker in files.slots(day)} & listed
    found = {key.split(":")[3] for key in replayed.keys if key.startswith("rvol:hist:avg:")}
    rows = [row for row in replayed.tables["session_slots"] if row["trading_date"] in sessions]
    quiet = {row["symbol"] for row in rows if row["outcome"] == "no_trades"} & listed - with_minutes
    assert found == with_minutes | quiet
    for ticker in quiet:
        assert set(replayed.keys[f"rvol:hist:avg:{ticker}:5"].values()) == {"0"}


def test_the_slots_of_spy_are_sums_of_its_minutes(columbus: Replayed, files: Files) -> None:
    found: dict[dt.date, dict[int, float]] = defaultdict(dict)
    for row in columbus.tables["volume_slots"]:
        if row["symbol"] == "SPY":
            found[row["date"]][row["slot_number"]] = row["volume"]
            minutes = 240 + 5 * row["slot_number"]
            assert row["slot_time"] == dt.time(minutes // 60, minutes % 60)
    days = files.sessions(6, columbus.day)
    assert found == {day: {slot: volume for slot, volume in files.slots(day)["SPY"].items() if volume} for day in days}


def test_a_source_that_counts_no_trades_has_whole_slots_and_not_one_count(replayed: Replayed) -> None:
    """The files say 0 trades of every minute: their source has no counts."""
    traded = [row for row in replayed.tables["session_slots"] if row["outcome"] == "traded"]
    assert traded
    for row in traded:
        assert row["trades"] is None
        assert row["trades_unknown"] == sum(volume > 0 for volume in row["volumes"])
    assert {row["trades_count"] for row in replayed.tables["volume_slots"]} == {None}
    assert [name for name in replayed.keys if name.startswith("trades:baseline:")] == []


def test_every_daily_bar_of_the_window_is_stored_as_the_file_has_it(replayed: Replayed, files: Files) -> None:
    bars = files.bars(files.sessions(STORED_SESSIONS, replayed.day))
    wanted = {(ticker, *bar) for ticker, own in bars.items() for bar in own}
    rows = replayed.tables["daily_bar"]
    assert {(r["symbol"], r["trading_date"], r["high"], r["low"], r["close"], r["volume"]) for r in rows} == wanted


def test_market_cap_is_shares_times_the_latest_close(replayed: Replayed, files: Files) -> None:
    bars = files.bars(files.sessions(STORED_SESSIONS, replayed.day))
    shares = {row["symbol"]: row["shares_outstanding"] for row in replayed.tables["ticker_profile"]}
    metadata = replayed.metadata()
    priced = [ticker for ticker in bars if shares.get(ticker) is not None]
    assert len(priced) >= 10
    for ticker in priced:
        # The shares were counted when the test ran: on the day there were fewer, where it split since.
        since = files.shares_for_one(ticker, replayed.day, dt.date.max)
        close = files.adjusted(ticker, bars[ticker], replayed.day)[-1].close / since
        assert metadata[ticker]["market_cap"] == round(shares[ticker] * close), ticker
        assert metadata[ticker]["as_of"] == str(replayed.day)


def test_what_the_folder_does_not_have_is_unknown_and_not_invented(replayed: Replayed) -> None:
    known = {"symbol", "is_etf", "is_actively_trading", "avg_volume_30d", "avg_volume_10d", "avg_volume_5d",
             "avg_price_30d", "last_close", "as_of", "updated_at", "created_at", "details_outcome",
             "details_attempted_at", "avg_volume_sessions", "avg_volume_sessions_10d",
             "avg_volume_sessions_5d", "sector_reason"}  # fmt: skip
    known |= {"market", "locale", "currency_name"}  # the vendor says them of every ticker
    metadata = replayed.metadata()
    assert set(metadata[UNKNOWN]) <= known
    counted = {"shares_outstanding", "market_cap", "details_fetched_at", "ticker_type"}
    for ticker, fields in metadata.items():
        assert set(fields) <= known | counted, ticker
    (row,) = [row for row in replayed.tables["ticker_profile"] if row["symbol"] == UNKNOWN]
    assert (row["details_outcome"], row["company_name"], row["cik"], row["sector"]) == ("not_found", None, None, None)


def test_rows_of_a_replay_say_so(replayed: Replayed) -> None:
    assert {row["source"] for row in replayed.tables["data_load"]} == {"replay:rest", "computed"}
    assert replayed.keys["maintenance:source"].startswith("replay ")


def test_average_volumes_count_shares_of_before_a_split_as_shares_of_today(apple: Replayed, files: Files) -> None:
    bars = files.bars(files.sessions(STORED_SESSIONS, apple.day))["AAPL"]
    volumes = [bar.volume for bar in files.adjusted("AAPL", bars, apple.day)]
    found = apple.metadata()["AAPL"]
    assert found["avg_volume_30d"] == round(sum(volumes) / 30)
    assert found["avg_volume_10d"] == round(sum(volumes[-10:]) / 10)


def test_the_universe_is_every_ticker_of_the_files(replayed: Replayed, files: Files) -> None:
    named = {row["ticker"] for day in files.days("day_aggs_v1") for row in files.rows("day_aggs_v1", day)}
    assert replayed.keys["ticker:universe"] == named
    assert replayed.metadata().keys() == named


def test_sessions_and_symbols_without_minutes_are_recorded_as_unproven(replayed: Replayed, files: Files) -> None:
    wanted: dict[tuple[dt.date, str], str] = {}
    listed = {row["symbol"] for row in replayed.tables["listed_ticker"] if row["is_active"]}
    for day in files.sessions(SLOT_SESSIONS, replayed.day):
        with_a_bar = {row["ticker"] for row in files.rows("day_aggs_v1", day) if float(row["volume"]) > 0}
        for ticker in listed:
            outcome = "unproven" if ticker in with_a_bar else "no_trades"
            wanted[day, ticker] = "traded" if ticker in files.slots(day) else outcome
    found = {(row["trading_date"], row["symbol"]): row["outcome"] for row in replayed.tables["session_slots"]}
    assert set(wanted.values()) >= {"traded", "unproven"}
    assert found == wanted


def test_a_run_that_could_not_prove_all_slots_says_so_and_exits_3(replayed: Replayed, files: Files) -> None:
    assert replayed.exit_code == 3
    rows = replayed.tables["session_slots"]
    for day in files.sessions(SLOT_SESSIONS, replayed.day):
        own = [row for row in rows if row["trading_date"] == day]
        unproven = sum(row["outcome"] == "unproven" for row in own)
        line = f"volume_slots {day}: {unproven} of {len(own)} symbols have no slot and no proof that nobody traded"
        assert f"missing {line}" in replayed.printed
        assert line in replayed.tables["cycle"][0]["missing"]
    assert replayed.tables["cycle"][0]["state"] == "partial"
    assert replayed.keys["maintenance:last_run"] < str(replayed.day), "a day that lacks proof is none that is whole"


def test_nothing_is_left_half_built_or_half_done(replayed: Replayed) -> None:
    assert [key for key in replayed.keys if key.startswith("maintenance:building:")] == []
    assert replayed.keys["maintenance:tasks"] == 0
    assert "maintenance:dead" not in replayed.keys
