"""Claims about invented dividends: there are some of each sort, and raw prices show those that are to be seen."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from market.trading_calendar import TradingCalendar
from simulated_market.invented.market import InventedMarket

CALENDAR = TradingCalendar()
FIRST, LAST = dt.date(2025, 9, 1), dt.date(2025, 11, 11)
EVENING = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
PATH = f"/stocks/v1/dividends?ex_dividend_date.gte={FIRST}&ex_dividend_date.lte={LAST}&limit=5000"


@pytest.fixture(scope="module")
def market() -> InventedMarket:
    return InventedMarket(300, 7, CALENDAR, dividends=True)


async def test_each_month_has_ordinary_special_and_foreign_dividends(serve):
    client = await serve(tickers=60, seed=7, dividends=True, now=EVENING)
    rows = (await client.ok(PATH))["results"]
    assert {row["distribution_type"] for row in rows} == {"recurring", "special", "irregular"}
    assert {"USD", "EUR"} <= {row["currency"] for row in rows}
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        days = [row[name] for name in ("declaration_date", "ex_dividend_date", "record_date", "pay_date")]
        assert days == sorted(days)
        assert CALENDAR.is_trading_day(dt.date.fromisoformat(row["ex_dividend_date"]))


async def test_without_the_option_nobody_pays_and_no_price_is_another(serve):
    client = await serve(tickers=60, seed=7, now=EVENING)
    assert not (await client.ok(PATH))["results"]
    paying, plain = (InventedMarket(60, 7, CALENDAR, dividends=pays) for pays in (True, False))
    first = paying.dividends(FIRST, LAST)[0]
    assert plain.grouped(FIRST + dt.timedelta(days=1)) == InventedMarket(60, 7, CALENDAR).grouped(dt.date(2025, 9, 2))
    day = dt.date.fromisoformat(first.ex_dividend_date)
    assert plain.grouped(day) != paying.grouped(day)


async def test_dividends_come_in_pages_and_by_day_where_that_is_asked(serve):
    client = await serve(tickers=60, seed=7, dividends=True, now=EVENING)
    whole = (await client.ok(PATH + "&sort=ex_dividend_date.asc"))["results"]
    assert [row["ex_dividend_date"] for row in whole] == sorted(row["ex_dividend_date"] for row in whole)
    pages = await client.pages(PATH.replace("limit=5000", "limit=3") + "&sort=ex_dividend_date.asc")
    assert [row for page in pages for row in page["results"]] == whole
    assert len(pages) > 3
    status, _ = await client.refused(PATH + "&sort=cash_amount.asc")
    assert status == 400


def test_the_open_of_the_ex_day_is_lower_by_what_is_paid_out_unless_it_is_not_to_be_seen(market):
    """A large one is told from the night's noise by itself; of small ones the mean tells."""
    fell: dict[tuple[str, bool], list[float]] = {}
    for one in market._dividends.between(FIRST, LAST):
        ticker = market._universe.static[one.row].symbol
        bars = market.day_bars(ticker, [CALENDAR.previous_trading_day(one.day), one.day])
        if len(bars) == 2 and bars.closes[0] > 5:
            change = math.log(bars.opens[1] / bars.closes[0])
            fell.setdefault((one.kind, one.is_shown), []).append(change - math.log1p(-one.share))
            row = next(r for r in market.dividends(one.day, one.day) if r.ticker == ticker)
            assert row.cash_amount == pytest.approx(bars.closes[0] * one.share * one.currency_rate, abs=1e-5)
    for (kind, is_shown), apart in fell.items():
        if kind == "recurring":
            assert abs(sum(apart) / len(apart)) < 0.0025, f"{len(apart)} of them"
        else:
            assert all((abs(one) < 0.06) == is_shown for one in apart), (kind, apart)
    assert fell.keys() == {("recurring", True), ("special", True), ("special", False), ("irregular", True)}


def test_stock_dividends_are_splits_as_they_are_with_the_vendor(market):
    kinds = {row.adjustment_type for row in market.splits(dt.date(2024, 1, 1), LAST)}
    assert "stock_dividend" in kinds
    assert all(row.distribution_type != "stock_dividend" for row in market.dividends(dt.date(2025, 1, 1), LAST))
