"""Holds slots of final sessions to: another answer replaces them only if it is like them, or like the daily bar."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from consumer.postgres import bars
from consumer.tasks.volume_slots import load_batch
from consumer.vendor.rows import DailyRow, RangeBars
from tests.tasks.conftest import CALENDAR, DAY, NOW
from tests.tasks.test_volume_slots import BATCH, bars_at, list_symbols

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

NEXT_DAY = CALENDAR.next_trading_day(DAY)
FIRST = [(DAY, 66, 4_000.0), (DAY, 80, 3_400.0)]
KEPT = (
    "volume_slots: 1 rows of final sessions are kept as they stand: an answer says quite another thing, "
    "and the daily bars do not bear it out",
)


async def stand(desk: Desk, came: RangeBars, *, bar_volume: float | None) -> None:
    """One symbol's slots of a final session, and its daily bar; another symbol has one always."""
    desk.options = desk.options.__class__(slot_sessions=1)
    await list_symbols(desk, "A")
    volumes = {"A": bar_volume, "Z": 1.0}
    rows = [
        DailyRow(T=symbol, o=1, h=1, l=1, c=1, v=volume, t=0)
        for symbol, volume in volumes.items()
        if volume is not None
    ]
    async with desk.pool.acquire() as connection:
        await bars.replace_bars(connection, DAY, rows, load_id=1)
    await load(desk, came)


async def load(desk: Desk, came: RangeBars, *, later: int = 0) -> tuple[str, ...]:
    desk.now = NOW + dt.timedelta(days=later)
    desk.vendor.answers["five_minute_bars"] = came
    return (await desk.run(load_batch, BATCH, force=True)).warnings


async def stored(desk: Desk) -> tuple[str, float, dt.datetime]:
    row = await desk.pool.fetchrow("SELECT outcome, volumes, fetched_at FROM session_slots")
    assert row is not None
    return row["outcome"], sum(row["volumes"] or []), row["fetched_at"]


@pytest.mark.parametrize(
    "wrong",
    [[], [(day, slot, shares * 1_000) for day, slot, shares in FIRST], [(DAY, 100, 7_000.0)]],
    ids=["nothing", "a thousandfold", "another symbols"],
)
async def test_what_stands_is_kept_where_the_bar_bears_it_out_and_the_other_is_put_aside(
    desk: Desk, wrong: list[tuple[dt.date, int, float]]
) -> None:
    await stand(desk, bars_at(*FIRST), bar_volume=7_500.0)
    assert await load(desk, bars_at(*wrong), later=1) == KEPT
    assert await stored(desk) == ("traded", 7_400.0, desk.now), "asked for, and not asked for again in this night"
    (aside,) = await desk.pool.fetch("SELECT flaw, symbol, evidence FROM set_aside")
    assert (aside["flaw"], aside["symbol"]) == ("outweighed", "A")
    seen = json.loads(aside["evidence"]) if isinstance(aside["evidence"], str) else aside["evidence"]
    assert (seen["stands"], seen["bar_volume"]) == (7_400.0, 7_500.0)


async def test_slots_that_are_about_the_same_are_restated_as_ever(desk: Desk) -> None:
    await stand(desk, bars_at(*FIRST), bar_volume=7_500.0)
    assert await load(desk, bars_at(*FIRST, (DAY, 90, 5_000.0)), later=1) == ()
    assert (await stored(desk))[1] == 12_400.0


async def test_an_answer_that_agrees_better_with_the_daily_bar_is_taken(desk: Desk) -> None:
    await stand(desk, bars_at((DAY, 66, 74.0)), bar_volume=7_500.0)
    await load(desk, bars_at(*FIRST), later=1)
    assert (await stored(desk))[1] == 7_400.0


async def test_a_symbol_without_a_bar_traded_nothing_and_slots_that_say_so_are_taken(desk: Desk) -> None:
    await stand(desk, bars_at(*FIRST), bar_volume=None)
    await load(desk, bars_at(), later=1)
    assert (await stored(desk))[0] == "no_trades"
    assert await load(desk, bars_at(*FIRST), later=2) == KEPT


async def test_without_any_bars_of_the_session_only_slots_that_are_alike_or_few_replace_others(desk: Desk) -> None:
    await stand(desk, bars_at((DAY, 66, 90.0)), bar_volume=None)
    await desk.pool.execute("DELETE FROM daily_bar")
    assert await load(desk, bars_at((DAY, 66, 90_000.0)), later=1) == KEPT
    assert await load(desk, bars_at(), later=2) == KEPT
    await load(desk, bars_at((DAY, 70, 400.0)), later=3)
    assert (await stored(desk))[1] == 400.0


async def test_what_is_not_proven_is_replaced_by_anything(desk: Desk) -> None:
    await stand(desk, bars_at(), bar_volume=7_500.0)
    await desk.pool.execute("UPDATE session_slots SET outcome = 'unproven'")
    assert await load(desk, bars_at((DAY, 66, 1.0)), later=1) == ()
    assert (await stored(desk))[0] == "traded"
