"""The nights of a quarter keep who was listed when, and as what, as it was: for every symbol on every day."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestServer

from consumer.massive.access import Access, Patience
from consumer.massive.budget import UnlimitedBudget
from consumer.massive.client import MassiveClient
from consumer.massive.transport import open_session
from consumer.tasks.metadata_enrich import load_details, load_floats, load_universe
from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.splits import check_splits, load_splits
from consumer.tasks.terms import TaskOptions
from consumer.vendor.rows import FloatRow, TickerDetails, TickerListing, TickerRow
from market.sectors import sector
from market.trading_calendar import NEW_YORK
from simulated_market import app
from simulated_market.options import Reissue, SimulatorOptions
from tests.tasks.changing_facts import Changing, ChangingFacts, Truth
from tests.tasks.conftest import CALENDAR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from market.trading_calendar import TradingCalendar
    from tests.tasks.conftest import Desk

# Every sort of change comes each fortnight in a market of any size.
TICKERS = 24
FIRST, LAST = dt.date(2025, 9, 8), dt.date(2025, 11, 14)
NIGHTS = CALENDAR.trading_days(FIRST, LAST)
REISSUED = Reissue(symbol="AMZN", day=dt.date(2025, 10, 8))
CHANGES = (
    Changing(symbol="MSFT", day=dt.date(2025, 9, 16), fields={"composite_figi": "BBG00CORRECT"}),
    Changing(symbol="TSM", day=dt.date(2025, 9, 24), fields={"sic_code": "2834", "sic_description": "PHARMA"}),
    Changing(symbol="AAPL", day=dt.date(2025, 10, 1), fields={"name": "Apple & Sons Inc."}),
    Changing(symbol="META", day=dt.date(2025, 10, 21), factor=3),
    Changing(symbol="BAC", day=dt.date(2025, 10, 30), fields={"primary_exchange": "XNAS"}),
)
Row = dict[str, Any]


@contextlib.asynccontextmanager
async def changing_market(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChangingFacts]:
    """Put a market in which companies change in place of the desk's vendor, and give its truth."""
    made: list[ChangingFacts] = []
    market_made = app._market

    def changing(options: SimulatorOptions, calendar: TradingCalendar) -> ChangingFacts:
        made.append(ChangingFacts(market_made(options, calendar), CHANGES))
        return made[-1]

    monkeypatch.setattr(app, "_market", changing)
    options = SimulatorOptions(tickers=TICKERS, seed=7, reissues=(REISSUED,))
    patience = Patience(tries=2, rate_limited_tries=2, first_pause=dt.timedelta(0))
    async with (
        TestServer(app.build_app(options, now=lambda: desk.now)) as server,
        open_session(max_in_flight=8) as http,
    ):
        access = Access(
            base_url=str(server.make_url("")).rstrip("/"), api_key="any", budget=UnlimitedBudget(), max_in_flight=8,
            patience=patience,
        )  # fmt: skip
        desk.vendor = MassiveClient(http, access)  # type: ignore[assignment]
        desk.options = TaskOptions(ohlc_sessions=8, slot_sessions=1, details_refresh_days=1)
        yield made[0]


