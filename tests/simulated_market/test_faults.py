"""Claims that every fault strikes where, as and as often as it was asked to."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import ClientError

DAY = "/v2/aggs/grouped/locale/us/market/stocks/2025-11-11?adjusted=false"
RANGE = "/v2/aggs/ticker/AAPL/range/5/minute/2025-11-10/2025-11-11?adjusted=false"
LISTING = "/v3/reference/tickers?limit=10"


async def put(client, *faults: dict) -> None:
    status, body = await client.control("faults", list(faults))
    assert status == 200, body


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"kind": "rate_limited"}, 429, "exceeded the maximum requests per minute"),
        ({"kind": "not_yet"}, 403, "Attempted to request today's data before end of day"),
        ({"kind": "not_entitled"}, 403, "You are not entitled to this data"),
        ({"kind": "outside_timeframe"}, 403, "Your plan doesn't include this data timeframe"),
        ({"kind": "unknown_key"}, 401, "Unknown API Key"),
        ({"kind": "not_found"}, 404, "Ticker not found."),
        ({"kind": "not_authorized_ok"}, 200, '"status":"NOT_AUTHORIZED"'),
        ({"kind": "server_error"}, 504, "<title>504 Gateway Time-out</title>"),
        ({"kind": "server_error", "status": 502}, 502, "nginx"),
        ({"kind": "html_ok"}, 200, "<html>"),
    ],
)
async def test_a_refusal_has_the_vendors_status_and_words(client, fault, status, words):
    await put(client, fault)

    got, body = await client.raw(DAY)

    assert got == status
    assert words in body.decode()


async def test_a_rate_limit_may_say_when_to_come_back_and_may_say_nothing(client):
    await put(client, {"kind": "rate_limited", "retry_after": 7, "empty_body": True})

    async with client.session.get(f"{client.origin}{DAY}") as answer:
        assert (answer.status, answer.headers["Retry-After"], await answer.read()) == (429, "7", b"")


async def test_a_fault_concerns_its_endpoint_only(client):
    await put(client, {"kind": "server_error", "endpoint": "tickers"})

    assert (await client.raw(LISTING))[0] == 504
    assert (await client.raw(DAY))[0] == 200


async def test_a_fault_concerns_its_paths_only(client):
    await put(client, {"kind": "server_error", "paths": "ticker/(AAPL|SPY)/"})

    assert (await client.raw(RANGE))[0] == 504
    assert (await client.raw(RANGE.replace("AAPL", "MSFT")))[0] == 200


async def test_a_day_is_not_yet_there_while_the_others_are(client):
    await put(client, {"kind": "not_yet", "day": "2025-11-11"})

    assert (await client.raw(DAY))[0] == 403
    assert (await client.raw(DAY.replace("11-11", "11-10")))[0] == 200
    assert (await client.raw(RANGE))[0] == 403
    assert (await client.raw(RANGE.replace("11-11", "11-10")))[0] == 200


async def test_a_fault_strikes_so_many_times_and_no_more(client):
    await put(client, {"kind": "server_error", "times": 2})

    assert [(await client.raw(DAY))[0] for _ in range(4)] == [504, 504, 200, 200]


async def test_a_fault_strikes_every_nth_request_after_those_it_skips(client):
    await put(client, {"kind": "server_error", "skip": 1, "every": 2})

    assert [(await client.raw(DAY))[0] for _ in range(6)] == [200, 200, 504, 200, 504, 200]


async def test_posting_faults_replaces_the_ones_before(client):
    await put(client, {"kind": "server_error"})
    await put(client)

    assert (await client.raw(DAY))[0] == 200


async def test_a_fault_nobody_knows_is_refused_with_its_reason(client):
    for bad in ({"kind": "earthquake"}, {"kind": "latency", "every": 0}, {"kind": "latency", "evry": 2}):
        status, body = await client.control("faults", [bad])
        assert (status, bool(body["error"])) == (400, True)


async def test_a_plans_limit_refuses_what_is_beyond_it_in_its_window(client):
    await put(client, {"kind": "calls_per_minute", "limit": 3})

    assert [(await client.raw(DAY))[0] for _ in range(5)] == [200, 200, 200, 429, 429]


async def test_a_plans_limit_can_be_an_option_that_faults_leave_in_force(serve):
    client = await serve(requests_per_minute=2)
    await put(client)

    assert [(await client.raw(DAY))[0] for _ in range(3)] == [200, 200, 429]


async def test_latency_delays_the_answer(client):
    await put(client, {"kind": "latency", "latency_ms": 40})
    loop_time = asyncio.get_running_loop().time

    before = loop_time()
    assert (await client.raw(DAY))[0] == 200
    assert loop_time() - before >= 0.04


async def test_a_dropped_connection_has_no_answer(client):
    # Twice, because aiohttp's client silently repeats a GET whose connection was cut.
    await put(client, {"kind": "drop", "times": 2})

    with pytest.raises(ClientError):
        await client.raw(DAY)
    assert (await client.raw(DAY))[0] == 200
    told = await client.ok("/_simulator/requests")
    assert (told["total"], told["by_status"]) == (3, {"200": 1})


async def test_a_truncated_body_is_no_json_though_the_transfer_is_complete(client):
    await put(client, {"kind": "truncated_body"})
    status, body = await client.raw(DAY)

    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize("path", [DAY, RANGE, LISTING], ids=["day", "range", "listing"])
@pytest.mark.parametrize(("shape", "expected"), [("absent", "none"), ("list", []), ("null", None)])
async def test_an_empty_answer_comes_in_three_shapes(client, path, shape, expected):
    await put(client, {"kind": "empty", "shape": shape})
    answer = await client.ok(path)

    assert answer.get("results", "none") == expected
    assert answer["status"] == "OK"
    assert answer["count"] == 0
    assert "next_url" not in answer


async def test_a_listing_that_stops_early_has_no_next_page(client):
    await put(client, {"kind": "truncated_pages", "endpoint": "tickers", "skip": 2})

    assert len(await client.pages(LISTING)) == 3


async def test_duplicate_rows_of_a_listing_are_older_and_of_another_company(client):
    await put(client, {"kind": "duplicate_rows", "rows": 2})
    rows = (await client.ok(LISTING))["results"]

    assert [row["ticker"] for row in rows[10:]] == [row["ticker"] for row in rows[:2]]
    assert rows[10]["last_updated_utc"] < rows[0]["last_updated_utc"]
    assert rows[10]["cik"] != rows[0].get("cik")


async def test_duplicate_rows_of_a_day_are_counted(client):
    await put(client, {"kind": "duplicate_rows", "rows": 3})
    answer = await client.ok(DAY)

    symbols = [row["T"] for row in answer["results"]]
    assert symbols[-3:] == symbols[:3]
    assert answer["count"] == len(symbols)


async def test_foreign_bars_name_another_ticker_or_lie_on_another_day(client):
    await put(client, {"kind": "foreign_ticker"})
    assert (await client.ok(RANGE))["ticker"] == "XFRGN"
    assert "XFRGN0" in {row["T"] for row in (await client.ok(DAY))["results"]}

    honest_until = max(bar["t"] for bar in (await client.ok(RANGE))["results"])
    await put(client, {"kind": "foreign_day"})
    assert max(bar["t"] for bar in (await client.ok(RANGE))["results"]) > honest_until


async def test_garbage_rows_have_nul_tickers_and_absurd_prices(client):
    await put(client, {"kind": "nul_tickers", "rows": 1})
    row = (await client.ok(DAY))["results"][-1]

    assert row["T"].startswith("\0")
    assert row["c"] == 1e12


async def test_a_repeated_cursor_leads_back_to_the_same_page(client):
    first = await client.ok(LISTING)
    await put(client, {"kind": "repeated_cursor"})
    second_path = first["next_url"].removeprefix(client.origin)

    assert (await client.ok(second_path))["next_url"] == first["next_url"]


async def test_a_next_address_may_lead_astray(client):
    await put(client, {"kind": "foreign_host", "host": "https://thief.example"})
    assert (await client.ok(LISTING))["next_url"].startswith("https://thief.example/v3/reference/tickers?cursor=")

    await put(client, {"kind": "doubled_port"})
    assert ":443:443/v3/reference/tickers?cursor=" in (await client.ok(LISTING))["next_url"]


async def test_a_cursor_of_the_servers_own_making_may_be_refused(client):
    await put(client, {"kind": "bad_cursor"})
    first = await client.ok(LISTING)

    status, body = await client.refused(first["next_url"].removeprefix(client.origin))
    assert (status, body["status"]) == (400, "ERROR")


async def test_the_faults_in_force_tell_how_often_they_struck(client):
    await put(client, {"kind": "server_error", "times": 1})
    for _ in range(3):
        await client.raw(DAY)

    told = await client.ok("/_simulator/faults")
    assert [(each["fault"]["kind"], each["met"], each["struck"]) for each in told] == [("server_error", 3, 1)]


async def test_a_days_bars_may_be_another_days_with_its_own_times(client):
    honest = (await client.ok(DAY))["results"]
    before = (await client.ok(DAY.replace("11-11", "11-10")))["results"]
    await put(client, {"kind": "other_day", "day": "2025-11-11", "other_day": "2025-11-10"})
    told = (await client.ok(DAY))["results"]

    assert [(row["T"], row["c"], row["v"]) for row in told] == [(row["T"], row["c"], row["v"]) for row in before]
    assert {row["t"] for row in told} == {row["t"] for row in honest}


async def test_two_tickers_may_have_each_others_bars(client):
    honest = {row["T"]: row["c"] for row in (await client.ok(DAY))["results"]}
    await put(client, {"kind": "swapped", "tickers": ["AAPL", "SPY"], "endpoint": "grouped_daily"})
    told = {row["T"]: row["c"] for row in (await client.ok(DAY))["results"]}

    assert told == honest | {"AAPL": honest["SPY"], "SPY": honest["AAPL"]}


async def test_prices_and_volumes_of_all_or_some_may_come_times_a_factor(client):
    honest = {row["T"]: row for row in (await client.ok(DAY))["results"]}
    await put(client, {"kind": "scaled", "price_factor": 100.0})
    assert {row["T"]: row["c"] for row in (await client.ok(DAY))["results"]} == {
        ticker: row["c"] * 100 for ticker, row in honest.items()
    }
    await put(client, {"kind": "scaled", "volume_factor": 0.0, "tickers": ["SPY"]})
    assert {row["T"]: row["v"] for row in (await client.ok(DAY))["results"]} == {
        ticker: 0.0 if ticker == "SPY" else row["v"] for ticker, row in honest.items()
    }
