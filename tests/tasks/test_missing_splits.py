"""Holds a list of splits that lacks one, or has it on a wrong day, to the price: what that shows is not taken back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.tasks.splits import check_splits, load_splits
from consumer.vendor.rows import Flaw
from tests.tasks.conftest import CALENDAR, DAY
from tests.tasks.stored_bars import SINCE, atr_of, load_listed, put_bars, row, split

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

DAYS = CALENDAR.last_trading_days(20, up_to=DAY)
SPLIT_DAY, NEXT = DAYS[15], DAYS[16]
SMOOTH = {"A": (pytest.approx(2.0), pytest.approx(20.0), 20)}
KEPT = f"splits: A {SPLIT_DAY} is missing in the list, and kept: "
GONE = f"splits: A {SPLIT_DAY} is listed no more and was taken back"


async def lived(desk: Desk, *, until: int = 15) -> None:
    """Twenty sessions, over which A splits 1:7 on the sixteenth, or by its price after number *until*."""
    await put_bars(desk, lambda n, _: [row("A", 10.0, 1.0) if n >= until else row("A", 70.0, 7.0)], sessions=20)
    await load_listed(desk, split("A", SPLIT_DAY))
    await desk.run(check_splits)


async def applied(desk: Desk) -> list[dt.date]:
    rows = await desk.pool.fetch("SELECT * FROM stock_split WHERE verdict <> 'contradicted' ORDER BY execution_day")
    return [row["execution_day"] for row in rows]


async def test_a_split_that_the_price_shows_is_not_taken_back_because_a_list_lacks_it(desk: Desk) -> None:
    await lived(desk)
    assert await load_listed(desk) == (KEPT + "the price shows it",)
    await desk.run(check_splits)
    assert await load_listed(desk) == (KEPT + "the price shows it",)
    assert (await applied(desk), await atr_of(desk)) == ([SPLIT_DAY], SMOOTH)


@pytest.mark.parametrize("shown", [15, 99])
@pytest.mark.parametrize("symbol", ["A", None])
async def test_a_split_whose_row_was_set_aside_is_not_taken_back(desk: Desk, shown: int, symbol: str | None) -> None:
    await lived(desk, until=shown)

    async def list_splits(*_: Any, sieve: Any) -> list[Any]:
        sieve.drop_row(Flaw.RATIO, {"split_to": "NaN"}, symbol)
        return []

    desk.vendor.list_splits = list_splits  # type: ignore[attr-defined]
    report = await desk.run(load_splits, {"since": SINCE.isoformat()})
    assert KEPT + "a row that may be its was set aside" in report.warnings
    assert await desk.pool.fetchval("SELECT count(*) FROM stock_split") == 1


@pytest.mark.parametrize("wrong", [NEXT, DAYS[13], DAY + dt.timedelta(days=3)])
async def test_a_wrong_day_moves_no_split_that_the_price_shows(desk: Desk, wrong: dt.date) -> None:
    await lived(desk)
    assert await load_listed(desk, split("A", wrong)) == (KEPT + "the price shows it",)
    await desk.run(check_splits)
    assert SPLIT_DAY in await applied(desk)
    assert await atr_of(desk) == SMOOTH


async def test_a_wrong_day_without_bars_counts_no_split_twice(desk: Desk) -> None:
    await put_bars(desk, lambda n, _: [row("A", 10.0, 1.0) if n >= 15 else row("A", 70.0, 7.0)] * (n < 19), sessions=20)
    await load_listed(desk, split("A", SPLIT_DAY))
    await desk.run(check_splits)
    await load_listed(desk, split("A", DAY))
    await desk.run(check_splits)
    assert await applied(desk) == [SPLIT_DAY]


async def test_a_split_is_taken_back_where_the_price_shows_it_on_the_day_that_is_listed_now(desk: Desk) -> None:
    await lived(desk, until=16)
    assert await applied(desk) == []
    assert await load_listed(desk, split("A", NEXT)) == (GONE,)
    await desk.run(check_splits)
    assert (await applied(desk), await atr_of(desk)) == ([NEXT], SMOOTH)


async def test_one_jump_between_two_days_is_the_split_of_the_day_that_is_listed(desk: Desk) -> None:
    bars = lambda n, _: [row("A", 10.0, 1.0) if n > 15 else row("A", 70.0, 7.0)] * (n != 15)  # noqa: E731
    await put_bars(desk, bars, sessions=20)
    await load_listed(desk, split("A", SPLIT_DAY))
    await desk.run(check_splits)
    assert await applied(desk) == [SPLIT_DAY]
    assert await load_listed(desk, split("A", NEXT)) == (GONE,)
    await desk.run(check_splits)
    assert await applied(desk) == [NEXT]


async def test_a_split_of_today_waits_for_its_bars_though_a_list_lacks_it(desk: Desk) -> None:
    await put_bars(desk, lambda *_: [row("A", 70.0, 7.0)], sessions=19)
    await desk.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", DAY)
    await load_listed(desk, split("A", DAY))
    assert await load_listed(desk) == ()
    assert await applied(desk) == [DAY]


async def test_a_split_that_no_price_shows_any_more_goes_with_a_further_list(desk: Desk) -> None:
    await lived(desk)
    await desk.pool.execute(
        "UPDATE daily_bar SET open = 70, high = 77, low = 63, close = 70 WHERE trading_date >= $1", SPLIT_DAY
    )
    assert await load_listed(desk) == (KEPT + "the price shows it",)
    await desk.run(check_splits)
    assert await load_listed(desk) == (GONE,)
