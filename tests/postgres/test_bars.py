"""Holds bars and ATR values to: a session is replaced whole, for all readers at once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import bars
from consumer.vendor.rows import DailyRow

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool

MONDAY, TUESDAY, WEDNESDAY = (dt.date(2025, 11, day) for day in (10, 11, 12))


def row(symbol: str, close: float, volume: float = 10.5) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close + 1, l=close - 0.5, c=close, v=volume, t=0, vw=close, n=3)


async def history(connection: Connection, up_to: dt.date, since: dt.date | None = None) -> bars.BarHistory:
    async with connection.transaction(isolation="repeatable_read"):
        return await bars.read_history(connection, up_to=up_to, since=since)


async def test_a_session_is_replaced_as_a_whole(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [row("A", 1.0), row("B", 2.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [row("A", 5.0)], load_id=2)
    await bars.replace_bars(connection, MONDAY, [row("B", 3.0)], load_id=3)
    found = await connection.fetch("SELECT trading_date, symbol, close, load_id FROM daily_bar ORDER BY 1, 2")
    assert [tuple(r) for r in found] == [(MONDAY, "B", 3.0, 3), (TUESDAY, "A", 5.0, 2)]
    assert await bars.count_bars(connection, MONDAY) == 1


async def test_readers_see_the_old_session_until_the_new_one_is_committed(pool: Pool) -> None:
    async with pool.acquire() as writer, pool.acquire() as reader:
        await bars.replace_bars(writer, MONDAY, [row("A", 1.0), row("B", 2.0)], load_id=1)
        async with writer.transaction():
            await bars.replace_bars(writer, MONDAY, [row("A", 9.0)], load_id=2)
            assert await bars.count_bars(reader, MONDAY) == 2
        assert await bars.count_bars(reader, MONDAY) == 1


async def test_history_comes_by_symbol_and_day(connection: Connection) -> None:
    await bars.replace_bars(connection, WEDNESDAY, [row("b", 6.0), row("B", 4.0)], load_id=1)
    await bars.replace_bars(connection, MONDAY, [row("B", 2.0, 0.25), row("AZ", 1.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [row("B", 3.0)], load_id=1)
    found = await history(connection, WEDNESDAY)
    assert found.symbols == ["AZ", "B", "b"]  # byte order: case is not folded
    assert found.offsets.tolist() == [0, 1, 4, 5]
    assert found.days.tolist() == [MONDAY, MONDAY, TUESDAY, WEDNESDAY, WEDNESDAY]
    assert found.close.tolist() == [1.0, 2.0, 3.0, 4.0, 6.0]
    assert found.high.tolist() == [2.0, 3.0, 4.0, 5.0, 7.0]
    assert found.low.tolist() == [0.5, 1.5, 2.5, 3.5, 5.5]
    assert found.volume.tolist() == [10.5, 0.25, 10.5, 10.5, 10.5]


async def test_history_has_both_its_ends(connection: Connection) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        await bars.replace_bars(connection, day, [row("A", 1.0)], load_id=1)
    assert (await history(connection, TUESDAY, TUESDAY)).days.tolist() == [TUESDAY]
    empty = await history(connection, MONDAY - dt.timedelta(days=1))
    assert (empty.symbols, empty.offsets.tolist(), len(empty.days)) == ([], [0], 0)
    assert empty.days.dtype == np.dtype("datetime64[D]")


async def test_atr_values_of_a_day_are_replaced_as_a_whole(connection: Connection) -> None:
    await bars.replace_atr(connection, MONDAY, [("A", 1.0, 2.0, 30), ("B", 1.0, 2.0, 30)], load_id=1)
    await bars.replace_atr(connection, TUESDAY, [("A", 3.0, 4.0, 30)], load_id=2)
    await bars.replace_atr(connection, MONDAY, [("B", 5.0, 6.0, 15)], load_id=3)
    rows = await connection.fetch("SELECT trading_date, symbol, atr, atr_percent, bars_used FROM ticker_atr ORDER BY 1")
    assert [tuple(r) for r in rows] == [(MONDAY, "B", 5.0, 6.0, 15), (TUESDAY, "A", 3.0, 4.0, 30)]
