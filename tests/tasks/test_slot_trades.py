"""Holds the trades of slots to: what the answers say, unknown where they do not, and no word about any volume."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from consumer.tasks.volume_slots import load_batch
from consumer.vendor.rows import DailyRow, RangeBars
from tests.tasks.conftest import CALENDAR, DAY, NOW
from tests.tasks.test_slot_files import folder, load, publish  # noqa: F401  (a fixture)
from tests.tasks.test_slot_weighing import NEXT_DAY
from tests.tasks.test_volume_slots import BATCH, bars_at, list_symbols

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tasks.conftest import Desk

Bar = tuple[dt.date, int, float, int]  # session, slot, shares, trades; -1: not said


def counted(*bars: Bar) -> RangeBars:
    found = bars_at(*(bar[:3] for bar in bars))
    return msgspec.structs.replace(found, trades=np.array([bar[3] for bar in bars], dtype=np.int64))


async def came(desk: Desk, answer: RangeBars, *, later: int = 0, day: dt.date = DAY) -> tuple[str, ...]:
    desk.now = NOW + dt.timedelta(days=later)
    desk.options = desk.options.__class__(slot_sessions=(day - DAY).days + 1)
    desk.vendor.answers["five_minute_bars"] = answer
    return (await desk.run(load_batch, BATCH, force=True, day=day)).warnings


async def stored(desk: Desk, symbol: str = "A", day: dt.date = DAY) -> tuple[str, dict[int, Any] | None, int | None]:
    row = await desk.pool.fetchrow(
        "SELECT outcome, volumes, trades, trades_unknown FROM session_slots WHERE symbol = $1 AND trading_date = $2",
        symbol, day,
    )  # fmt: skip
    assert row is not None
    trades = row["trades"]
    told = None if trades is None else {at: trades[at] for at in range(192) if trades[at] != 0}
    return row["outcome"], told, row["trades_unknown"]


async def put_bar(desk: Desk, volume: float, trades: int | None) -> None:
    from consumer.postgres import bars

    rows = [DailyRow(T="A", o=1, h=1, l=1, c=1, v=volume, t=0, n=trades)]
    async with desk.pool.acquire() as connection:
        await bars.replace_bars(connection, DAY, rows, load_id=1)


async def test_trades_stand_beside_the_volumes_that_they_made(desk: Desk) -> None:
    await list_symbols(desk, "A", "B")
    desk.vendor.answers["five_minute_bars"] = lambda symbol, *_: (
        counted((DAY, 66, 10.5, 4), (DAY, 191, 3.0, 1)) if symbol == "A" else counted()
    )
    desk.options = desk.options.__class__(slot_sessions=1)
    await desk.run(load_batch, BATCH)
    assert await stored(desk) == ("traded", {66: 4, 191: 1}, 0)
    assert await stored(desk, "B") == ("no_trades", None, 0), "who did not trade has none to know"


@pytest.mark.parametrize(
    ("bars", "told", "unknown"),
    [
        ([(DAY, 66, 10.5, 4), (DAY, 67, 3.0, -1)], {66: 4, 67: None}, 1),
        ([(DAY, 66, 10.5, 4), (DAY, 67, 3.0, 0)], {66: 4, 67: None}, 1),
        ([(DAY, 66, 10.5, -1), (DAY, 67, 3.0, 0)], None, 2),
    ],
    ids=["one bar does not say", "one bar says none", "no bar says"],
)
async def test_what_a_bar_does_not_say_is_unknown_and_its_volume_counts(
    desk: Desk, bars: list[Bar], told: dict[int, int | None] | None, unknown: int
) -> None:
    await list_symbols(desk, "A")
    assert await came(desk, counted(*bars)) == ()
    assert await stored(desk) == ("traded", told, unknown)
    assert await desk.pool.fetchval("SELECT volumes[67] + volumes[68] FROM session_slots") == 13.5


async def test_a_source_without_counts_leaves_volumes_whole_and_trades_unknown(desk: Desk) -> None:
    await list_symbols(desk, "A")
    assert await came(desk, bars_at((DAY, 66, 10.5))) == ()
    assert await stored(desk) == ("traded", None, 1)


async def test_a_file_and_an_answer_store_the_same_row(desk: Desk, folder: Path) -> None:  # noqa: F811
    day = CALENDAR.previous_trading_day(DAY)
    await list_symbols(desk, "A")
    publish(folder, day, A=7.5)
    await load(desk, day)
    assert await stored(desk, day=day) == ("traded", {66: 3}, 0), "the file says 3 trades at 09:30"
    by_file = await desk.pool.fetchrow("SELECT volumes, trades, trades_unknown FROM session_slots")
    await desk.pool.execute("DELETE FROM session_slots")
    desk.options = desk.options.__class__(slot_sessions=2)
    desk.vendor.answers["five_minute_bars"] = counted((day, 66, 7.5, 3))
    await desk.run(load_batch, BATCH)
    by_rest = await desk.pool.fetchrow(
        "SELECT volumes, trades, trades_unknown FROM session_slots WHERE trading_date = $1", day
    )
    assert by_rest == by_file


FIRST: list[Bar] = [(DAY, 66, 4_000.0, 40), (DAY, 80, 3_400.0, 30)]
KEPT = (
    "slot_trades: 1 rows of final sessions keep the trades that stand: an answer says fewer trades of no less volume, "
    "and the daily bars do not bear it out",
)


async def test_fewer_trades_of_as_much_volume_are_put_aside_and_the_volumes_are_taken(desk: Desk) -> None:
    await list_symbols(desk, "A")
    await came(desk, counted(*FIRST))
    assert await came(desk, counted((DAY, 66, 4_100.0, 4), (DAY, 80, 3_400.0, 31)), later=1) == KEPT
    assert await stored(desk) == ("traded", {66: 40, 80: 31}, 0)
    assert await desk.pool.fetchval("SELECT volumes[67] FROM session_slots") == 4_100.0
    (aside,) = await desk.pool.fetch("SELECT data_set, symbol, flaw, field FROM set_aside")
    assert tuple(aside) == ("slot_trades", "A", "outweighed", "trades")


async def test_the_daily_bar_says_which_of_two_counts_is_right(desk: Desk) -> None:
    await list_symbols(desk, "A")
    await put_bar(desk, 7_400.0, 36)
    await came(desk, counted(*FIRST))
    fewer = counted((DAY, 66, 4_000.0, 4), (DAY, 80, 3_400.0, 30))
    assert await came(desk, fewer, later=1) == ()
    assert await stored(desk) == ("traded", {66: 4, 80: 30}, 0)


async def test_trades_that_are_not_said_any_more_still_stand_where_the_volume_does(desk: Desk) -> None:
    await list_symbols(desk, "A")
    await came(desk, counted(*FIRST))
    await came(desk, bars_at((DAY, 66, 4_000.0), (DAY, 80, 3_500.0)), later=1)
    assert await stored(desk) == ("traded", {66: 40, 80: None}, 1)


async def test_volumes_that_are_outweighed_keep_their_trades(desk: Desk) -> None:
    await list_symbols(desk, "A")
    await put_bar(desk, 7_500.0, 70)
    await came(desk, counted(*FIRST))
    await came(desk, counted((DAY, 100, 9.0, 700)), later=1)
    assert await stored(desk) == ("traded", {66: 40, 80: 30}, 0)


async def test_another_count_is_a_restatement_of_its_own_and_a_first_one_is_none(desk: Desk) -> None:
    await list_symbols(desk, "A")
    await came(desk, counted((DAY, 66, 4_000.0, -1), (DAY, 80, 3_400.0, 30)))
    both = [(DAY, 66, 4_000.0, 40), (DAY, 80, 3_400.0, 30), (NEXT_DAY, 66, 1.0, 1)]
    assert await came(desk, counted(*both), later=1, day=NEXT_DAY) == ()
    assert await stored(desk) == ("traded", {66: 40, 80: 30}, 0), "a slot without trades gets them when it is restated"
    assert await desk.pool.fetch("SELECT data_set FROM restatement") == []
    both[0] = (DAY, 66, 4_000.0, 41)
    assert await came(desk, counted(*both), later=2, day=NEXT_DAY) == ()
    (found,) = await desk.pool.fetch("SELECT data_set, trading_day, symbol, change, before, after FROM restatement")
    assert tuple(found) == ("slot_trades", DAY, "A", "changed", {"66": 40}, {"66": 41})
