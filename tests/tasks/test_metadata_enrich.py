"""Holds metadata_enrich to: no partial listing deactivates, and each symbol's details stand on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumer.massive.errors import BadAnswer, KeyRejected, NotEntitled, ProviderUnavailable, TickerNotFound
from consumer.massive.rows import FloatRow, TickerDetails, TickerListing, TickerRow
from consumer.tasks import data_sets
from consumer.tasks.metadata_enrich import load_details, load_floats, load_universe, plan_parts
from tests.tasks.conftest import NOW

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

TEN = [f"S{number}" for number in range(10)]


def listing(*symbols: str) -> TickerListing:
    return TickerListing(rows=[TickerRow(ticker=symbol) for symbol in symbols], pages=1)


async def load(desk: Desk, *symbols: str) -> Any:
    desk.vendor.answers["list_tickers"] = listing(*symbols)
    return await desk.run(load_universe)


async def active(desk: Desk) -> list[str]:
    rows = await desk.pool.fetch("SELECT symbol FROM ticker_universe WHERE is_active ORDER BY 1")
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
    rows = await desk.pool.fetch("SELECT symbol, details_outcome, details_attempted_at FROM ticker_metadata ORDER BY 1")
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
