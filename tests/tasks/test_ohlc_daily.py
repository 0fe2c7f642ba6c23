"""Holds ohlc_daily to: a cut answer replaces nothing, splits follow the vendor's list, ATR knows them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.massive.errors import BadAnswer
from consumer.massive.rows import DailyRow, Flaw, GroupedDaily, SplitRow, TickerRow
from consumer.postgres import bars, splits, tickers
from consumer.tasks import data_sets
from consumer.tasks.ohlc_daily import compute_atr, load_session_bars
from consumer.tasks.part import InputMissing
from consumer.tasks.splits import check_splits, load_splits
from market.splits import Split
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

SESSION = {"session": DAY.isoformat()}
SINCE = CALENDAR.last_trading_days(30, up_to=DAY)[0]


def row(symbol: str, close: float = 10.0, spread: float = 1.0) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close + spread, l=close - spread, c=close, v=100.5, t=0)


def answer(*symbols: str, rejected: dict[Flaw, int] | None = None) -> GroupedDaily:
    return GroupedDaily(day=DAY, rows=[row(s) for s in symbols], request_id="r1", rejected=rejected or {})


def split(symbol: str, day: dt.date, to: float = 7.0, from_: float = 1.0) -> SplitRow:
    return SplitRow(ticker=symbol, execution_date=day, split_from=from_, split_to=to, adjustment_type="forward_split")


async def stored(desk: Desk) -> list[str]:
    return [r["symbol"] for r in await desk.pool.fetch("SELECT symbol FROM market_data_daily ORDER BY symbol")]


# Bars


async def test_a_sessions_bars_are_stored_with_their_provenance(desk: Desk) -> None:
    desk.vendor.answers["grouped_daily"] = answer("A", "ZVZZT", "BRK.A", rejected={Flaw.PRICE: 2})
    report = await desk.run(load_session_bars, SESSION)
    assert desk.vendor.asked == [("grouped_daily", DAY)]
    assert await stored(desk) == ["A", "BRK.A"]  # ZVZZT is a test issue
    assert report.warnings == ("bars 2025-11-11: 2 rows set aside (price)",)
    load = await desk.pool.fetchrow("SELECT * FROM data_load")
    assert load["rejected"] == {"price": 2, "test_issue": 1}
    assert (load["source"], load["request_id"], load["row_count"], load["fetched_at"]) == ("massive:rest", "r1", 2, NOW)
    covered = await desk.pool.fetchrow("SELECT data_set, trading_day, row_count FROM coverage")
    assert tuple(covered) == (data_sets.DAILY_BARS, DAY, 2)


async def test_no_bars_on_a_trading_day_are_refused(desk: Desk) -> None:
    desk.vendor.answers["grouped_daily"] = answer()
    with pytest.raises(BadAnswer, match="no bars for 2025-11-11"):
        await desk.run(load_session_bars, SESSION)


async def test_a_session_is_not_replaced_by_a_much_smaller_one(desk: Desk) -> None:
    whole = [f"S{number}" for number in range(10)]
    desk.vendor.answers["grouped_daily"] = answer(*whole)
    await desk.run(load_session_bars, SESSION)
    desk.vendor.answers["grouped_daily"] = answer(*whole[:6])
    with pytest.raises(BadAnswer, match="6 bars for 2025-11-11 where 10 are stored"):
        await desk.run(load_session_bars, SESSION)
    assert await stored(desk) == whole
    desk.vendor.answers["grouped_daily"] = answer(*whole[:7])
    await desk.run(load_session_bars, SESSION)
    assert await stored(desk) == whole[:7]


# Splits


async def load(desk: Desk, *rows: SplitRow) -> tuple[str, ...]:
    desk.vendor.answers["list_splits"] = list(rows)
    return (await desk.run(load_splits, {"since": SINCE.isoformat()})).warnings


async def split_days(desk: Desk) -> list[tuple[str, dt.date]]:
    rows = await desk.pool.fetch("SELECT symbol, execution_day FROM stock_split ORDER BY 1, 2")
    return [(r["symbol"], r["execution_day"]) for r in rows]


async def test_the_splits_of_the_window_and_the_week_ahead_are_asked_for(desk: Desk) -> None:
    assert await load(desk, split("A", DAY)) == ()
    assert desk.vendor.asked == [("list_splits", SINCE, DAY + dt.timedelta(days=7))]
    assert await split_days(desk) == [("A", DAY)]


async def test_a_split_moved_to_another_day_is_not_applied_twice(desk: Desk) -> None:
    await load(desk, split("A", DAY))
    moved = DAY + dt.timedelta(days=1)
    assert await load(desk, split("A", moved)) == ("splits: A 2025-11-11 is listed no more and was taken back",)
    assert await split_days(desk) == [("A", moved)]


async def test_no_splits_are_an_answer_and_those_of_before_the_window_stay(desk: Desk) -> None:
    await load(desk)
    async with desk.pool.acquire() as connection:
        old = Split(symbol="A", execution_day=SINCE - dt.timedelta(days=1), split_from=1, split_to=7, kind="split")
        await splits.upsert_splits(connection, [old], load_id=1, now=NOW)
    await load(desk)
    assert await split_days(desk) == [("A", SINCE - dt.timedelta(days=1))]
    assert await desk.pool.fetchval("SELECT detail ->> 'since' FROM coverage") == SINCE.isoformat()


async def test_a_list_that_lost_most_splits_changes_nothing(desk: Desk) -> None:
    whole = [split(f"S{number}", DAY) for number in range(10)]
    await load(desk, *whole)
    with pytest.raises(BadAnswer, match=r"6 splits for .* where 10 are stored"):
        await load(desk, *whole[:6])
    assert len(await split_days(desk)) == 10
    await load(desk, *whole[:7])
    assert len(await split_days(desk)) == 7


async def judged(desk: Desk) -> dict[tuple[str, float], str]:
    rows = await desk.pool.fetch("SELECT symbol, split_to, verdict FROM stock_split")
    return {(row["symbol"], row["split_to"]): row["verdict"] for row in rows}


async def test_of_two_ratios_for_one_day_the_one_that_the_price_shows_counts(desk: Desk) -> None:
    await put_bars(desk, lambda _, day: [row("A", 10.0) if day == DAY else row("A", 70.0)], sessions=3)
    await load(desk, split("A", DAY), split("A", DAY, 2.0))
    report = await desk.run(check_splits)
    assert await judged(desk) == {("A", 7.0): "confirmed", ("A", 2.0): "contradicted"}
    assert report.warnings == (
        "splits: A 2025-11-11 1 for 2 is not applied: the price went to 0.143 of the close before, not to 0.5",
    )


async def test_a_split_that_the_price_does_not_show_is_not_applied(desk: Desk) -> None:
    await put_bars(desk, lambda *_: [row("A", 70.0, 1.0)], sessions=20)
    await load(desk, split("A", DAY))
    await desk.run(check_splits)
    assert await judged(desk) == {("A", 7.0): "contradicted"}
    assert (await atr_of(desk))["A"][0] == pytest.approx(2.0)


async def test_a_price_that_fell_as_in_a_split_is_named_while_none_is_listed(desk: Desk) -> None:
    await put_bars(desk, lambda _, day: [row("A", 10.0) if day == DAY else row("A", 70.0), row("B")], sessions=3)
    report = await desk.run(check_splits)
    assert report.warnings == ("splits: 1 prices jumped over night as splits do, and none is listed: A",)


# ATR


async def put_bars(desk: Desk, rows_of_day: Any, *, sessions: int) -> None:
    async with desk.pool.acquire() as connection:
        for number, day in enumerate(CALENDAR.last_trading_days(sessions, up_to=DAY)):
            await bars.replace_bars(connection, day, rows_of_day(number, day), load_id=1)
    for day in CALENDAR.last_trading_days(sessions, up_to=DAY):
        await desk.cover(data_sets.DAILY_BARS, day=day)


async def atr_of(desk: Desk) -> dict[str, tuple[float, float, int]]:
    await desk.run(compute_atr)
    rows = await desk.pool.fetch("SELECT * FROM ticker_atr WHERE trading_date = $1", DAY)
    return {r["symbol"]: (r["atr"], r["atr_percent"], r["bars_used"]) for r in rows}


async def test_atr_needs_fifteen_bars_and_is_a_percentage_of_the_close(desk: Desk) -> None:
    await put_bars(desk, lambda n, _: [row("A", 50.0, 2.0)] + ([row("YOUNG")] if n >= 1 else []), sessions=15)
    assert await atr_of(desk) == {"A": (4.0, 8.0, 15)}


async def test_atr_of_a_split_symbol_shows_no_trace_of_the_split(desk: Desk) -> None:
    def rows(_: int, day: dt.date) -> list[DailyRow]:
        return [row("A", 10.0, 1.0) if day == DAY else row("A", 70.0, 7.0)]

    await put_bars(desk, rows, sessions=20)
    assert (await atr_of(desk))["A"][0] > 5.0
    await load(desk, split("A", DAY))
    assert (await atr_of(desk))["A"] == (pytest.approx(2.0), pytest.approx(20.0), 20)


async def test_a_split_of_the_week_ahead_is_not_applied_yet(desk: Desk) -> None:
    await put_bars(desk, lambda *_: [row("A", 50.0, 2.0)], sessions=15)
    await load(desk, split("A", DAY + dt.timedelta(days=1)))
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


async def set_aside(desk: Desk, day: dt.date, symbol: str, *, load_id: int = 1) -> None:
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
    await desk.pool.execute("DELETE FROM market_data_daily WHERE symbol = 'B' AND trading_date = $1", DAY)
    assert (await atr_of(desk)).keys() == {"A"}, "what nobody knows of today is no figure of today"


async def test_a_hole_under_a_former_symbol_or_another_spelling_is_the_same_companys(desk: Desk) -> None:
    days = CALENDAR.last_trading_days(28, up_to=DAY)
    await put_bars(
        desk, lambda n, _: [row("OLD" if n < 12 else "NEW", 50.0, 2.0)] * (n != 9) + [row("BACpB")] * (n != 5),
        sessions=28,
    )  # fmt: skip
    async with desk.pool.acquire() as connection:
        for symbol, number in (("OLD", 0), ("NEW", 12)):
            rows = [TickerRow(ticker=symbol, composite_figi="F1"), TickerRow(ticker="BACpB")]
            await tickers.apply_listing(
                connection, rows, day=days[number], now=NOW, next_session=CALENDAR.next_trading_day
            )
    await desk.pool.execute("UPDATE ticker_universe SET market_data_symbol = 'BACPB' WHERE symbol = 'BACpB'")
    await desk.pool.execute("UPDATE ticker_change SET changed_on = $1", days[12])
    assert {symbol: bars_used for symbol, (_, _, bars_used) in (await atr_of(desk)).items()} == {"NEW": 27, "BACpB": 27}
    await set_aside(desk, days[9], "OLD")
    await set_aside(desk, days[5], "BACPB")
    assert {symbol: bars_used for symbol, (_, _, bars_used) in (await atr_of(desk)).items()} == {"NEW": 18, "BACpB": 22}


# Test issues


async def test_a_company_whose_name_is_on_a_list_of_test_issues_has_its_bars(desk: Desk) -> None:
    await desk.pool.executemany(
        "INSERT INTO ticker_universe (symbol, is_active, state, last_seen, added_at, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $5)",
        [("IBO", True, "listed", DAY, NOW), ("CBX", False, "delisted", DAY, NOW), ("ZVZZT", False, "test", DAY, NOW)],
    )
    desk.vendor.answers["grouped_daily"] = answer("IBO", "CBX", "ZVZZT", "NTEST.G", "A")
    report = await desk.run(load_session_bars, SESSION)
    assert await stored(desk) == ["A", "CBX", "IBO"]
    assert report.warnings == (
        "bars 2025-11-11: left out as test issues by their names alone, no listing has them: NTEST.G",
    )
    assert await desk.pool.fetchval("SELECT rejected FROM data_load") == {"test_issue": 2}
