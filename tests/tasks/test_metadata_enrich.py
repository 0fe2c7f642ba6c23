"""Holds metadata_enrich to: no partial listing deactivates, and each symbol's details stand on their own."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres import bars
from consumer.tasks.calendar_check import check_calendar
from consumer.tasks.dividends import load_dividends
from consumer.tasks.metadata_enrich import load_details, load_floats, load_universe, plan_parts
from consumer.tasks.splits import check_splits, load_splits
from consumer.vendor.errors import BadAnswer, KeyRejected, NotEntitled, ProviderUnavailable, TickerNotFound
from consumer.vendor.rows import DailyRow, FloatRow, TickerDetails, TickerListing, TickerRow
from contract import data_sets
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

TEN = [f"S{number}" for number in range(10)]


def listing(*symbols: str) -> TickerListing:
    return TickerListing(rows=[TickerRow(ticker=symbol) for symbol in symbols], pages=1)


async def load(desk: Desk, *symbols: str) -> Any:
    desk.vendor.answers["list_tickers"] = listing(*symbols)
    return await desk.run(load_universe)


async def active(desk: Desk) -> list[str]:
    rows = await desk.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active ORDER BY 1")
    return [row["symbol"] for row in rows]


# The universe


async def test_the_universe_follows_the_listing_without_test_issues(desk: Desk) -> None:
    await load(desk, *TEN, "ZVZZT")
    assert await active(desk) == TEN
    await load(desk, *TEN[1:], "NEW")
    assert await active(desk) == ["NEW", *TEN[1:]]
    detail = await desk.pool.fetchval("SELECT detail FROM coverage WHERE data_set = $1", data_sets.UNIVERSE)
    assert detail == {"added": 1, "removed": 1, "pages": 1}


async def test_a_listing_that_shrank_beyond_belief_deactivates_nobody(desk: Desk) -> None:
    await load(desk, *TEN)
    with pytest.raises(BadAnswer, match="7 active tickers where 10 are known"):
        await load(desk, *TEN[:7])
    assert await active(desk) == TEN
    await load(desk, *TEN[:8])
    assert await active(desk) == TEN[:8]


@pytest.mark.parametrize("failure", [ProviderUnavailable("page 3 of 12"), BadAnswer("cut")])
async def test_a_listing_not_read_to_its_end_deactivates_nobody(desk: Desk, failure: Exception) -> None:
    await load(desk, *TEN)
    desk.vendor.answers["list_tickers"] = failure
    with pytest.raises(type(failure)):
        await desk.run(load_universe)
    assert await active(desk) == TEN


IBO = TickerRow(ticker="IBO", type="CS", cik="0001834105", composite_figi="BBG01")


async def test_a_listed_company_is_no_test_issue_by_its_name(desk: Desk) -> None:
    rows = [IBO, TickerRow(ticker="CBX", cik="0000000001"), TickerRow(ticker="IGZ", type="CS"), TickerRow(ticker="CBO")]
    desk.vendor.answers["list_tickers"] = TickerListing(rows=rows, pages=1)
    await desk.run(load_universe)
    assert await active(desk) == ["CBX", "IBO", "IGZ"]
    assert await desk.pool.fetchval("SELECT state FROM listed_ticker WHERE symbol = 'CBO'") == "test"
    bare = [TickerRow(ticker=row.ticker) for row in rows]
    desk.vendor.answers["list_tickers"] = TickerListing(rows=bare, pages=1)
    await desk.run(load_universe)
    assert await active(desk) == ["CBX", "IBO", "IGZ"], "what is stored of them outranks a row that says nothing"


async def test_of_two_rows_of_a_symbol_the_one_of_the_company_that_is_known_is_taken(desk: Desk) -> None:
    await load(desk, *TEN)
    desk.vendor.answers["list_tickers"] = TickerListing(rows=[IBO, TickerRow(ticker="A", cik="1")], pages=1)
    await desk.pool.execute("TRUNCATE listed_ticker")
    await desk.run(load_universe)
    other = TickerRow(ticker="IBO", type="CS", cik="0000000009", composite_figi="BBG09")
    rows = [other, TickerRow(ticker="A", cik="2")]
    desk.vendor.answers["list_tickers"] = TickerListing(rows=rows, others=(IBO, rows[1]), pages=1)
    report = await desk.run(load_universe)
    assert report.warnings[0] == (
        "universe: 1 symbols are listed twice, with other codes, and the row that is known is taken: IBO"
    )
    assert await desk.pool.fetchval("SELECT listed_figi FROM listed_ticker WHERE symbol = 'IBO'") == "BBG01"
    assert await desk.pool.fetchval("SELECT count(*) FROM ticker_change WHERE symbol = 'IBO'") == 0


async def trade(desk: Desk, *symbols: str, day: dt.date = DAY) -> None:
    async with desk.pool.acquire() as connection:
        rows = [DailyRow(T=symbol, o=1.0, h=1.0, l=1.0, c=1.0, v=1.0, t=0) for symbol in symbols]
        await bars.replace_bars(connection, day, rows, load_id=1)


async def test_one_field_of_a_row_takes_no_symbol_out_of_the_market_that_trades(desk: Desk) -> None:
    await load(desk, *TEN)
    await trade(desk, *TEN[:8])
    odd = [TickerRow(ticker=symbol, active=False) for symbol in ("S0", "S8")]
    odd += [TickerRow(ticker=symbol, market="otc") for symbol in ("S1", "S9", "S2")]
    rest = [TickerRow(ticker=symbol) for symbol in TEN[3:8]]
    desk.vendor.answers["list_tickers"] = TickerListing(rows=odd + rest, pages=1)
    report = await desk.run(load_universe)
    assert await active(desk) == TEN[:8]
    assert report.warnings == (
        "universe: 1 symbols are listed with active: false and trade, so they are kept: S0",
        "universe: 2 symbols are listed with market: otc and trade, so they are kept: S1, S2",
    )
    states = await desk.pool.fetch("SELECT symbol, state FROM listed_ticker WHERE NOT is_active ORDER BY 1")
    assert [tuple(row) for row in states] == [("S8", "unlisted"), ("S9", "otc")]


async def test_a_listing_that_came_short_and_tidy_takes_out_nobody_who_trades(desk: Desk) -> None:
    await load(desk, *TEN)
    await trade(desk, *TEN)
    report = await load(desk, *TEN[2:])
    assert await active(desk) == TEN
    line = "universe: 2 symbols are missing in the listing of 2025-11-11, kept: traded on 2025-11-11: S0, S1"
    assert report.warnings == (line,)
    await trade(desk, *TEN[1:], day=CALENDAR.next_trading_day(DAY))
    told = (await desk.run(check_splits)).warnings
    assert told == ("universe: S0 is listed no more, and its bars have ended",)
    assert await active(desk) == TEN[1:]


# The day of a list of the present


async def test_what_describes_the_present_is_stamped_with_the_session_of_its_fetch(desk: Desk) -> None:
    desk.vendor.answers.update({"list_floats": [], "list_splits": [], "list_dividends": [], "upcoming_closures": []})
    old = CALENDAR.previous_trading_day(dt.date(2025, 9, 2))
    desk.vendor.answers["list_tickers"] = listing(*TEN)
    await desk.run(load_universe, day=old, force=True)
    await desk.run(load_floats, day=old, force=True)
    await desk.run(load_splits, {"since": "2025-09-01"}, day=old, force=True)
    await desk.run(load_dividends, {"since": "2025-09-01"}, day=old, force=True)
    await desk.run(check_calendar, day=old, force=True)
    desk.vendor.answers["ticker_details"] = knows({})
    await desk.run(load_details, {"symbols": TEN}, day=old, force=True)
    rows = await desk.pool.fetch("SELECT data_set, trading_day FROM coverage ORDER BY 1")
    assert {row["data_set"]: row["trading_day"] for row in rows} == dict.fromkeys(
        ("calendar_check", "details", "dividends", "floats", "splits", "ticker_history", "universe"), DAY
    )
    assert await desk.pool.fetchval("SELECT max(last_seen) FROM listed_ticker") == DAY
    desk.now = desk.now.replace(day=13, hour=15)  # in the session of the 13th: the 12th is the last that is over
    assert await desk.context(day=old).present_day(desk.now) == dt.date(2025, 11, 12)


async def test_in_a_replay_the_present_is_the_newest_day_that_was_maintained(desk: Desk) -> None:
    desk.replays = True
    desk.vendor.answers["list_tickers"] = listing(*TEN)
    first, second = dt.date(2013, 10, 11), dt.date(2013, 10, 14)
    for day, present in ((first, first), (second, second), (first, second)):
        await desk.run(load_universe, day=day)
        assert await desk.pool.fetchval("SELECT max(last_seen) FROM listed_ticker") == present
    days = await desk.pool.fetch("SELECT trading_day FROM coverage WHERE data_set = 'universe' ORDER BY 1")
    assert [row["trading_day"] for row in days] == [first, second]


# Floats


async def test_a_plan_without_floats_is_a_note_and_not_a_failure(desk: Desk) -> None:
    desk.vendor.answers["list_floats"] = NotEntitled("upgrade")
    report = await desk.run(load_floats)
    assert report.warnings == ("floats: not part of the plan behind this key (upgrade)",)
    detail = await desk.pool.fetchval("SELECT detail FROM coverage WHERE data_set = $1", data_sets.FLOATS)
    assert detail == {"entitled": False}


async def test_floats_are_counted_for_known_symbols(desk: Desk) -> None:
    await load(desk, *TEN)
    desk.vendor.answers["list_floats"] = [FloatRow(ticker="S1", free_float=5), FloatRow(ticker="OTHER", free_float=5)]
    assert (await desk.run(load_floats)).rows == 1


# Details


def knows(of: dict[str, Any]) -> Any:
    return lambda symbol: of.get(symbol, TickerDetails(ticker=symbol, weighted_shares_outstanding=1e6))


async def test_every_new_symbol_is_planned_in_batches(desk: Desk) -> None:
    await load(desk, "A", "B", "C", "D")
    parts = (await desk.run(plan_parts)).spawned
    assert [(part.part, part.payload["symbols"]) for part in parts] == [
        ("details:0001", ["A", "B", "C"]), ("details:0002", ["D"]),
    ]  # fmt: skip


async def test_each_symbol_of_a_batch_stands_on_its_own(desk: Desk) -> None:
    await load(desk, "A", "B", "C")
    desk.vendor.answers["ticker_details"] = knows({"B": TickerNotFound("404"), "C": ProviderUnavailable("503")})
    report = await desk.run(load_details, {"symbols": ["A", "B", "C"]})
    assert (report.rows, type(report.unfinished)) == (1, ProviderUnavailable)
    rows = await desk.pool.fetch("SELECT symbol, details_outcome, details_attempted_at FROM ticker_profile ORDER BY 1")
    assert [tuple(row) for row in rows] == [("A", "loaded", NOW), ("B", "not_found", NOW), ("C", None, None)]
    desk.vendor.asked.clear()
    desk.vendor.answers["ticker_details"] = knows({})
    assert (await desk.run(load_details, {"symbols": ["A", "B", "C"]})).unfinished is None
    assert desk.vendor.asked == [("ticker_details", "C")]


async def test_a_rejected_key_ends_the_part(desk: Desk) -> None:
    await load(desk, "A", "B")
    desk.vendor.answers["ticker_details"] = knows({"B": KeyRejected("401")})
    with pytest.raises(KeyRejected):
        await desk.run(load_details, {"symbols": ["A", "B"]})
