"""What the client asks, and what it makes of the answers, over real HTTP."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.vendor.errors import (
    BadAnswer,
    BadRequest,
    NotEntitled,
    NotYetPublished,
    OutsidePlanTimeframe,
    TickerNotFound,
)
from consumer.vendor.rows import Flaw
from tests.massive.scripted_vendor import KEY, Reply, ScriptedVendor, any_sieve, reply_of

if TYPE_CHECKING:
    from consumer.massive.client import MassiveClient

DAY = dt.date(2020, 10, 14)
CLOSE_MS = 1602705600000
BAR = {"T": "BRK.A", "o": 1.5, "h": 2, "l": 1, "c": 2, "v": 10.25, "t": CLOSE_MS}
FLOAT = {"ticker": "A", "effective_date": "2020-10-01", "free_float": 5, "free_float_percent": 79.5}
SPLIT = {"id": "x", "ticker": "AAPL", "execution_date": "2020-10-14", "split_from": 1, "split_to": 4}

NOT_ENTITLED = reply_of({"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}, status=403)
NOT_FOUND = reply_of({"status": "NOT_FOUND", "message": "Ticker not found."}, status=404)
NO_SUCH_PATH = Reply(status=404, body=b"404 page not found")


def ok(*rows: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    return {"status": "OK", "request_id": "r", "results": list(rows), **envelope}


async def test_the_key_travels_in_a_header_and_nowhere_else(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(BAR))
    await client.grouped_daily(DAY)
    (request,) = vendor.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert "gzip" in request.headers["Accept-Encoding"]
    assert KEY not in request.raw_path


async def test_grouped_daily_asks_raw_bars_of_one_day(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(BAR, {**BAR, "T": "\0BAD", "h": 1e12}, {"T": "CUT"}, resultsCount=3))
    answer = await client.grouped_daily(DAY)
    assert vendor.targets == ["/v2/aggs/grouped/locale/us/market/stocks/2020-10-14?adjusted=false"]
    assert [(row.T, row.v) for row in answer.rows] == [("BRK.A", 10.25)]
    assert (answer.day, answer.request_id) == (DAY, "r")
    assert answer.rejected == {Flaw.SYMBOL: 1, Flaw.UNDECODABLE: 1}


CUSTOM = {name: value for name, value in BAR.items() if name != "T"} | {"t": 1602648000000, "vw": 1.7, "n": 9}


async def test_a_daily_bar_is_asked_raw_from_the_custom_bars(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(CUSTOM, ticker="BRK.A", adjusted=False, resultsCount=1))
    bar = await client.daily_bar("BRK.A", DAY)
    assert vendor.targets == ["/v2/aggs/ticker/BRK.A/range/1/day/2020-10-14/2020-10-14?adjusted=false"]
    assert bar is not None
    assert (bar.T, bar.c, bar.v, bar.vw, bar.n) == ("BRK.A", 2.0, 10.25, 1.7, 9)
    vendor.will_answer({"status": "OK", "ticker": "BRK.A", "queryCount": 0, "resultsCount": 0, "adjusted": False})
    assert await client.daily_bar("BRK.A", DAY) is None


@pytest.mark.parametrize(
    "answer",
    [
        ok(CUSTOM, ticker="BRK.B"),
        ok(CUSTOM, ticker="BRK.A", adjusted=True),
        ok({**CUSTOM, "t": 1602561600000}, ticker="BRK.A"),
        ok({**CUSTOM, "c": -1}, ticker="BRK.A"),
        ok({"t": 1602648000000}, ticker="BRK.A"),
        ok(CUSTOM, CUSTOM | {"t": 1602682200000}, ticker="BRK.A"),
        ok(CUSTOM, ticker="BRK.A", resultsCount=2),
    ],
    ids=["another ticker's", "adjusted", "another day's", "garbage", "cut", "minutes", "less than announced"],
)
async def test_a_daily_bar_that_is_not_the_one_asked_for_is_no_evidence(
    client: MassiveClient, vendor: ScriptedVendor, answer: dict[str, Any]
) -> None:
    vendor.will_answer(*[answer] * 5)
    with pytest.raises(BadAnswer):
        await client.daily_bar("BRK.A", DAY)


async def test_a_day_without_results_is_an_explicit_empty(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer({"queryCount": 0, "resultsCount": 0, "adjusted": True, "status": "OK", "count": 0})
    answer = await client.grouped_daily(DAY)
    assert (answer.rows, answer.rejected) == ([], {})


async def test_bars_of_another_day_only_are_no_empty_day(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(BAR))
    with pytest.raises(BadAnswer, match="Not one of 1 rows is a bar of 2020-10-15"):
        await client.grouped_daily(DAY + dt.timedelta(days=1))


async def test_an_answer_shorter_than_it_announces_is_bad(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(BAR, resultsCount=2), ok({"ticker": "A"}, count=2))
    with pytest.raises(BadAnswer, match="announces 2 rows and holds 1"):
        await client.grouped_daily(DAY)
    with pytest.raises(BadAnswer, match="announces 2 rows and holds 1"):
        await client.list_tickers(sieve=any_sieve())


async def test_adjusted_bars_are_refused(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(BAR, adjusted=True), ok({"t": CLOSE_MS, "v": 1}, ticker="A", adjusted=True))
    with pytest.raises(BadAnswer, match="split-adjusted"):
        await client.grouped_daily(DAY)
    with pytest.raises(BadAnswer, match="split-adjusted"):
        await client.five_minute_bars("A", DAY, DAY)


async def test_what_is_not_published_yet_differs_from_what_the_plan_lacks(
    client: MassiveClient, vendor: ScriptedVendor
) -> None:
    today = "Attempted to request today's data before end of day. Please upgrade"
    timeframe = "Your plan doesn't include this data timeframe. Please upgrade"
    for message in (today, timeframe):
        vendor.will_answer(reply_of({"status": "NOT_AUTHORIZED", "message": message}, status=403))
    with pytest.raises(NotYetPublished):
        await client.grouped_daily(DAY)
    with pytest.raises(OutsidePlanTimeframe):
        await client.grouped_daily(DAY)


async def test_thirty_sessions_of_five_minute_bars_are_one_raw_request(
    client: MassiveClient, vendor: ScriptedVendor
) -> None:
    vendor.will_answer(ok({"t": CLOSE_MS, "v": 0.5, "o": "ignored"}, ticker="BRK.A", adjusted=False, resultsCount=1))
    bars = await client.five_minute_bars("BRK.A", dt.date(2020, 9, 1), DAY)
    assert vendor.targets == [
        "/v2/aggs/ticker/BRK.A/range/5/minute/2020-09-01/2020-10-14?adjusted=false&sort=asc&limit=50000"
    ]
    assert (bars.timestamps_ms.tolist(), bars.volumes.tolist(), bars.pages) == ([CLOSE_MS], [0.5], 1)


async def test_further_pages_come_from_the_configured_host_and_stay_raw(
    client: MassiveClient, vendor: ScriptedVendor
) -> None:
    next_url = "https://evil.example:443:443/v2/aggs/ticker/A/range/5/minute/1/2?cursor=bGltaXQ&apiKey=theirs"
    vendor.will_answer(
        ok({"t": CLOSE_MS, "v": 1}, ticker="A", next_url=next_url), ok({"t": CLOSE_MS + 300_000, "v": 2}, ticker="A")
    )
    bars = await client.five_minute_bars("A", DAY, DAY)
    assert vendor.targets[1] == "/v2/aggs/ticker/A/range/5/minute/1/2?cursor=bGltaXQ&adjusted=false"
    assert vendor.requests[1].headers["Authorization"] == f"Bearer {KEY}"
    assert (bars.volumes.tolist(), bars.pages, bars.request_ids) == ([1.0, 2.0], 2, ("r", "r"))


async def test_symbols_are_quoted_in_their_own_case(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(ticker="BACpB"), {"status": "OK", "results": {"ticker": "A/B"}})
    await client.five_minute_bars("BACpB", DAY, DAY)
    await client.ticker_details("A/B", sieve=any_sieve())
    assert vendor.targets[0].startswith("/v2/aggs/ticker/BACpB/range/")
    assert vendor.targets[1] == "/v3/reference/tickers/A%2FB"


@pytest.mark.parametrize("symbol", ["", "..", "A B", "A\0", "A?x=1 "])
async def test_what_is_no_symbol_is_never_asked(client: MassiveClient, vendor: ScriptedVendor, symbol: str) -> None:
    with pytest.raises(BadRequest, match="no ticker symbol"):
        await client.ticker_details(symbol, sieve=any_sieve())
    assert vendor.requests == []


async def test_the_listing_is_read_to_its_end(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(
        ok({"ticker": "A"}, {"ticker": "B"}, count=2, next_url="https://api.massive.com/v3/reference/tickers?cursor=1"),
        ok(next_url="https://api.massive.com/v3/reference/tickers?cursor=2"),
        ok({"ticker": "C", "active": True}, count=1),
    )
    listing = await client.list_tickers(sieve=any_sieve())
    assert vendor.targets[0] == "/v3/reference/tickers?market=stocks&active=true&order=asc&sort=ticker&limit=1000"
    assert ([row.ticker for row in listing.rows], listing.pages, listing.complete) == (["A", "B", "C"], 3, True)
    assert client.requests_made == {"tickers": 3}


async def test_a_count_over_all_pages_is_not_taken_for_this_page(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok({"ticker": "A"}, count=11_000))
    assert len((await client.list_tickers(sieve=any_sieve())).rows) == 1


async def test_delisted_tickers_are_asked_as_inactive(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok())
    assert (await client.list_tickers(active=False, sieve=any_sieve())).rows == []
    assert "active=false" in vendor.targets[0]


NEXT = "https://api.massive.com/v3/reference/tickers?cursor="


@pytest.mark.parametrize(
    ("replies", "complaint"),
    [
        ([ok()], "empty"),
        ([ok({"ticker": "A"}, next_url=f"{NEXT}1"), ok({"ticker": "B"}, next_url=f"{NEXT}1")], "circle"),
        ([ok({"ticker": "A"}, next_url=f"{NEXT}{page}") for page in range(9)], "does not end: 5 pages"),
        ([ok({"ticker": "A"}, next_url=f"{NEXT}1"), Reply(status=400, body=b"{}")], "break off after 1"),
        ([ok({"ticker": "A"}, next_url=f"{NEXT}1"), NOT_FOUND], "break off after 1"),
        ([ok({"ticker": "A"}, next_url="nonsense")], "names no path"),
    ],
)
async def test_a_partial_listing_is_raised_and_never_returned(
    client: MassiveClient, vendor: ScriptedVendor, replies: list[Any], complaint: str
) -> None:
    vendor.will_answer(*replies)
    with pytest.raises(BadAnswer, match=complaint):
        await client.list_tickers(sieve=any_sieve())


FULL = [{"ticker": f"T{number:04}"} for number in range(1000)]


@pytest.mark.parametrize("last_page", [[], [ok()]])
async def test_an_end_that_may_be_a_lost_page_is_made_sure_of(
    client: MassiveClient, vendor: ScriptedVendor, last_page: list[Any]
) -> None:
    further = {"next_url": f"{NEXT}1"} if last_page else {}
    vendor.will_answer(
        ok(*FULL, **further), *last_page, ok(), ok(*FULL, **further), *last_page, ok({"ticker": "T1000"})
    )
    assert len((await client.list_tickers(sieve=any_sieve())).rows) == 1000
    assert vendor.targets[-1].endswith("limit=10&ticker.gt=T0999")
    with pytest.raises(BadAnswer, match="end at 'T0999' although tickers follow"):
        await client.list_tickers(sieve=any_sieve())


@pytest.mark.parametrize("beyond", [[{"ticker": "T0000"}], [{"ticker": "T0500"}, {"ticker": "T0999"}]])
async def test_a_vendor_that_ignores_where_to_go_on_proves_no_further_symbols(
    client: MassiveClient, vendor: ScriptedVendor, beyond: list[dict[str, str]]
) -> None:
    vendor.will_answer(ok(*FULL), ok(*beyond), ok(*FULL), ok(*beyond, {"ticker": "SEEN_NEVER"}))
    assert len((await client.list_tickers(sieve=any_sieve())).rows) == 1000
    with pytest.raises(BadAnswer, match="although tickers follow"):
        await client.list_tickers(sieve=any_sieve())


@pytest.mark.parametrize("garbage", ["ZZ ZZ", "", "T" * 40, "T0999\x00"])
async def test_garbage_after_a_full_last_page_proves_no_further_symbols(
    client: MassiveClient, vendor: ScriptedVendor, garbage: str
) -> None:
    vendor.will_answer(ok(*FULL), ok({"ticker": garbage}), ok(*FULL), ok({"ticker": garbage}, {"ticker": "T1000"}))
    assert len((await client.list_tickers(sieve=any_sieve())).rows) == 1000
    with pytest.raises(BadAnswer, match="although tickers follow"):
        await client.list_tickers(sieve=any_sieve())


async def test_details_may_miss_any_field(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer({"status": "OK", "results": {"ticker": "MSFT", "sic_code": "7372", "list_date": "1986-03-13"}})
    details = await client.ticker_details("MSFT", sieve=any_sieve())
    assert vendor.targets == ["/v3/reference/tickers/MSFT"]
    assert (details.sic_code, details.list_date, details.market_cap) == ("7372", dt.date(1986, 3, 13), None)


async def test_details_of_nobody_and_of_somebody_else(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(NOT_FOUND, {"status": "OK", "results": {"ticker": "OTHER"}}, {"status": "OK"})
    with pytest.raises(TickerNotFound):
        await client.ticker_details("A", sieve=any_sieve())
    for _ in range(2):
        with pytest.raises(BadAnswer, match="Asked for details of A"):
            await client.ticker_details("A", sieve=any_sieve())


async def test_floats_come_in_bulk(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(FLOAT, next_url="https://h/stocks/vX/float?cursor=1"), ok({"ticker": "B"}))
    floats = await client.list_floats(sieve=any_sieve())
    assert vendor.targets[0] == "/stocks/vX/float?limit=5000&sort=ticker.asc"
    assert [(row.ticker, row.free_float, row.free_float_percent) for row in floats] == [
        ("A", 5, 79.5),
        ("B", None, None),
    ]


@pytest.mark.parametrize("reply", [NOT_ENTITLED, NOT_FOUND, NO_SUCH_PATH])
async def test_a_vendor_without_floats_is_a_capability_and_no_failure(
    client: MassiveClient, vendor: ScriptedVendor, reply: Reply
) -> None:
    vendor.will_answer(reply)
    with pytest.raises(NotEntitled):
        await client.list_floats(sieve=any_sieve())


async def test_splits_are_asked_for_a_window_of_days(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(ok(SPLIT, {**SPLIT, "id": "again"}))
    (split,) = await client.list_splits(dt.date(2020, 10, 1), DAY, sieve=any_sieve())
    assert vendor.targets == [
        "/stocks/v1/splits?execution_date.gte=2020-10-01&execution_date.lte=2020-10-14&limit=5000"
        "&sort=execution_date.asc"
    ]
    assert (split.ticker, split.execution_date, split.split_from, split.split_to) == ("AAPL", DAY, 1.0, 4.0)


@pytest.mark.parametrize("reply", [NOT_ENTITLED, NOT_FOUND, NO_SUCH_PATH])
async def test_splits_come_from_the_older_endpoint_where_the_newer_is_missing(
    client: MassiveClient, vendor: ScriptedVendor, reply: Reply
) -> None:
    vendor.will_answer(reply, ok(SPLIT))
    assert len(await client.list_splits(DAY, DAY, sieve=any_sieve())) == 1
    assert vendor.targets[1].startswith("/v3/reference/splits?execution_date.gte=2020-10-14")
    assert client.requests_made == {"splits": 2}


DIVIDEND = {
    "id": "D1", "ticker": "AAPL", "ex_dividend_date": DAY.isoformat(), "cash_amount": 0.205, "currency": "USD",
    "declaration_date": "2020-10-01", "record_date": "2020-10-16", "pay_date": "2020-10-20", "frequency": 4,
    "distribution_type": "recurring", "historical_adjustment_factor": 0.99, "split_adjusted_cash_amount": 0.205,
}  # fmt: skip


async def test_dividends_are_asked_for_a_window_of_days_and_read_to_the_last_page(
    client: MassiveClient, vendor: ScriptedVendor
) -> None:
    special = {**DIVIDEND, "id": "D2", "cash_amount": 3.0, "distribution_type": "special"}
    more = ok(DIVIDEND, next_url=f"{vendor.url}/stocks/v1/dividends?cursor=abc")
    vendor.will_answer(more, ok({**DIVIDEND, "id": "again"}, {**DIVIDEND, "cash_amount": 0.206}, special))
    sieve = any_sieve()
    ordinary, other = await client.list_dividends(dt.date(2020, 10, 1), DAY, sieve=sieve)
    assert vendor.targets[0] == (
        "/stocks/v1/dividends?ex_dividend_date.gte=2020-10-01&ex_dividend_date.lte=2020-10-14&limit=5000"
        "&sort=ex_dividend_date.asc"
    )
    assert len(vendor.targets) == 2
    assert (ordinary.ticker, ordinary.ex_dividend_date, ordinary.cash_amount) == ("AAPL", DAY, 0.205)
    assert (ordinary.currency, ordinary.frequency, ordinary.pay_date) == ("USD", 4, dt.date(2020, 10, 20))
    assert (other.cash_amount, other.distribution_type) == (3.0, "special")
    assert sieve.rejected == {"duplicate": 2}


@pytest.mark.parametrize("reply", [NOT_ENTITLED, NOT_FOUND, NO_SUCH_PATH])
async def test_a_vendor_without_dividends_is_a_capability_and_no_failure(
    client: MassiveClient, vendor: ScriptedVendor, reply: Reply
) -> None:
    vendor.will_answer(reply)
    with pytest.raises(NotEntitled):
        await client.list_dividends(DAY, DAY, sieve=any_sieve())
