"""Every fault of the simulated market, at every endpoint: a typed outcome or sound rows, and never a wrong one.

The list of faults is the market's own, so a new kind is tried here the day it is added.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestServer

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from consumer.vendor.errors import VendorError
from consumer.vendor.sieve import Sieve
from simulated_market.app import build_app
from simulated_market.faults.fault_set import FaultKind
from simulated_market.options import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DAY = dt.date(2025, 11, 11)
EVENING = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
# A ticker that is not the vendor's own cannot be told from a new one where many are listed: it is kept.
STRANGERS = "XFRGN"


async def no_sleep(_seconds: float) -> None:
    return None


class Vendor:
    """A simulated market of forty tickers and a client of it that does not wait."""

    def __init__(self, server: TestServer, massive: MassiveClient, http: Any) -> None:
        self.url = str(server.make_url("")).rstrip("/")
        self.massive = massive
        self._http = http

    async def fail(self, *faults: dict[str, object]) -> None:
        async with self._http.post(f"{self.url}/_simulator/faults", json=list(faults)) as answer:
            answer.raise_for_status()

    async def rows(self, endpoint: str) -> list[Any]:
        """What the client makes of one question, as comparable rows."""
        massive = self.massive
        match endpoint:
            case "grouped_daily":
                return (await massive.grouped_daily(DAY)).rows
            case "range_bars":
                bars = await massive.five_minute_bars("AAPL", DAY - dt.timedelta(days=1), DAY)
                return list(zip(bars.timestamps_ms.tolist(), bars.volumes.tolist(), strict=True))
            case "daily_bar":
                bar = await massive.daily_bar("AAPL", DAY)
                return [] if bar is None else [bar]
            case "tickers":
                return (await massive.list_tickers(sieve=Sieve(DAY))).rows
            case "ticker_details":
                return [await massive.ticker_details("AAPL", sieve=Sieve(DAY))]
            case "floats":
                return await massive.list_floats(sieve=Sieve(DAY))
            case "splits":
                return await massive.list_splits(DAY - dt.timedelta(days=60), DAY, sieve=Sieve(DAY))
            case "dividends":
                return await massive.list_dividends(DAY - dt.timedelta(days=60), DAY, sieve=Sieve(DAY))
            case _:
                return await massive.upcoming_closures(sieve=Sieve(DAY))


ENDPOINTS = (
    "grouped_daily", "range_bars", "daily_bar", "tickers", "ticker_details", "floats", "splits", "dividends",
    "market_holidays",
)  # fmt: skip


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    server = TestServer(build_app(SimulatorOptions(tickers=40, seed=7, dividends=True), now=lambda: EVENING))
    await server.start_server()
    try:
        async with open_session(max_in_flight=4) as http:
            patience = Patience(
                tries=2, rate_limited_tries=2, sleep=no_sleep, draw=lambda: 0.0, first_pause=dt.timedelta(0)
            )
            budget = UnlimitedBudget(sleep=no_sleep)
            url = str(server.make_url("")).rstrip("/")
            massive = MassiveClient(http, Access(base_url=url, api_key="any", budget=budget, patience=patience))
            yield Vendor(server, massive, http)
    finally:
        await server.close()


@pytest.mark.parametrize("kind", list(FaultKind))
async def test_a_fault_gives_a_typed_outcome_or_sound_rows(vendor: Vendor, kind: FaultKind) -> None:
    outcomes = {}
    for endpoint in ENDPOINTS:
        await vendor.fail()
        sound = await vendor.rows(endpoint)
        assert len(sound) > 0, endpoint
        await vendor.fail({"kind": kind.value})
        try:
            rows = await vendor.rows(endpoint)
        except VendorError as error:
            outcomes[endpoint] = type(error).__name__
            continue
        wrong = [row for row in rows if row not in sound and not _is_a_stranger(row)]
        assert wrong == [], endpoint
        outcomes[endpoint] = f"{len(rows)} of {len(sound)}"
    assert len(outcomes) == len(ENDPOINTS)


def _is_a_stranger(row: Any) -> bool:
    return str(getattr(row, "T", getattr(row, "ticker", ""))).startswith(STRANGERS)
