"""Holds ATR to: it knows splits, reads across no hole, and says of how many bars it is and who has none for a hole."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from consumer.postgres import splits, tickers
from consumer.tasks.atr import compute_atr
from consumer.tasks.part import InputMissing, TaskOptions
from consumer.vendor.rows import DailyRow, TickerRow
from market.atr import wilder_atr
from market.splits import Split
from tests.tasks.conftest import CALENDAR, DAY, NOW
from tests.tasks.stored_bars import atr_of, load_listed, put_bars, row, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tasks.conftest import Desk


async def test_atr_needs_fifteen_bars_and_is_a_percentage_of_the_close(desk: Desk) -> None:
    await put_bars(desk, lambda n, _: [row("A", 50.0, 2.0)] + ([row("YOUNG")] if n >= 1 else []), sessions=15)
    assert await atr_of(desk) == {"A": (4.0, 8.0, 15)}


async def test_atr_of_a_split_symbol_shows_no_trace_of_the_split(desk: Desk) -> None:
    def rows(_: int, day: dt.date) -> list[DailyRow]:
        return [row("A", 10.0, 1.0) if day == DAY else row("A", 70.0, 7.0)]

    await put_bars(desk, rows, sessions=20)
    assert (await atr_of(desk))["A"][0] > 5.0
    await load_listed(desk, split("A", DAY))
    assert (await atr_of(desk))["A"] == (pytest.approx(2.0), pytest.approx(20.0), 20)


async def test_a_split_of_the_week_ahead_is_not_applied_yet(desk: Desk) -> None:
    await put_bars(desk, lambda *_: [row("A", 50.0, 2.0)], sessions=15)
    await load_listed(desk, split("A", DAY + dt.timedelta(days=1)))
    assert (await atr_of(desk))["A"][0] == pytest.approx(4.0)


async def test_a_symbol_without_a_bar_in_the_window_has_no_atr(desk: Desk) -> None:
    await put_bars(desk, lambda n, _: [row("A")] + ([row("LONGGONE")] if n < 16 else []), sessions=46)
    assert (await atr_of(desk)).keys() == {"A"}


async def test_without_the_days_bars_there_is_no_atr(desk: Desk) -> None:
    with pytest.raises(InputMissing, match="daily_bars of 2025-11-11"):
        await desk.run(compute_atr)


async def test_a_range_that_no_market_has_is_no_atr_and_costs_no_other_symbol(desk: Desk) -> None:
    def rows(number: int, _: dt.date) -> list[DailyRow]:
        return [row("A"), DailyRow(T="B", o=1e7, h=1e7, l=1e6, c=1e6, v=1, t=0)]

    await put_bars(desk, rows, sessions=20)
    absurd = Split(symbol="B", execution_day=DAY, split_from=1e6, split_to=1.0, kind="split")
    async with desk.pool.acquire() as connection:
        await splits.upsert_splits(connection, [absurd], load_id=1, now=NOW)
    assert (await atr_of(desk)).keys() == {"A"}


# Holes


async def unprove(desk: Desk, day: dt.date) -> None:
    await desk.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", day)


async def set_aside(desk: Desk, day: dt.date, symbol: str | None, *, load_id: int = 1) -> None:
    await desk.pool.execute(
        "INSERT INTO set_aside (load_id, data_set, trading_day, flaw, evidence, symbol) "
        "VALUES ($1, 'daily_bars', $2, 'price', '{}', $3)",
        load_id, day, symbol,
    )  # fmt: skip


def wild_before(first: int) -> Any:
    """A trades wildly in the sessions before number *first*, and evenly from then on; B always evenly."""
    return lambda n, _: [row("A", 500.0, 200.0) if n < first else row("A", 50.0, 2.0), row("B", 50.0, 2.0)]


async def test_atr_starts_after_the_last_session_that_the_ledger_does_not_prove(desk: Desk) -> None:
    await put_bars(desk, wild_before(10), sessions=28)
    assert (await atr_of(desk))["A"][0] > 4.5
    await unprove(desk, CALENDAR.last_trading_days(28, up_to=DAY)[9])
    assert await atr_of(desk) == {"A": (4.0, 8.0, 18), "B": (4.0, 8.0, 18)}
    await unprove(desk, CALENDAR.last_trading_days(28, up_to=DAY)[14])
    assert await atr_of(desk) == {}, "thirteen bars since the last hole are too few"


async def test_symbols_without_a_figure_for_a_hole_are_counted_and_newcomers_are_not(desk: Desk) -> None:
    days = CALENDAR.last_trading_days(28, up_to=DAY)
    await put_bars(desk, lambda n, _: [row("A"), row("B"), *[row("NEW")] * (n > 15)], sessions=28)
    detail = "SELECT detail FROM coverage WHERE data_set = 'atr'"
    await atr_of(desk)
    assert await desk.pool.fetchval(detail) == {}
    await unprove(desk, days[14])
    await atr_of(desk)
    assert await desk.pool.fetchval(detail) == {"broken": 2, "unbroken_since": str(days[15])}


async def test_a_row_set_aside_is_a_hole_of_its_symbol_alone(desk: Desk) -> None:
    days = CALENDAR.last_trading_days(28, up_to=DAY)
    rows = wild_before(10)
    await put_bars(desk, lambda n, day: [r for r in rows(n, day) if (r.T, n) != ("A", 9)], sessions=28)
    assert (await atr_of(desk))["A"][2] == 27, "a session without a row is none: it did not trade"
    await set_aside(desk, days[9], "A", load_id=2)
    assert (await atr_of(desk))["A"][2] == 27, "another load of that session stands"
    await set_aside(desk, days[9], "A")
    await set_aside(desk, days[12], "B")  # of which another row stands
    assert await atr_of(desk) == {"A": (4.0, 8.0, 18), "B": (4.0, 8.0, 28)}
    await set_aside(desk, DAY, "B")
    await desk.pool.execute("DELETE FROM daily_bar WHERE symbol = 'B' AND trading_date = $1", DAY)
    assert (await atr_of(desk)).keys() == {"A"}, "what nobody knows of today is no figure of today"


async def test_a_row_that_was_set_aside_without_its_name_is_a_hole_of_all_that_traded_before_and_have_none(
    desk: Desk,
) -> None:
    days = CALENDAR.last_trading_days(28, up_to=DAY)
    there = {"A": {9}, "LATELY": {8, 9}, "SELDOM": {7, 8, 9}, "B": set[int]()}
    await put_bars(
        desk, lambda n, _: [row(symbol) for symbol, gone in there.items() if n not in gone], sessions=28
    )  # fmt: skip
    assert {symbol: used for symbol, (_, _, used) in (await atr_of(desk)).items()} == {
        "A": 27, "LATELY": 26, "SELDOM": 25, "B": 28,
    }  # fmt: skip
    await set_aside(desk, days[9], None)
    assert {symbol: used for symbol, (_, _, used) in (await atr_of(desk)).items()} == {
        "A": 18, "LATELY": 18, "SELDOM": 25, "B": 28,
    }  # fmt: skip


async def test_a_hole_under_a_former_symbol_or_another_spelling_is_the_same_companys(desk: Desk) -> None:
    days = CALENDAR.last_trading_days(28, up_to=DAY)
    await put_bars(
        desk, lambda n, _: [row("OLD" if n < 12 else "NEW", 50.0, 2.0)] * (n != 9) + [row("BACpB")] * (n != 5),
        sessions=28,
    )  # fmt: skip
    async with desk.pool.acquire() as connection:
        for symbol, number in (("OLD", 0), ("NEW", 12)):
            rows = [TickerRow(ticker=symbol, composite_figi="F1"), TickerRow(ticker="BACpB")]
            evening = tickers.Evening(day=days[number], now=NOW, next_session=CALENDAR.next_trading_day)
            await tickers.apply_listing(connection, rows, evening)
    await desk.pool.execute("UPDATE listed_ticker SET market_data_symbol = 'BACPB' WHERE symbol = 'BACpB'")
    await desk.pool.execute("UPDATE ticker_change SET changed_on = $1", days[12])
    assert {symbol: bars_used for symbol, (_, _, bars_used) in (await atr_of(desk)).items()} == {"NEW": 27, "BACpB": 27}
    await set_aside(desk, days[9], "OLD")
    await set_aside(desk, days[5], "BACPB")
    assert {symbol: bars_used for symbol, (_, _, bars_used) in (await atr_of(desk)).items()} == {"NEW": 18, "BACpB": 22}


# A bounded past


async def put_random_bars(desk: Desk, traded: dict[str, Callable[[int], bool]], *, sessions: int) -> None:
    rng = np.random.default_rng(5)
    prices = {symbol: 20 * np.exp(np.cumsum(rng.normal(0, 0.05, sessions))) for symbol in traded}

    def rows(number: int, _: dt.date) -> list[DailyRow]:
        there = [symbol for symbol, trades in traded.items() if trades(number)]
        return [row(symbol, float(prices[symbol][number]), float(rng.uniform(0.1, 2))) for symbol in there]

    await put_bars(desk, rows, sessions=sessions)


async def of_all_bars(desk: Desk, symbol: str, period: int, *, split_on: dt.date | None = None) -> float:
    """The scalar ATR of all stored bars; 1 old share became 7 on the day of the split."""
    rows = await desk.pool.fetch(
        "SELECT trading_date, high, low, close FROM daily_history WHERE symbol = $1 ORDER BY trading_date", symbol
    )
    factors = np.array([1 / 7 if split_on is not None and r["trading_date"] < split_on else 1.0 for r in rows])
    high, low, close = (np.array([r[name] for r in rows]) * factors for name in ("high", "low", "close"))
    return float(wilder_atr(high, low, close, period=period)[-1])


async def test_the_bars_that_are_read_give_the_atr_of_all_that_are_stored_to_a_billionth(desk: Desk) -> None:
    desk.options = TaskOptions(ohlc_sessions=30, atr_period=2)  # 47 bars are needed: 53 sessions, 106 of the seldom
    days = CALENDAR.last_trading_days(140, up_to=DAY)
    traded: dict[str, Callable[[int], bool]] = {
        "OFTEN": lambda _: True,
        "SELDOM": lambda n: n % 2 == 1,
        "YOUNG": lambda n: n >= 120,
        "SPLIT": lambda _: True,
        "SOLD": lambda n: n % 2 == 1,
    }
    await put_random_bars(desk, traded, sessions=140)
    await load_listed(desk, split("SPLIT", days[100]), split("SOLD", days[86]))
    found = await atr_of(desk)
    for symbol, at in (("OFTEN", None), ("SELDOM", None), ("YOUNG", None), ("SPLIT", days[100]), ("SOLD", days[86])):
        assert found[symbol][0] == pytest.approx(await of_all_bars(desk, symbol, 2, split_on=at), rel=1e-9), symbol
    assert {symbol: bars for symbol, (_, _, bars) in found.items()} == {
        "OFTEN": 47, "SELDOM": 47, "YOUNG": 20, "SPLIT": 47, "SOLD": 47,
    }  # fmt: skip


async def test_a_hole_further_back_than_what_is_read_of_all_ends_what_is_read_of_the_seldom(desk: Desk) -> None:
    desk.options = TaskOptions(ohlc_sessions=30, atr_period=2)
    days = CALENDAR.last_trading_days(140, up_to=DAY)
    traded: dict[str, Callable[[int], bool]] = {"OFTEN": lambda _: True, "A": lambda n: n % 2 == 1}
    await put_random_bars(desk, {**traded, "B": traded["A"]}, sessions=140)
    await set_aside(desk, days[70], "B")
    assert {symbol: bars for symbol, (_, _, bars) in (await atr_of(desk)).items()} == {"OFTEN": 47, "A": 47, "B": 35}
    await unprove(desk, days[60])
    assert {symbol: bars for symbol, (_, _, bars) in (await atr_of(desk)).items()} == {"OFTEN": 47, "A": 40, "B": 35}
