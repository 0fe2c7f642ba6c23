"""What of a sample did not come is not asked again; only a vendor that is away altogether has it tried once more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from consumer.postgres import bars
from consumer.tasks.sample import compare_bars, compare_slots
from consumer.vendor.errors import BadAnswer, NotEntitled, OutOfTime, ProviderUnavailable
from consumer.vendor.rows import GroupedDaily, RangeBars
from tests.tasks.conftest import CALENDAR, DAY
from tests.tasks.stored_bars import row

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

OLD = CALENDAR.last_trading_days(40, up_to=DAY)[:3]
SESSIONS = {"sessions": [day.isoformat() for day in OLD]}


async def sampled(desk: Desk) -> dict[dt.date, tuple[int, int]]:
    rows = await desk.pool.fetch("SELECT trading_day, compared, differed FROM sampled_recheck")
    return {one["trading_day"]: (one["compared"], one["differed"]) for one in rows}


async def store(desk: Desk) -> None:
    async with desk.pool.acquire() as connection:
        for day in OLD:
            await bars.replace_bars(connection, day, [row("A"), row("B")], load_id=1)


@pytest.mark.parametrize("error", [BadAnswer("no bars"), NotEntitled("too old"), OutOfTime("late")], ids=str)
async def test_one_session_that_does_not_come_costs_the_others_nothing(desk: Desk, error: Exception) -> None:
    await store(desk)
    said = {OLD[0]: error, OLD[1]: answer(OLD[1], row("A"), row("B")), OLD[2]: answer(OLD[2], row("A"), row("B", 11.0))}
    desk.vendor.answers["grouped_daily"] = lambda day: said[day]
    report = await desk.run(compare_bars, SESSIONS)
    assert await sampled(desk) == {OLD[0]: (0, 0), OLD[1]: (2, 0), OLD[2]: (2, 1)}
    assert [part.part for part in report.spawned] == [f"bars:{OLD[2]}"]
    assert f"sample: 1 of 3 answers did not come: {error}" in report.warnings


async def test_an_empty_old_session_is_no_answer_and_keeps_nobody_asking(desk: Desk) -> None:
    await store(desk)
    desk.vendor.answers["grouped_daily"] = lambda day: answer(day)
    assert (await desk.run(compare_bars, SESSIONS)).spawned == ()
    assert set((await sampled(desk)).values()) == {(0, 0)}


async def test_a_vendor_that_is_away_has_the_same_sample_tried_again(desk: Desk) -> None:
    await store(desk)
    desk.vendor.answers["grouped_daily"] = ProviderUnavailable("503")
    with pytest.raises(ProviderUnavailable):
        await desk.run(compare_bars, SESSIONS)
    assert await sampled(desk) == {}


async def test_slots_whose_trades_nobody_had_said_get_them_and_are_no_difference(desk: Desk) -> None:
    day = OLD[0]
    await desk.pool.execute(
        "INSERT INTO session_slots (trading_date, symbol, outcome, volumes, fetched_at, load_id) "
        "VALUES ($1, 'A', 'traded', $2, $3, 1)",
        day, [100.0, *[0.0] * 191], desk.now - dt.timedelta(days=30),
    )  # fmt: skip
    opened = int(CALENDAR.session(day).pre_market_opens_at.timestamp() * 1000)
    desk.vendor.answers["five_minute_bars"] = RangeBars(
        timestamps_ms=np.array([opened]),
        volumes=np.array([100.0]),
        trades=np.array([7]),
        pages=1,
        foreign=0,
        request_ids=(),
    )
    await desk.run(compare_slots, {"stretches": {"A": [day.isoformat(), day.isoformat()]}})
    assert await sampled(desk) == {day: (1, 0)}
    assert await desk.pool.fetchval("SELECT trades[1] FROM session_slots") == 7


def answer(day: dt.date, *rows: object) -> GroupedDaily:
    return GroupedDaily(day=day, rows=list(rows), rejected={}, set_aside=())  # type: ignore[arg-type]
