"""Claims about the shape of answers and refusals, field by field as the vendor documents them."""

from __future__ import annotations

import pytest

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks"


async def test_a_day_has_its_rows_and_counts_in_the_envelope(client):
    answer = await client.ok(f"{GROUPED}/2025-11-11?adjusted=false")

    assert answer["status"] == "OK"
    assert answer["adjusted"] is False
    assert answer["queryCount"] == answer["resultsCount"] == answer["count"] == len(answer["results"]) > 40
    assert len(answer["request_id"]) == 32
    assert set(answer["results"][0]) == {"T", "v", "vw", "o", "c", "h", "l", "t", "n"}


async def test_a_row_of_a_whole_day_is_stamped_with_the_close(client):
    rows = await client.grouped("2025-11-11")

    assert {row["t"] for row in rows.values()} == {1762894800000}  # 16:00 New York


@pytest.mark.parametrize("day", ["2025-11-09", "2025-07-04"])
async def test_a_day_without_a_session_answers_200_without_results(client, day):
    answer = await client.ok(f"{GROUPED}/{day}")

    del answer["request_id"]
    assert answer == {"queryCount": 0, "resultsCount": 0, "adjusted": True, "count": 0, "status": "OK"}


async def test_a_range_names_its_ticker_and_has_bars_without_one(client):
    answer = await client.ok("/v2/aggs/ticker/AAPL/range/5/minute/2025-11-11/2025-11-11?adjusted=false")

    assert answer["ticker"] == "AAPL"
    assert answer["resultsCount"] == len(answer["results"])
    assert set(answer["results"][0]) == {"v", "vw", "o", "c", "h", "l", "t", "n"}


async def test_an_unknown_ticker_has_a_range_without_results(client):
    answer = await client.ok("/v2/aggs/ticker/NOSUCH/range/5/minute/2025-11-10/2025-11-11")

    assert (answer["ticker"], answer["resultsCount"]) == ("NOSUCH", 0)
    assert "results" not in answer


async def test_daily_bars_of_a_range_start_at_new_york_midnight(client):
    bars = await client.bars("AAPL", "2025-11-10/2025-11-11", "1/day")

    assert [bar["t"] for bar in bars] == [1762750800000, 1762837200000]


async def test_details_carry_what_a_market_cap_is_made_of(client):
    details = (await client.ok("/v3/reference/tickers/MSFT"))["results"]

    assert details["sic_code"] == "7372"
    assert details["list_date"] == "1986-03-13"
    assert details["weighted_shares_outstanding"] == details["share_class_shares_outstanding"] > 1_000_000_000
    close = (await client.grouped("2025-11-10"))["MSFT"]["c"]
    assert details["market_cap"] == close * details["weighted_shares_outstanding"]


async def test_a_row_of_the_listing_has_the_fields_the_vendor_requires(client):
    rows = (await client.ok("/v3/reference/tickers?limit=1000"))["results"]

    assert all({"ticker", "name", "market", "locale", "active", "type", "currency_name"} <= set(row) for row in rows)
    assert any("cik" not in row for row in rows)
    assert any("composite_figi" not in row for row in rows)
    assert all(row["composite_figi"].startswith("BBG") for row in rows if "composite_figi" in row)


async def test_floats_are_counts_and_percentages(client):
    rows = (await client.ok("/stocks/vX/float?limit=5000"))["results"]

    assert rows
    assert set(rows[0]) == {"ticker", "effective_date", "free_float", "free_float_percent"}
    assert all(0 < row["free_float_percent"] <= 100 and isinstance(row["free_float"], int) for row in rows)


async def test_market_status_tells_the_phase_and_the_closures_ahead(client):
    now = await client.ok("/v1/marketstatus/now")
    upcoming = await client.ok("/v1/marketstatus/upcoming")

    assert (now["market"], now["afterHours"], now["serverTime"]) == ("closed", False, "2025-11-11T20:30:00-05:00")
    new_york = [entry for entry in upcoming if entry["exchange"] == "NYSE"]
    assert new_york[0] == {
        "exchange": "NYSE",
        "date": "2025-11-27",
        "name": "Thanksgiving Day",
        "status": "closed",
    }
    assert (new_york[1]["status"], new_york[1]["close"]) == ("early-close", "2025-11-28T18:00:00.000Z")


@pytest.mark.parametrize(
    ("path", "status", "field", "text"),
    [
        (f"{GROUPED}/2025-13-01", 400, "error", "Could not parse"),
        (f"{GROUPED}/2025-11-11?adjusted=perhaps", 400, "error", "true or false"),
        ("/v2/aggs/ticker/AAPL/range/5/minute/2025-11-11/2025-11-10", 400, "error", "before 'from'"),
        ("/v2/aggs/ticker/AAPL/range/5/minute/2025-11-10/2025-11-11?limit=50001", 400, "error", "limit"),
        ("/v3/reference/tickers?limit=1001", 400, "error", "limit"),
        ("/v3/reference/tickers?cursor=%21%21", 400, "error", "cursor"),
        ("/v3/reference/tickers/NOSUCH", 404, "message", "Ticker not found."),
        ("/v9/nothing", 404, "message", "not found"),
    ],
)
async def test_a_bad_request_is_refused_in_the_vendors_words(client, path, status, field, text):
    got, body = await client.refused(path)

    assert got == status
    assert text in body[field]
    assert body["status"] in ("ERROR", "NOT_FOUND")
    assert body["request_id"]


async def test_a_key_is_checked_in_the_header_or_the_query(serve):
    client = await serve(key="sesame")
    path = f"{GROUPED}/2025-11-11"

    assert (await client.refused(path))[1]["error"] == "API Key was not provided"
    status, body = await client.refused(path, Authorization="Bearer wrong")
    assert (status, body["status"], body["error"]) == (401, "ERROR", "Unknown API Key")
    assert (await client.raw(path, Authorization="Bearer sesame"))[0] == 200
    assert (await client.raw(f"{path}?apiKey=sesame"))[0] == 200


async def test_any_key_or_none_is_accepted_when_no_key_is_configured(client):
    assert (await client.raw(f"{GROUPED}/2025-11-11"))[0] == 200
    assert (await client.raw(f"{GROUPED}/2025-11-11", Authorization="Bearer any"))[0] == 200


async def test_the_next_address_never_contains_the_key(serve):
    client = await serve(key="sesame")

    answer = await client.ok("/v3/reference/tickers?limit=5&apiKey=sesame")

    assert answer["next_url"].startswith(client.origin)
    status, body = await client.refused(answer["next_url"].removeprefix(client.origin))
    assert (status, body["error"]) == (401, "API Key was not provided")
