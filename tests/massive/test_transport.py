"""What the client does when the vendor fails, and what it never does."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
from typing import TYPE_CHECKING

import pytest

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.envelope import Undecodable
from consumer.vendor.errors import BadRequest, BudgetUnavailable, KeyRejected, ProviderUnavailable, RateLimited
from tests.massive.scripted_vendor import (
    DETAILS,
    GATEWAY,
    KEY,
    Naps,
    RecordingBudget,
    Reply,
    ScriptedVendor,
    any_sieve,
    reply_of,
    scripted_vendor,
    warnings,
)

if TYPE_CHECKING:
    import io

    import aiohttp

HTML_200 = Reply(status=200, body=b"<!doctype html><title>Maintenance</title>")
TOO_MANY = reply_of({"status": "ERROR", "error": "You've exceeded the maximum requests per minute"}, status=429)


@pytest.mark.parametrize(
    "failure",
    [
        GATEWAY,
        HTML_200,
        Reply(status=500),
        Reply(status=200, body=b""),
        Reply(status=200, body=b'{"status":"OK","results":{"tick'),
        Reply(status=200, body=b'{"status":"OK"', hangs_up=True),
        Reply(status=200, body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(status=200, body=gzip.compress(b"{}" * 999)[:-9], headers={"Content-Encoding": "gzip"}),
    ],
)
async def test_a_transient_failure_is_tried_again_after_a_jittered_wait(
    client: MassiveClient, vendor: ScriptedVendor, naps: Naps, failure: Reply
) -> None:
    vendor.will_answer(failure, failure, DETAILS)
    assert (await client.ticker_details("A", sieve=any_sieve())).ticker == "A"
    assert naps.taken == [1.0, 2.0]
    assert client.requests_made == {"ticker_details": 3}


async def test_three_transient_failures_are_handed_back(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(GATEWAY, HTML_200, GATEWAY, DETAILS)
    with pytest.raises(ProviderUnavailable, match="504 Gateway Time-out"):
        await client.ticker_details("A", sieve=any_sieve())
    assert len(vendor.requests) == 3


async def test_the_wait_is_drawn_between_zero_and_its_ceiling(
    http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps
) -> None:
    draws = iter([0.25, 0.5])
    patience = Patience(sleep=naps, draw=lambda: next(draws), longest_delay=dt.timedelta(seconds=1.5))
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=None, budget=UnlimitedBudget(), patience=patience))
    vendor.will_answer(GATEWAY, GATEWAY, DETAILS)
    await client.ticker_details("A", sieve=any_sieve())
    assert naps.taken == [0.25, 0.75]


@pytest.mark.parametrize(("status", "error"), [(400, BadRequest), (401, KeyRejected)])
async def test_what_will_not_change_is_not_tried_again(
    client: MassiveClient, vendor: ScriptedVendor, status: int, error: type[Exception]
) -> None:
    vendor.will_answer(reply_of({"error": "no"}, status=status), DETAILS)
    with pytest.raises(error):
        await client.ticker_details("A", sieve=any_sieve())
    assert len(vendor.requests) == 1


async def test_a_server_that_is_not_there_is_unavailable(http: aiohttp.ClientSession, naps: Naps) -> None:
    async with scripted_vendor() as gone:
        url = gone.url
    client = MassiveClient(
        http, Access(base_url=url, api_key=None, budget=UnlimitedBudget(), patience=Patience(sleep=naps, tries=2))
    )
    with pytest.raises(ProviderUnavailable, match="broke off"):
        await client.ticker_details("A", sieve=any_sieve())
    assert len(naps.taken) == 1


async def test_a_server_that_says_nothing_is_given_up_in_time(
    http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps
) -> None:
    never = asyncio.Event()
    vendor.before_reply = never.wait
    vendor.will_answer(DETAILS)
    client = MassiveClient(
        http,
        Access(
            base_url=vendor.url,
            api_key=None,
            budget=UnlimitedBudget(),
            timeout=dt.timedelta(seconds=0.05),
            patience=Patience(sleep=naps, tries=1),
        ),
    )
    with pytest.raises(ProviderUnavailable, match="did not answer in full within"):
        await client.ticker_details("A", sieve=any_sieve())
    never.set()


async def test_a_redirect_is_not_followed_with_the_key(client: MassiveClient, vendor: ScriptedVendor) -> None:
    async with scripted_vendor() as elsewhere:
        vendor.will_answer(*[Reply(status=302, headers={"Location": elsewhere.url})] * 3)
        with pytest.raises(ProviderUnavailable, match="MASSIVE_BASE_URL"):
            await client.ticker_details("A", sieve=any_sieve())
        assert elsewhere.requests == []


async def test_a_429_pauses_the_shared_budget_and_is_asked_again(
    http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps
) -> None:
    budget = RecordingBudget()
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=budget, patience=Patience(sleep=naps)))
    vendor.will_answer(Reply(status=429, headers={"Retry-After": "17"}), TOO_MANY, Reply(status=429), DETAILS)
    await client.ticker_details("A", sieve=any_sieve())
    # The vendor's own wait, then what the budget holds to be a recovery.
    assert budget.pauses == [dt.timedelta(seconds=17), dt.timedelta(seconds=2), dt.timedelta(seconds=4)]
    assert (budget.asked, naps.taken) == (4, [])


async def test_endless_429_is_handed_back_with_the_vendors_wait(
    http: aiohttp.ClientSession, vendor: ScriptedVendor
) -> None:
    budget = RecordingBudget()
    patience = Patience(rate_limited_tries=3)
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=budget, patience=patience))
    vendor.will_answer(*[Reply(status=429, headers={"Retry-After": "9"})] * 3, DETAILS)
    with pytest.raises(RateLimited) as caught:
        await client.ticker_details("A", sieve=any_sieve())
    assert caught.value.retry_after == dt.timedelta(seconds=9)
    assert (len(vendor.requests), len(budget.pauses)) == (3, 2)


async def test_without_a_budget_nothing_is_sent(http: aiohttp.ClientSession, vendor: ScriptedVendor) -> None:
    class SilentBudget(UnlimitedBudget):
        async def acquire(self, endpoint: str = "") -> None:
            raise BudgetUnavailable("Redis does not answer")

    client = MassiveClient(
        http, Access(base_url=vendor.url, api_key=KEY, budget=SilentBudget(), patience=Patience(sleep=Naps()))
    )
    with pytest.raises(BudgetUnavailable):
        await client.ticker_details("A", sieve=any_sieve())
    assert vendor.requests == []


async def test_no_more_requests_are_in_flight_than_allowed(http: aiohttp.ClientSession, vendor: ScriptedVendor) -> None:
    in_flight = most = 0

    async def watch() -> None:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        for _ in range(100):  # turns of the loop, enough for every other request to arrive
            await asyncio.sleep(0)
        in_flight -= 1

    vendor.before_reply = watch
    vendor.will_answer(*[DETAILS] * 10)
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=UnlimitedBudget(), max_in_flight=2))
    await asyncio.gather(*(client.ticker_details("A", sieve=any_sieve()) for _ in range(10)))
    assert most == 2


@pytest.mark.parametrize("status", [200, 401, 403, 500])
async def test_a_key_that_the_vendor_echoes_reaches_neither_error_nor_log(
    client: MassiveClient, vendor: ScriptedVendor, log: io.StringIO, status: int
) -> None:
    echo = reply_of({"status": "ERROR", "error": f"Something about key {KEY}"}, status=status)
    vendor.will_answer(*[echo] * 3)
    with pytest.raises(Exception, match=r"Something about key \*\*\*") as caught:
        await client.ticker_details("A", sieve=any_sieve())
    assert KEY not in repr(caught.value)
    assert KEY not in log.getvalue()


async def test_waits_are_logged_with_their_reason(
    client: MassiveClient, vendor: ScriptedVendor, log: io.StringIO
) -> None:
    vendor.will_answer(GATEWAY, TOO_MANY, DETAILS)
    await client.ticker_details("A", sieve=any_sieve())
    first, second = warnings(log)
    assert (first["extra"]["endpoint"], first["extra"]["times"]) == ("ticker_details", 1)
    assert "504" in first["extra"]["reason"]
    assert second["extra"]["pause_s"] == 1.0


async def test_an_html_page_is_called_by_its_title(client: MassiveClient, vendor: ScriptedVendor) -> None:
    vendor.will_answer(*[HTML_200] * 3)
    with pytest.raises(Undecodable, match="an HTML page titled 'Maintenance'"):
        await client.ticker_details("A", sieve=any_sieve())


@pytest.mark.parametrize(
    "url", ["", "api.massive.com", "ftp://api.massive.com", "https://u:p@host", "https://h/?apiKey=1"]
)
async def test_a_base_url_that_cannot_work_is_refused_at_once(http: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(ValueError, match="MASSIVE_BASE_URL"):
        MassiveClient(http, Access(base_url=url, api_key=None, budget=UnlimitedBudget()))


async def test_a_base_url_may_have_a_path(http: aiohttp.ClientSession, vendor: ScriptedVendor) -> None:
    client = MassiveClient(http, Access(base_url=f"{vendor.url}/massive/", api_key=None, budget=UnlimitedBudget()))
    first = {
        "status": "OK",
        "results": [{"ticker": "A"}],
        "next_url": "https://p/massive/v3/reference/tickers?cursor=1",
    }
    vendor.will_answer(first, {"status": "OK", "results": [{"ticker": "B"}]})
    assert len((await client.list_tickers(sieve=any_sieve())).rows) == 2
    assert vendor.targets[1] == "/massive/v3/reference/tickers?cursor=1"
    assert "Authorization" not in vendor.requests[0].headers


async def test_an_endpoint_that_does_not_answer_is_left_alone_and_the_others_are_asked(
    http: aiohttp.ClientSession, vendor: ScriptedVendor
) -> None:
    now = [0.0]
    patience = Patience(tries=1, failures_to_open=2, clock=lambda: now[0], draw=lambda: 1.0)
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=UnlimitedBudget(), patience=patience))
    vendor.will_answer(Reply(status=504), Reply(status=502), Reply(body=b'{"status": "OK", "results": []}'), DETAILS)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await client.ticker_details("A", sieve=any_sieve())
    with pytest.raises(ProviderUnavailable, match="ticker_details has not been answering"):
        await client.ticker_details("A", sieve=any_sieve())
    assert len(vendor.requests) == 2, "the third was not sent"
    await client.list_splits(dt.date(2026, 7, 1), dt.date(2026, 7, 2), sieve=any_sieve())
    now[0] += 2.0
    assert (await client.ticker_details("A", sieve=any_sieve())).ticker == "A"


async def test_requests_one_after_the_other_share_a_connection(client: MassiveClient, vendor: ScriptedVendor) -> None:
    peers = set()

    async def note() -> None:
        transport = vendor.requests[-1].transport
        assert transport is not None
        peers.add(transport.get_extra_info("peername"))

    vendor.before_reply = note
    vendor.will_answer(DETAILS, DETAILS, DETAILS)
    for _ in range(3):
        await client.ticker_details("A", sieve=any_sieve())
    assert len(vendor.requests) == 3
    assert len(peers) == 1


async def test_each_answer_is_counted_by_its_status_and_one_that_does_not_come_as_none(
    http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps
) -> None:
    counted: list[tuple[str, int | None]] = []
    access = Access(
        base_url=vendor.url, api_key=KEY, budget=UnlimitedBudget(sleep=naps),
        patience=Patience(sleep=naps, draw=lambda: 1.0), on_answer=lambda *answer: counted.append(answer),
    )  # fmt: skip
    vendor.will_answer(GATEWAY, Reply(status=200, body=b'{"status":"OK"', hangs_up=True), DETAILS)
    await MassiveClient(http, access).ticker_details("A", sieve=any_sieve())
    assert counted == [("ticker_details", GATEWAY.status), ("ticker_details", None), ("ticker_details", 200)]
