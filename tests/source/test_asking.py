"""Claims whose data an address is taken to give, and that an answer of another market is not stored."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from consumer.source.asking import SourceUnknown, ask_source, source_of_address
from consumer.vendor.errors import BadAnswer
from market.data_source import VENDOR, DataSource, simulated_source
from simulated_market.app import build_app
from simulated_market.options import SimulatorOptions
from tests.cycle.stack import DAY, EVENING, no_sleep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SANDBOX = simulated_source(seed=7, tickers=60)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(max_in_flight=1) as session:
        yield session


def market() -> TestServer:
    return TestServer(build_app(SimulatorOptions(tickers=60, seed=7, key="right"), now=lambda: EVENING))


def address(server: TestServer) -> str:
    return str(server.make_url("")).rstrip("/")


def answering(status: int) -> TestServer:
    """A server that answers everything with that status, as a gateway or a proxy of the vendor does."""

    async def handle(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        return web.Response(status=status, text="<html>")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    return TestServer(app)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.massive.com", "https://api.polygon.io", "https://API.Polygon.io/", "https://api.massive.com:443/v",
        "https://api.polygon.io.",
    ],
)  # fmt: skip
async def test_the_vendor_under_either_name_is_one_source_and_is_not_asked(url: str) -> None:
    assert await ask_source(None, url) is VENDOR  # type: ignore[arg-type]


async def test_a_simulated_market_says_so_itself_without_a_key(http: aiohttp.ClientSession) -> None:
    async with market() as server:
        assert await ask_source(http, address(server) + "/") == SANDBOX


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404])
async def test_any_other_server_is_the_vendor_by_another_address(http: aiohttp.ClientSession, status: int) -> None:
    async with answering(status) as server:
        assert await ask_source(http, address(server)) is VENDOR


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_gateway_whose_server_is_away_says_nothing(http: aiohttp.ClientSession, status: int) -> None:
    async with answering(status) as server:
        with pytest.raises(SourceUnknown, match=str(status)):
            await ask_source(http, address(server))


async def test_an_address_at_which_nobody_listens_yet_is_waited_for(http: aiohttp.ClientSession) -> None:
    """Not taken for the vendor: the market that is on its way up there would fill the vendor's database."""
    port = unused_port()
    later = TestServer(build_app(SimulatorOptions(tickers=60, seed=7), now=lambda: EVENING), port=port)
    naps: list[float] = []

    async def start_it_meanwhile(delay: float) -> None:
        naps.append(delay)
        assert len(naps) <= 2, "it listens by now"
        if len(naps) == 2:
            await later.start_server()

    try:
        assert await source_of_address(http, f"http://127.0.0.1:{port}", sleep=start_it_meanwhile) == SANDBOX
    finally:
        await later.close()
    assert len(naps) == 2


@pytest.mark.parametrize("expected", [VENDOR, simulated_source(seed=8, tickers=60)], ids=lambda one: one.slug)
async def test_an_answer_of_another_market_than_the_runs_is_no_answer(
    http: aiohttp.ClientSession, expected: DataSource
) -> None:
    async with market() as server:
        with pytest.raises(BadAnswer, match="simulated seed=7 tickers=60"):
            await client(http, server, expected).grouped_daily(DAY)
        assert len((await client(http, server, SANDBOX).grouped_daily(DAY)).rows) > 20


async def test_a_server_that_is_no_simulated_market_gives_a_simulated_run_nothing(http: aiohttp.ClientSession) -> None:
    async with answering(200) as server:
        with pytest.raises(BadAnswer, match="no simulated market"):
            await client(http, server, SANDBOX, api_key=None).grouped_daily(DAY)


PATIENCE = Patience(tries=1, sleep=no_sleep, first_pause=dt.timedelta(0))


def client(
    http: aiohttp.ClientSession, server: TestServer, source: DataSource, *, api_key: str | None = "right"
) -> MassiveClient:
    return MassiveClient(
        http,
        Access(base_url=address(server), api_key=api_key, budget=UnlimitedBudget(), patience=PATIENCE, source=source),
    )
