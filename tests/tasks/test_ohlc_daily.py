"""Holds ohlc_daily to: a cut answer replaces nothing, and splits follow the vendor's list and the prices."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.postgres import splits
from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.splits import check_splits
from consumer.vendor.errors import BadAnswer
from consumer.vendor.rows import Flaw, GroupedDaily
from contract import data_sets
from market.splits import Split
from tests.tasks.conftest import DAY, NOW
from tests.tasks.stored_bars import SINCE, atr_of, load_listed, put_bars, row, split

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

SESSION = {"session": DAY.isoformat()}


def answer(*symbols: str, rejected: dict[Flaw, int] | None = None) -> GroupedDaily:
    return GroupedDaily(day=DAY, rows=[row(s) for s in symbols], request_id="r1", rejected=rejected or {})


async def stored(desk: Desk) -> list[str]:
    return [r["symbol"] for r in await desk.pool.fetch("SELECT symbol FROM daily_bar ORDER BY symbol")]


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


async def split_days(desk: Desk) -> list[tuple[str, dt.date]]:
    rows = await desk.pool.fetch("SELECT symbol, execution_day FROM stock_split ORDER BY 1, 2")
    return [(r["symbol"], r["execution_day"]) for r in rows]


async def test_the_splits_of_the_window_and_the_week_ahead_are_asked_for(desk: Desk) -> None:
    assert await load_listed(desk, split("A", DAY)) == ()
    assert desk.vendor.asked == [("list_splits", SINCE, DAY + dt.timedelta(days=7))]
    assert await split_days(desk) == [("A", DAY)]


async def test_a_split_moved_to_another_day_is_not_applied_twice(desk: Desk) -> None:
    await load_listed(desk, split("A", DAY))
    moved = DAY + dt.timedelta(days=1)
    assert await load_listed(desk, split("A", moved)) == ("splits: A 2025-11-11 is listed no more and was taken back",)
    assert await split_days(desk) == [("A", moved)]


async def test_no_splits_are_an_answer_and_those_of_before_the_window_stay(desk: Desk) -> None:
    await load_listed(desk)
    async with desk.pool.acquire() as connection:
        old = Split(symbol="A", execution_day=SINCE - dt.timedelta(days=1), split_from=1, split_to=7, kind="split")
        await splits.upsert_splits(connection, [old], load_id=1, now=NOW)
    await load_listed(desk)
    assert await split_days(desk) == [("A", SINCE - dt.timedelta(days=1))]
    assert await desk.pool.fetchval("SELECT detail ->> 'since' FROM coverage") == SINCE.isoformat()


async def test_a_list_that_lost_most_splits_changes_nothing(desk: Desk) -> None:
    whole = [split(f"S{number}", DAY) for number in range(10)]
    await load_listed(desk, *whole)
    with pytest.raises(BadAnswer, match=r"6 splits for .* where 10 are stored"):
        await load_listed(desk, *whole[:6])
    assert len(await split_days(desk)) == 10
    await load_listed(desk, *whole[:7])
    assert len(await split_days(desk)) == 7


async def judged(desk: Desk) -> dict[tuple[str, float], str]:
    rows = await desk.pool.fetch("SELECT symbol, split_to, verdict FROM stock_split")
    return {(row["symbol"], row["split_to"]): row["verdict"] for row in rows}


async def test_of_two_ratios_for_one_day_the_one_that_the_price_shows_counts(desk: Desk) -> None:
    await put_bars(desk, lambda _, day: [row("A", 10.0) if day == DAY else row("A", 70.0)], sessions=3)
    await load_listed(desk, split("A", DAY), split("A", DAY, 2.0))
    report = await desk.run(check_splits)
    assert await judged(desk) == {("A", 7.0): "confirmed", ("A", 2.0): "contradicted"}
    assert report.warnings == (
        "splits: A 2025-11-11 1 for 2 is not applied: the price went to 0.143 of the close before, not to 0.5",
    )


async def test_a_split_that_the_price_does_not_show_is_not_applied(desk: Desk) -> None:
    await put_bars(desk, lambda *_: [row("A", 70.0, 1.0)], sessions=20)
    await load_listed(desk, split("A", DAY))
    await desk.run(check_splits)
    assert await judged(desk) == {("A", 7.0): "contradicted"}
    assert (await atr_of(desk))["A"][0] == pytest.approx(2.0)


async def test_a_price_that_fell_as_in_a_split_is_named_while_none_is_listed(desk: Desk) -> None:
    await put_bars(desk, lambda _, day: [row("A", 10.0) if day == DAY else row("A", 70.0), row("B")], sessions=3)
    report = await desk.run(check_splits)
    assert report.warnings == ("splits: 1 prices jumped over night as splits do, and none is listed: A",)


# Test issues


async def test_a_company_whose_name_is_on_a_list_of_test_issues_has_its_bars(desk: Desk) -> None:
    await desk.pool.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, state, last_seen, added_at, changed_at) "
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
