"""Serves simulated markets to the tests on free loopback ports, each with a clock that stands still."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from simulated_market.app import build_app
from simulated_market.options import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

# The evening of Tuesday 2025-11-11, a trading day, when everything of it has been published.
EVENING = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)


class Client:
    """Asks one simulated market, by path."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self.session = session
        self.origin = origin

    async def raw(self, path: str, **headers: str) -> tuple[int, bytes]:
        async with self.session.get(f"{self.origin}{path}", headers=headers) as answer:
            return answer.status, await answer.read()

    async def ok(self, path: str) -> Any:
        status, body = await self.raw(path)
        assert status == 200, body
        return json.loads(body)

    async def refused(self, path: str, **headers: str) -> tuple[int, Any]:
        status, body = await self.raw(path, **headers)
        return status, json.loads(body)

    async def pages(self, path: str) -> list[Any]:
        """The first page and all that follow it."""
        pages = [await self.ok(path)]
        while (following := pages[-1].get("next_url")) is not None:
            assert following.startswith(self.origin)
            pages.append(await self.ok(following.removeprefix(self.origin)))
        return pages

    async def bars(self, ticker: str, days: str, window: str = "5/minute", **query: object) -> list[dict[str, Any]]:
        """Raw bars of a ticker over FIRST/LAST."""
        asked = {"adjusted": "false", "limit": 50000, **query}
        text = "&".join(f"{name}={value}" for name, value in asked.items())
        pages = await self.pages(f"/v2/aggs/ticker/{ticker}/range/{window}/{days}?{text}")
        return [bar for page in pages for bar in page.get("results") or []]

    async def grouped(self, day: str, adjusted: str = "false") -> dict[str, dict[str, Any]]:
        """One day's rows by ticker."""
        answer = await self.ok(f"/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted={adjusted}")
        return {row["T"]: row for row in answer.get("results", [])}

    async def control(self, verb: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.post(f"{self.origin}/_simulator/{verb}", json=body) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Starts a market: `await serve(tickers=50, seed=3, now=…, plan=…)`."""
    async with ClientSession() as session:
        servers: list[TestServer] = []

        async def start(*, now: dt.datetime = EVENING, **options: Any) -> Client:
            options.setdefault("tickers", 60)
            server = TestServer(build_app(SimulatorOptions(**options), now=lambda: now))
            await server.start_server()
            servers.append(server)
            return Client(session, str(server.make_url("")).rstrip("/"))

        yield start
        for server in servers:
            await server.close()


@pytest.fixture
async def client(serve: Callable[..., Awaitable[Client]]) -> Client:
    """A market of sixty tickers on the evening of 2025-11-11."""
    return await serve()
