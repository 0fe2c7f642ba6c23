"""What a troubled vendor may cost: a line a minute, ten minutes of a request, no request for a trial that waits."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from loguru import logger

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.vendor.errors import ProviderUnavailable, RateLimited
from tests.massive.scripted_vendor import (
    DETAILS,
    GATEWAY,
    KEY,
    Naps,
    RecordingBudget,
    Reply,
    ScriptedVendor,
    any_sieve,
    warnings,
)  # fmt: skip

if TYPE_CHECKING:
    import io

    import aiohttp


async def test_failures_of_an_endpoint_are_said_once_a_minute_with_their_number_and_one_of_them(
    http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps, log: io.StringIO
) -> None:
    now = [100.0]
    patience = Patience(tries=2, sleep=naps, clock=lambda: now[0], failures_to_open=99)
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=UnlimitedBudget(), patience=patience))
    for second in range(0, 120, 2):  # every other request fails once: sixty failures in two minutes
        now[0] = 100.0 + second
        vendor.will_answer(GATEWAY, DETAILS)
        await client.ticker_details("A", sieve=any_sieve())
    assert [record["extra"]["times"] for record in warnings(log)] == [1, 29]
    client.tell_rest()
    said = warnings(log)
    assert [record["extra"]["times"] for record in said] == [1, 29, 30]
    assert all("504" in record["extra"]["reason"] for record in said)
    client.tell_rest()
    now[0] += 60
    vendor.will_answer(GATEWAY, DETAILS)
    await client.ticker_details("A", sieve=any_sieve())
    assert [record["extra"]["times"] for record in warnings(log)] == [1, 29, 30, 1], "after a quiet minute at once"
    assert log.getvalue().count('"DEBUG"') == 61, "each is there for whoever looks closer"


async def test_what_was_counted_is_said_with_the_next_answer_also_when_all_is_well_again(
    http: aiohttp.ClientSession, vendor: ScriptedVendor, naps: Naps, log: io.StringIO
) -> None:
    now = [0.0]
    patience = Patience(sleep=naps, clock=lambda: now[0])
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=UnlimitedBudget(), patience=patience))
    vendor.will_answer(GATEWAY, GATEWAY, DETAILS, DETAILS)
    await client.ticker_details("A", sieve=any_sieve())
    now[0] = 61.0
    with logger.contextualize(part="another"):
        await client.ticker_details("A", sieve=any_sieve())
    assert [record["extra"]["times"] for record in warnings(log)] == [1, 1]
    assert not any("part" in record["extra"] for record in warnings(log)), "not said of whoever asks when it is said"


async def test_a_vendor_that_asks_for_hours_is_waited_for_by_the_part_and_not_by_the_request(
    http: aiohttp.ClientSession, vendor: ScriptedVendor
) -> None:
    budget = RecordingBudget()
    client = MassiveClient(http, Access(base_url=vendor.url, api_key=KEY, budget=budget))
    vendor.will_answer(*[Reply(status=429, headers={"Retry-After": "86400"})] * 6)
    with pytest.raises(RateLimited) as caught:
        await client.ticker_details("A", sieve=any_sieve())
    assert budget.pauses == [dt.timedelta(minutes=10)], "six of them would outlast the part's deadline"
    assert caught.value.retry_after == dt.timedelta(minutes=10)


async def test_a_vendor_that_drips_a_byte_at_a_time_is_given_up_in_time_and_asked_again(
    http: aiohttp.ClientSession, naps: Naps
) -> None:
    asked = 0

    async def drip(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    app = web.Application()
    app.router.add_get("/{tail:.*}", drip)
    async with TestServer(app) as server:
        client = MassiveClient(
            http,
            Access(
                base_url=str(server.make_url("")).rstrip("/"),
                api_key=None,
                budget=UnlimitedBudget(),
                timeout=dt.timedelta(seconds=0.1),
                patience=Patience(sleep=naps, tries=2),
            ),
        )
        with pytest.raises(ProviderUnavailable, match=r"did not answer in full within 0\.1 s"):
            await client.ticker_details("A", sieve=any_sieve())
    assert asked == 2


async def test_whoever_comes_while_the_trial_waits_for_the_budget_waits_for_its_outcome(
    http: aiohttp.ClientSession, vendor: ScriptedVendor
) -> None:
    now, granted = [0.0], asyncio.Event()

    class SlowBudget(RecordingBudget):
        async def acquire(self, endpoint: str = "") -> None:
            await super().acquire(endpoint)
            await granted.wait()

    budget = SlowBudget()
    patience = Patience(tries=1, failures_to_open=1, clock=lambda: now[0], draw=lambda: 1.0)
    client = MassiveClient(
        http, Access(base_url=vendor.url, api_key=KEY, budget=budget, patience=patience, max_in_flight=9)
    )
    vendor.will_answer(GATEWAY, *[DETAILS] * 5)
    granted.set()
    with pytest.raises(ProviderUnavailable):
        await client.ticker_details("A", sieve=any_sieve())
    now[0] += 2.0
    granted.clear()
    asking = [asyncio.create_task(client.ticker_details("A", sieve=any_sieve())) for _ in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert [task.done() for task in asking] == [False] * 5, "nobody fails for a request that was not sent yet"
    assert budget.asked == 2, "and nobody spends a grant on an endpoint that may still be away"
    granted.set()
    assert {answer.ticker for answer in await asyncio.gather(*asking)} == {"A"}
