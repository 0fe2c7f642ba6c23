"""Claims about pages: every row once, in order, through cursors that stand on their own."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("path", "rows"),
    [("/v3/reference/tickers?limit=7", 60), ("/stocks/vX/float?limit=7", None), ("/v3/reference/splits", None)],
)
async def test_pages_hold_every_row_once(client, path, rows):
    pages = await client.pages(path if "?" in path else f"{path}?limit=7&execution_date.gte=2025-09-01")
    everything = (await client.ok(path.partition("?")[0] + "?limit=1000&execution_date.gte=2025-09-01"))["results"]

    assert len(pages) > 2
    assert [row for page in pages for row in page["results"]] == everything
    if rows is not None:
        assert rows - 2 <= len(everything) <= rows


async def test_a_cursor_carries_the_filters_of_the_first_request(client):
    pages = await client.pages("/v3/reference/tickers?type=CS&limit=5&order=desc")
    symbols = [row["ticker"] for page in pages for row in page["results"]]

    assert {row["type"] for page in pages for row in page["results"]} == {"CS"}
    assert symbols == sorted(symbols, reverse=True)


async def test_the_listing_defaults_to_a_hundred_rows(serve):
    client = await serve(tickers=250)

    answer = await client.ok("/v3/reference/tickers")

    assert len(answer["results"]) == answer["count"] == 100


@pytest.mark.parametrize("window", ["1/minute", "5/minute"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
async def test_a_range_in_pages_equals_the_range_in_one(client, window, sort):
    whole = await client.bars("AAPL", "2025-11-04/2025-11-11", window, sort=sort)
    pages = await client.pages(
        f"/v2/aggs/ticker/AAPL/range/{window}/2025-11-04/2025-11-11?adjusted=false&sort={sort}&limit=900"
    )

    assert len(pages) > 4
    assert [bar for page in pages for bar in page["results"]] == whole
    if window == "1/minute":
        assert [len(page["results"]) for page in pages[:-1]] == [900] * (len(pages) - 1)
    starts = [bar["t"] for bar in whole]
    assert starts == sorted(starts, reverse=sort == "desc")


async def test_the_limit_of_a_range_counts_the_minutes_behind_its_windows(client):
    answer = await client.ok("/v2/aggs/ticker/AAPL/range/5/minute/2025-10-29/2025-11-11?adjusted=false")

    assert answer["queryCount"] <= 5000
    assert 960 <= answer["resultsCount"] <= 1040  # a busy day has 960 minutes: the default covers 5.2 of them
    assert "next_url" in answer


async def test_ten_sessions_fit_one_page_of_the_largest_size(client):
    answer = await client.ok("/v2/aggs/ticker/AAPL/range/5/minute/2025-10-29/2025-11-11?limit=50000")

    assert answer["resultsCount"] > 1800
    assert "next_url" not in answer


async def test_milliseconds_bound_a_range_as_dates_do(client):
    day = await client.bars("AAPL", "2025-11-11/2025-11-11")
    inside = await client.bars("AAPL", f"{day[10]['t']}/{day[19]['t']}")

    assert inside == day[10:20]


async def test_a_range_of_two_years_is_answered(client):
    bars = await client.bars("AAPL", "2023-11-13/2025-11-11", "1/day")

    assert len(bars) == 501