async def night(desk: Desk, day: dt.date, *, missed: Sequence[dt.date] = ()) -> None:
    """The parts of an evening that say who is listed and what is known of them, in the order of a pass."""
    desk.now = dt.datetime.combine(day, dt.time(20, 30), tzinfo=NEW_YORK).astimezone(dt.UTC)
    since = CALENDAR.last_trading_days(8, up_to=FIRST)[0]
    await desk.run(load_universe, day=day)
    await desk.run(load_splits, {"since": since.isoformat()}, day=day)
    for session in (day, *reversed(missed)):
        await bars(desk, day, of=session)
    await desk.run(load_floats, day=day)
    listed = [row["symbol"] for row in await desk.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active")]
    await desk.run(load_details, {"symbols": listed}, day=day)
    await desk.run(check_splits, day=day)


async def bars(desk: Desk, day: dt.date, *, of: dt.date) -> None:
    await desk.run(load_session_bars, {"session": of.isoformat()}, day=day)


async def work_through(desk: Desk, days: Sequence[dt.date], market: ChangingFacts) -> None:
    """The nights of *days*, who is listed told as it is on each evening already."""
    desk.now = dt.datetime.combine(days[0], dt.time(20, 30), tzinfo=NEW_YORK).astimezone(dt.UTC)
    for older in CALENDAR.last_trading_days(8, up_to=days[0])[:-1]:
        await bars(desk, days[0], of=older)
    for day, after in zip(days, (None, *days), strict=False):
        await night(desk, day, missed=[] if after is None else CALENDAR.trading_days(after, day)[1:-1])
        found, true = await listed_on(desk, day), market.truth(day)
        assert found.keys() == true.keys(), day
        if days is NIGHTS:  # of a share count that was not asked for in time nobody knows which splits are in it
            assert {symbol: told(row) for symbol, row in found.items()} == true, day


async def listed_on(desk: Desk, day: dt.date) -> dict[str, Row]:
    rows = await desk.pool.fetch("SELECT * FROM public.universe_on($1)", day)
    return {row["symbol"]: dict(row) for row in rows}


def told(row: Row) -> Truth:
    return Truth(
        name=row["company_name"],
        exchange=row["exchange"],
        type=row["ticker_type"],
        figi=row["composite_figi"],
        cik=row["cik"],
        sic=row["sic_code"],
        shares=None if row["shares_outstanding"] is None else pytest.approx(row["shares_outstanding"], rel=1e-12),
        float_shares=row["float_shares"],
    )


def symbols_later(market: ChangingFacts) -> dict[str, str]:
    """Under which symbol each company that was renamed is found on the last night."""
    last = {row.name: row.ticker for row in market.active(LAST) if row.name is not None}
    return {
        row.ticker: last[row.name]
        for day in NIGHTS
        for row in market.active(day)
        if row.ticker.startswith("Z") and row.name in last
    }


async def test_each_day_of_a_quarter_is_told_as_it_was_of_every_symbol(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with changing_market(desk, monkeypatch) as market:
        await work_through(desk, NIGHTS, market)
        later = symbols_later(market)
        closes = {
            (row["trading_date"], row["symbol"]): row["close"]
            for row in await desk.pool.fetch("SELECT trading_date, symbol, close FROM daily_bar")
        }
        for day in NIGHTS:
            true, found = market.truth(day), await listed_on(desk, day)
            assert found.keys() == true.keys(), day
            for symbol, so in true.items():
                row, close = found[symbol], closes.get((day, symbol))
                assert told(row) == so, (day, symbol)
                assert row["sector"] == sector(so.type, so.sic), (day, symbol)
                cap = None if so.shares is None or close is None else pytest.approx(so.shares * close, rel=1e-12)
                assert (row["close"], row["market_cap"]) == (close, cap), (day, symbol)
                is_former = symbol == REISSUED.symbol and day < REISSUED.day
                assert row["company"] == (None if is_former else later.get(symbol, symbol)), (day, symbol)
                assert (row["known_by"], row["listing_of"]) == ("listing", day)
        # All of it has happened, or the test has shown nothing.
        gone = {symbol for day in NIGHTS for symbol in market.truth(day)} - market.truth(LAST).keys()
        assert len(gone) > 6
        assert len([symbol for symbol, now in later.items() if now != symbol]) > 3
        assert market.splits(FIRST, LAST)


async def test_who_was_listed_is_told_as_it_was_also_of_days_on_which_nobody_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with changing_market(desk, monkeypatch) as market:
        await work_through(desk, NIGHTS[::3], market)
        for day in CALENDAR.trading_days(NIGHTS[0], NIGHTS[::3][-1]):
            found = await listed_on(desk, day)
            assert found.keys() == market.truth(day).keys(), day
            assert {row["listing_of"] for row in found.values()} == {max(one for one in NIGHTS[::3] if one <= day)}


async def test_each_part_keeps_what_it_writes_itself(desk: Desk) -> None:
    async def kept() -> tuple[Any, ...]:
        row = await desk.pool.fetchrow(
            "SELECT ticker_type, shares_outstanding, float_shares FROM ticker_profile_history "
            "WHERE valid_to = 'infinity'"
        )
        return tuple(row or ())

    desk.vendor.answers["list_tickers"] = TickerListing(rows=[TickerRow(ticker="A", type="CS")], pages=1)
    await desk.run(load_universe)
    assert await kept() == ("CS", None, None)
    desk.vendor.answers["ticker_details"] = TickerDetails(ticker="A", weighted_shares_outstanding=1e6)
    await desk.run(load_details, {"symbols": ["A"]})
    assert await kept() == ("CS", 1e6, None)
    desk.vendor.answers["list_floats"] = [FloatRow(ticker="A", free_float=5e5, free_float_percent=50.0)]
    await desk.run(load_floats)
    assert await kept() == ("CS", 1e6, 5e5)
