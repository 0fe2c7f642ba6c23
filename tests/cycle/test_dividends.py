"""Whole nights of a market that pays dividends: one request, told what is left out, and nothing written twice."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.completeness.forecast import Pace, forecast_of
from consumer.verdict.states import SessionState
from tests.cycle.stack import CALENDAR, DAY, OPTIONS, Stack, market_of, new_york, stack_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cycle.stack import Clock, Market

NEXT, LATER = dt.date(2025, 11, 12), dt.date(2025, 11, 14)
A_MONTH = msgspec.structs.replace(OPTIONS, ohlc_sessions=30)
STANDING = "SELECT array_agg((d.xmin::text, d.ctid::text) ORDER BY d.ctid) FROM {} AS d"


@pytest.fixture
async def market(clock: Clock) -> AsyncIterator[Market]:
    async with market_of(60, clock, dividends=True) as found:
        yield found


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str, market: Market, clock: Clock) -> AsyncIterator[Stack]:
    async with stack_on(postgres_dsn, redis_url, market, clock, options=A_MONTH) as found:
        yield found


async def test_a_night_lists_dividends_once_and_says_which_are_left_out(stack: Stack) -> None:
    cycle = await stack.run_cycle()
    assert (cycle.state, cycle.missing) == ("complete", ())
    assert (await stack.market.requests())["dividends"] == 1
    first = CALENDAR.last_trading_days(A_MONTH.ohlc_sessions, up_to=DAY)[0]
    days = await stack.pool.fetchrow("SELECT min(ex_dividend_day), max(ex_dividend_day) FROM stock_dividend")
    assert days is not None
    assert first <= days[0] <= DAY < days[1] <= DAY + dt.timedelta(days=7)
    told = [line for line in cycle.warnings if line.startswith("dividends: ")]
    foreign = await stack.value(
        "SELECT count(*) FROM stock_dividend WHERE currency <> 'USD' AND ex_dividend_day <= $1", DAY
    )
    unseen = await stack.pool.fetch("SELECT symbol, ex_dividend_day FROM stock_dividend WHERE verdict = 'not_shown'")
    assert any(f"{foreign} are not applied, as they are not paid in USD" in line for line in told)
    assert len(unseen) > 0
    for row in unseen:
        assert any(line.startswith(f"dividends: {row['symbol']} {row['ex_dividend_day']}") for line in told)
    assert await stack.value("SELECT count(*) FROM stock_dividend WHERE verdict = 'shown'") > 0
    verdict = (await stack.verdict()).of("dividends")
    assert verdict is not None
    assert verdict.state is SessionState.FINAL


async def test_what_was_paid_out_is_no_loss_in_the_total_return_of_a_share(stack: Stack) -> None:
    """A special dividend of an eighth and more that its price shows: over that night the raw price falls by it."""
    await stack.run_cycle()
    rows = await stack.pool.fetch(
        """
        SELECT d.symbol, b.open / p.close AS raw,
               b.open * (r.total_return_close / r.close) / p.total_return_close AS held
        FROM stock_dividend AS d
        JOIN daily_bar AS b ON b.symbol = d.symbol AND b.trading_date = d.ex_dividend_day
        JOIN public.daily_total_return AS r ON r.symbol = d.symbol AND r.trading_date = d.ex_dividend_day
        JOIN LATERAL (SELECT close, total_return_close FROM public.daily_total_return AS q WHERE q.symbol = d.symbol
                      AND q.trading_date < d.ex_dividend_day ORDER BY q.trading_date DESC LIMIT 1) AS p ON true
        WHERE d.verdict = 'shown'
        """
    )
    assert len(rows) > 0
    for row in rows:
        assert row["raw"] < 0.9
        assert row["held"] == pytest.approx(1.0, abs=0.03), row["symbol"]


async def test_a_night_on_which_the_vendor_says_the_same_writes_no_row_of_a_dividend(stack: Stack) -> None:
    await stack.run_cycle()
    tables = ("stock_dividend", "dividend_factor")
    before = [await stack.value(STANDING.format(table)) for table in tables]
    loads = await stack.value("SELECT count(*) FROM data_load WHERE part = 'dividends'")
    stack.clock.advance(minutes=1)
    assert (await stack.run_cycle(force=True)).state == "complete"
    assert await stack.value("SELECT count(*) FROM data_load WHERE part = 'dividends'") == loads + 1
    assert [await stack.value(STANDING.format(table)) for table in tables] == before


async def test_a_later_night_looks_only_at_what_may_have_become_another(stack: Stack) -> None:
    await stack.run_cycle()
    every = await stack.value("SELECT row_count FROM coverage WHERE data_set = 'dividend_check'")
    for day in CALENDAR.trading_days(NEXT, LATER):
        stack.clock.at = new_york(day, "20:30")
        assert (await stack.run_cycle(day)).state == "complete"
    few = await stack.value(
        "SELECT row_count FROM coverage WHERE data_set = 'dividend_check' ORDER BY trading_day DESC LIMIT 1"
    )
    assert few < every / 2
    unknown = """
        SELECT count(*) FROM dividend_factor AS f WHERE factor IS NULL AND ex_dividend_day <= $1
        AND EXISTS (SELECT FROM daily_bar AS b WHERE b.symbol = f.symbol AND b.trading_date < f.ex_dividend_day)
    """
    assert await stack.value(unknown, LATER) == 0


async def test_a_plan_without_dividends_is_learned_named_once_and_no_lack(stack: Stack) -> None:
    await stack.market.fail({"kind": "not_entitled", "endpoint": "dividends"})
    cycle = await stack.run_cycle()
    assert (cycle.state, cycle.missing) == ("complete", ())
    status = await stack.status()
    assert (status["state"], status["not_in_plan"]) == ("final", ["dividends"])
    assert await stack.value("SELECT available FROM vendor_capability WHERE capability = 'dividends'") is False
    assert await stack.value("SELECT count(total_return_close) FROM public.daily_total_return") == 0
    assert await stack.value("SELECT count(split_adjusted_close) FROM public.daily_total_return") > 0


async def test_a_list_of_dividends_that_lacks_is_forecast_makes_the_session_partial_and_is_asked_for_again(
    stack: Stack,
) -> None:
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'dividends'")
    told = (await stack.verdict()).of("dividends")
    assert told is not None
    assert told.state in (SessionState.MISSING, SessionState.PARTIAL)
    expected = forecast_of(await stack.situation(), Pace(per_second=None, per_minute=None))
    assert expected.requests["dividends"] == 1
    await stack.market.reset()
    await stack.run_cycle()
    assert await stack.market.requests() == {"dividends": 1}
    assert (await stack.verdict()).state is SessionState.FINAL
