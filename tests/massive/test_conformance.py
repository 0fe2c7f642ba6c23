"""The client against the simulated market: two readings of the vendor's protocol that must agree."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiohttp import web

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.flat_files import flat_file_path, read_day_bars, read_minute_slots
from consumer.massive.transport import open_session
from consumer.vendor.errors import (
    BadAnswer,
    KeyRejected,
    NotEntitled,
    NotYetPublished,
    OutsidePlanTimeframe,
    ProviderUnavailable,
    RateLimited,
    TickerNotFound,
    VendorError,
)
from consumer.vendor.protocol import FlatFileKind
from consumer.vendor.rows import Flaw
from market.trading_calendar import TradingCalendar
from market.volume_slots import bin_volumes, slot_start_ms
from simulated_market.app import build_app
from simulated_market.faults.fault_set import Fault, FaultKind
from simulated_market.options import Plan, SimulatorOptions
from tests.massive.scripted_vendor import KEY, Naps, any_sieve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REAL_MARKET = Path(os.environ.get("REAL_MARKET_DIR") or Path(__file__).parents[3] / "shared" / "real-market")
NOW = dt.datetime(2026, 7, 16, 2, tzinfo=dt.UTC)  # 22:00 of the 15th in New York
DAY = dt.date(2026, 7, 15)
MONTH_AGO = dt.date(2026, 6, 15)
CALENDAR = TradingCalendar()

HUNDRED = SimulatorOptions(tickers=100, key=KEY)


@asynccontextmanager
async def market(
    *faults: Fault, options: SimulatorOptions = HUNDRED, key: str | None = KEY, now: dt.datetime = NOW
) -> AsyncIterator[MassiveClient]:
    """A client of a simulated market at a fixed instant; its waits take no time."""
    runner = web.AppRunner(build_app(options, now=lambda: now, faults=faults), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    naps = Naps()
    try:
        async with open_session(max_in_flight=8) as http:
            yield MassiveClient(
                http,
                Access(
                    base_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
                    api_key=key,
                    budget=UnlimitedBudget(sleep=naps),
                    patience=Patience(sleep=naps),
                ),
            )
    finally:
        await runner.cleanup()


async def requests_counted(client: MassiveClient) -> Counter[str]:
    transport = client._transport
    async with transport._http.get(f"{transport.base_url}/_simulator/requests") as response:
        return Counter((await response.json())["by_endpoint"])


async def test_all_six_questions_are_answered_and_counted_alike() -> None:
    async with market() as client:
        daily = await client.grouped_daily(DAY)
        listing = await client.list_tickers(sieve=any_sieve())
        delisted = await client.list_tickers(active=False, sieve=any_sieve())
        floats = await client.list_floats(sieve=any_sieve())
        splits = await client.list_splits(dt.date(2016, 1, 1), DAY, sieve=any_sieve())
        details = [await client.ticker_details(row.ticker, sieve=any_sieve()) for row in listing.rows]
        bars = [await client.five_minute_bars(row.ticker, MONTH_AGO, DAY) for row in listing.rows]
        assert client.requests_made == await requests_counted(client)

    listed = {row.ticker for row in listing.rows}
    assert len(listed) >= 90
    assert daily.rejected == {}
    assert {row.T for row in daily.rows} <= listed
    assert listed.isdisjoint(row.ticker for row in delisted.rows if row.active)
    assert {row.ticker for row in floats} <= listed
    assert all(split.split_from > 0 for split in splits)
    assert [row.ticker for row in details] == [row.ticker for row in listing.rows]
    assert all((bar.foreign, bar.rejected, bar.pages) == (0, {}, 1) for bar in bars)
    assert any(len(bar.timestamps_ms) for bar in bars)


async def test_a_listing_over_many_pages_is_whole() -> None:
    async with market(options=SimulatorOptions(tickers=2_500, key=KEY)) as client:
        listing = await client.list_tickers(sieve=any_sieve())
    assert listing.pages >= 3
    assert len(listing.rows) >= 2_400
    assert listing.rejected == {}


async def ask_everything(client: MassiveClient) -> None:
    await client.grouped_daily(DAY)
    await client.list_tickers(sieve=any_sieve())
    await client.five_minute_bars("AAPL", MONTH_AGO, DAY)


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (Fault(kind=FaultKind.UNKNOWN_KEY), KeyRejected),
        (Fault(kind=FaultKind.NOT_YET), NotYetPublished),
        (Fault(kind=FaultKind.NOT_ENTITLED), NotEntitled),
        (Fault(kind=FaultKind.NOT_AUTHORIZED_OK), NotEntitled),
        (Fault(kind=FaultKind.OUTSIDE_TIMEFRAME), OutsidePlanTimeframe),
        (Fault(kind=FaultKind.NOT_FOUND), TickerNotFound),
        (Fault(kind=FaultKind.SERVER_ERROR), ProviderUnavailable),
        (Fault(kind=FaultKind.HTML_OK), ProviderUnavailable),
        (Fault(kind=FaultKind.DROP), ProviderUnavailable),
        (Fault(kind=FaultKind.TRUNCATED_BODY), ProviderUnavailable),
        (Fault(kind=FaultKind.RATE_LIMITED), RateLimited),
        (Fault(kind=FaultKind.FOREIGN_TICKER, endpoint="range_bars"), BadAnswer),
        (Fault(kind=FaultKind.REPEATED_CURSOR, endpoint="tickers"), BadAnswer),
        (Fault(kind=FaultKind.EMPTY, endpoint="tickers"), BadAnswer),
    ],
    ids=lambda value: str(value.kind) if isinstance(value, Fault) else "",
)
async def test_a_lasting_fault_ends_as_the_error_that_names_it(fault: Fault, meaning: type[VendorError]) -> None:
    async with market(fault) as client:
        with pytest.raises(meaning):
            await ask_everything(client)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.SERVER_ERROR, every=2),
        Fault(kind=FaultKind.HTML_OK, every=2),
        Fault(kind=FaultKind.DROP, every=2),
        Fault(kind=FaultKind.TRUNCATED_BODY, every=2),
        Fault(kind=FaultKind.RATE_LIMITED, every=2),
        Fault(kind=FaultKind.RATE_LIMITED, every=2, empty_body=True, retry_after=3),
        Fault(kind=FaultKind.DUPLICATE_ROWS),
        Fault(kind=FaultKind.FOREIGN_DAY),
        Fault(kind=FaultKind.NUL_TICKERS, endpoint="grouped_daily"),
        Fault(kind=FaultKind.NUL_TICKERS, endpoint="tickers"),
    ],
    ids=lambda fault: str(fault.kind),
)
async def test_a_passing_fault_changes_no_answer(fault: Fault) -> None:
    async with market() as client:
        expected = await answers(client)
    async with market(fault) as client:
        assert await answers(client) == expected


async def answers(client: MassiveClient) -> list[Any]:
    daily = await client.grouped_daily(DAY)
    listing = await client.list_tickers(sieve=any_sieve())
    bars = await client.five_minute_bars("AAPL", DAY, DAY)
    return [daily.rows, listing.rows, bars.timestamps_ms.tolist(), bars.volumes.tolist()]


@pytest.mark.parametrize("kind", [FaultKind.FOREIGN_HOST, FaultKind.DOUBLED_PORT])
async def test_pages_are_read_from_the_configured_host_wherever_they_point(kind: FaultKind) -> None:
    options = SimulatorOptions(tickers=1_500, key=KEY)
    async with market(Fault(kind=kind), options=options) as client:
        assert len((await client.list_tickers(sieve=any_sieve())).rows) > 1_400


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.TRUNCATED_PAGES),
        Fault(kind=FaultKind.EMPTY, paths="cursor="),
        Fault(kind=FaultKind.BAD_CURSOR),
        Fault(kind=FaultKind.SERVER_ERROR, paths="cursor="),
    ],
    ids=lambda fault: str(fault.kind),
)
async def test_a_listing_that_breaks_off_is_never_returned(fault: Fault) -> None:
    async with market(fault, options=SimulatorOptions(tickers=1_500, key=KEY)) as client:
        with pytest.raises(ProviderUnavailable):
            await client.list_tickers(sieve=any_sieve())


async def test_garbage_rows_are_counted() -> None:
    async with market(Fault(kind=FaultKind.NUL_TICKERS), Fault(kind=FaultKind.FOREIGN_DAY, rows=3)) as client:
        daily = await client.grouped_daily(DAY)
    assert daily.rejected[Flaw.SYMBOL] >= 2
    assert daily.rejected[Flaw.FOREIGN_DAY] >= 3


async def test_an_empty_day_under_load_is_an_explicit_empty() -> None:
    for shape in ("absent", "list", "null"):
        async with market(Fault(kind=FaultKind.EMPTY, shape=shape)) as client:  # type: ignore[arg-type]
            assert (await client.grouped_daily(DAY)).rows == []


async def test_a_free_key_gets_today_later_and_not_never() -> None:
    async with market(options=SimulatorOptions(tickers=20, key=KEY, plan=Plan.FREE)) as client:
        with pytest.raises(NotYetPublished):
            await client.grouped_daily(DAY)
        with pytest.raises(OutsidePlanTimeframe):
            await client.grouped_daily(dt.date(2019, 1, 3))
        assert (await client.grouped_daily(dt.date(2026, 7, 14))).rows


async def test_a_wrong_key_is_rejected() -> None:
    for key in ("wrong", None):
        async with market(key=key) as client:
            with pytest.raises(KeyRejected):
                await client.list_floats(sieve=any_sieve())


@pytest.mark.skipif(not REAL_MARKET.is_dir(), reason=f"no real market data in {REAL_MARKET}")
async def test_a_replay_gives_over_http_what_the_flat_files_hold() -> None:
    days = [dt.date(2013, 10, day) for day in (4, 7, 8, 9, 10, 11)]
    now = dt.datetime(2013, 10, 15, tzinfo=dt.UTC)
    async with market(options=SimulatorOptions(replay=REAL_MARKET, key=KEY), now=now) as client:
        daily = {day: await client.grouped_daily(day) for day in days}
        bars = {symbol: await client.five_minute_bars(symbol, days[0], days[-1]) for symbol in ("SPY", "BAC")}
    sessions = [CALENDAR.session(day) for day in days]
    starts = np.array([slot_start_ms(session) for session in sessions], dtype=np.int64)
    slots = {symbol: bin_volumes(bar.timestamps_ms, bar.volumes, starts) for symbol, bar in bars.items()}
    for number, session in enumerate(sessions):
        file = read_minute_slots(flat_file_path(REAL_MARKET, FlatFileKind.MINUTE, session.day), session)
        for symbol in bars:
            np.testing.assert_array_equal(slots[symbol].volumes[number], file.volumes[file.symbols.index(symbol)])
        expected = read_day_bars(flat_file_path(REAL_MARKET, FlatFileKind.DAY, session.day), session.day)
        got = {(row.T, row.o, row.h, row.l, row.c, row.v) for row in daily[session.day].rows}
        assert got == {(row.T, row.o, row.h, row.l, row.c, row.v) for row in expected.rows}
