"""Runs the nights of a quarter at a desk, over a simulated market in which companies change."""

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
from market.symbols import is_test_issue
from market.trading_calendar import NEW_YORK
from simulated_market import app
from simulated_market.options import Reissue, SimulatorOptions
from tests.tasks.changing_facts import Changing, ChangingFacts, SpinOff, Truth
from tests.tasks.conftest import CALENDAR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from market.trading_calendar import TradingCalendar
    from tests.tasks.conftest import Desk

# Every sort of change comes each fortnight in a market of any size; of this seed stock dividends too.
TICKERS, SEED = 26, 6
FIRST, LAST = dt.date(2025, 9, 8), dt.date(2025, 12, 3)
NIGHTS = CALENDAR.trading_days(FIRST, LAST)
REISSUED = Reissue(symbol="META", day=dt.date(2025, 10, 8))
#: It has paid a dividend before, and splits after; what it gave away is listed from that day on.
SPIN_OFF = SpinOff(symbol="NVDA", day=dt.date(2025, 10, 27), kept=0.32)
CHANGES = (
    Changing(symbol="GOOGL", day=dt.date(2025, 9, 16), fields={"composite_figi": "BBG00CORRECT"}),
    Changing(symbol="TSM", day=dt.date(2025, 9, 24), fields={"sic_code": "2834", "sic_description": "PHARMA"}),
    Changing(symbol="AAPL", day=dt.date(2025, 10, 1), fields={"name": "Apple & Sons Inc."}),
    Changing(symbol="TSLA", day=dt.date(2025, 10, 21), factor=3),
    Changing(symbol="BAC", day=dt.date(2025, 10, 30), fields={"primary_exchange": "XNAS"}),
)
OPTIONS = TaskOptions(ohlc_sessions=8, slot_sessions=1, details_refresh_days=1)
Row = dict[str, Any]
FORMER = "whoever had the symbol before"


def is_renamed(symbol: str) -> bool:
    """The market's companies that are renamed have symbols of their own kind."""
    return symbol.startswith("Z") and not is_test_issue(symbol)


class Who:
    """Under which symbol each company stood on each day, as the market lists it, and who that was."""

    def __init__(self, market: ChangingFacts, days: Iterable[dt.date]) -> None:
        self.named: dict[dt.date, dict[str, str]] = {}
        for day in days:
            self.named[day] = {row.ticker: str(row.name) for row in market.active(day)}

    def company(self, symbol: str, day: dt.date) -> str:
        """Companies that are renamed keep their name; one symbol is another company's from a day on.

        Of a rename before the first night nobody was told.
        """
        if is_renamed(symbol) and symbol in self.named[max(day, NIGHTS[0])]:
            return self.named[day][symbol]
        return FORMER if symbol == REISSUED.symbol and day < REISSUED.day else symbol

    def symbols_of(self, company: str, days: Iterable[dt.date]) -> dict[dt.date, str]:
        return {day: symbol for day in days for symbol in self.named[day] if self.company(symbol, day) == company}


@contextlib.asynccontextmanager
async def changing_market(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChangingFacts]:
    """Put a market in which companies change in place of the desk's vendor, and give its truth."""
    made: list[ChangingFacts] = []
    market_made = app._market

    def changing(options: SimulatorOptions, calendar: TradingCalendar) -> ChangingFacts:
        made.append(ChangingFacts(market_made(options, calendar), CHANGES, SPIN_OFF))
        return made[-1]

    monkeypatch.setattr(app, "_market", changing)
    options = SimulatorOptions(tickers=TICKERS, seed=SEED, dividends=True, reissues=(REISSUED,))
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
        desk.options = OPTIONS
        yield made[0]


async def load_past(desk: Desk, days: Sequence[dt.date]) -> None:
    """The bars of *days*, on the evening of the first night."""
    desk.now = evening_of(NIGHTS[0])
    for day in days:
        await bars(desk, NIGHTS[0], of=day)


async def night(desk: Desk, day: dt.date, *, missed: Sequence[dt.date] = ()) -> None:
    """The parts of an evening that say who is listed and what is known of them, in the order of a pass."""
    desk.now = evening_of(day)
    since = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=FIRST)[0]
    await desk.run(load_universe, day=day)
    await desk.run(load_splits, {"since": since.isoformat()}, day=day)
    for session in (day, *reversed(missed)):
        await bars(desk, day, of=session)
    await desk.run(load_floats, day=day)
    listed = [row["symbol"] for row in await desk.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active")]
    await desk.run(load_details, {"symbols": listed}, day=day)
    await desk.run(check_splits, day=day)


def evening_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(20, 30), tzinfo=NEW_YORK).astimezone(dt.UTC)


async def bars(desk: Desk, day: dt.date, *, of: dt.date) -> None:
    await desk.run(load_session_bars, {"session": of.isoformat()}, day=day)


async def listed_on(desk: Desk, day: dt.date) -> dict[str, Row]:
    rows = await desk.pool.fetch("SELECT * FROM public.universe_on($1)", day)
    return {row["symbol"]: dict(row) for row in rows}


def told(row: Row) -> Truth:
    """What *row* tells, in the words of the market's own truth."""
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


def never_paid(market: ChangingFacts) -> set[tuple[str, dt.date]]:
    """The dividends that are listed and that no price has ever shown, by symbol and ex-day: the market's own word."""
    before_and_since: Any = market._market
    found = set()
    for source in (before_and_since._market, before_and_since._others):
        is_since = source is before_and_since._others
        for one in source._dividends.between(dt.date(2025, 8, 1), LAST):
            symbol = source._universe.static[one.row].symbol
            if is_since and symbol == before_and_since._donor:
                symbol = REISSUED.symbol
            elif is_since:
                continue
            if not one.is_shown and (symbol != REISSUED.symbol or is_since == (one.day >= REISSUED.day)):
                found.add((symbol, one.day))
    return found
