"""Holds bars, splits and ATR values to: a session is replaced whole, and a list of splits is what the vendor has."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest

from consumer.massive.rows import DailyRow
from consumer.postgres import bars
from market.splits import Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool

MONDAY, TUESDAY, WEDNESDAY = (dt.date(2025, 11, day) for day in (10, 11, 12))


def row(symbol: str, close: float, volume: float = 10.5) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close + 1, l=close - 1, c=close, v=volume, t=0, vw=close, n=3)


def split(symbol: str, day: dt.date, to: float = 7.0, *, kind: str = "forward_split") -> Split:
    return Split(symbol=symbol, execution_day=day, split_from=1.0, split_to=to, kind=kind)


async def history(connection: Connection, up_to: dt.date, since: dt.date | None = None) -> bars.BarHistory:
    async with connection.transaction(isolation="repeatable_read"):
        return await bars.read_history(connection, up_to=up_to, since=since)


async def test_a_session_is_replaced_as_a_whole(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [row("A", 1.0), row("B", 2.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [row("A", 5.0)], load_id=2)
    await bars.replace_bars(connection, MONDAY, [row("B", 3.0)], load_id=3)
    found = await connection.fetch("SELECT trading_date, symbol, close, load_id FROM market_data_daily ORDER BY 1, 2")
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
    assert found.low.tolist() == [0.0, 1.0, 2.0, 3.0, 5.0]
    assert found.volume.tolist() == [10.5, 0.25, 10.5, 10.5, 10.5]


async def test_history_has_both_its_ends(connection: Connection) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        await bars.replace_bars(connection, day, [row("A", 1.0)], load_id=1)
    assert (await history(connection, TUESDAY, TUESDAY)).days.tolist() == [TUESDAY]
    empty = await history(connection, MONDAY - dt.timedelta(days=1))
    assert (empty.symbols, empty.offsets.tolist(), len(empty.days)) == ([], [0], 0)
    assert empty.days.dtype == np.dtype("datetime64[D]")


async def splits_of(connection: Connection) -> list[tuple[object, ...]]:
    rows = await connection.fetch(
        "SELECT symbol, execution_day, split_to, kind, load_id FROM stock_split ORDER BY 1, 2"
    )
    return [tuple(r) for r in rows]


async def test_splits_are_inserted_corrected_and_left_alone(connection: Connection) -> None:
    first = [split("A", MONDAY), split("B", MONDAY, 2.0)]
    assert await bars.upsert_splits(connection, first, load_id=1) == 2
    assert await bars.upsert_splits(connection, first, load_id=2) == 0
    corrected = [split("A", MONDAY, 10.0), split("B", MONDAY, 2.0, kind="stock_dividend")]
    assert await bars.upsert_splits(connection, corrected, load_id=3) == 2
    assert await splits_of(connection) == [
        ("A", MONDAY, 10.0, "forward_split", 3), ("B", MONDAY, 2.0, "stock_dividend", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("listed", "withdrawn"),
    [
        ([split("A", TUESDAY)], [("A", MONDAY), ("B", MONDAY)]),
        ([split("A", MONDAY), split("B", MONDAY)], []),
        ([], [("A", MONDAY), ("B", MONDAY)]),
    ],
)
async def test_splits_that_the_list_lacks_go_within_its_days_only(
    connection: Connection, listed: Sequence[Split], withdrawn: list[tuple[str, dt.date]]
) -> None:
    old = split("A", MONDAY - dt.timedelta(days=90))
    await bars.upsert_splits(connection, [old, split("A", MONDAY), split("B", MONDAY)], load_id=1)
    await bars.upsert_splits(connection, listed, load_id=2)
    assert await bars.withdraw_splits(connection, listed, since=MONDAY, until=WEDNESDAY) == withdrawn
    kept = await bars.read_splits(connection, up_to=WEDNESDAY)
    assert [s for own in kept.values() for s in own] == sorted(
        [old, *listed], key=lambda s: (s.symbol, s.execution_day)
    )
    assert await bars.count_splits(connection, since=MONDAY, until=WEDNESDAY) == len(listed)


async def test_splits_not_executed_yet_are_not_read(connection: Connection) -> None:
    await bars.upsert_splits(connection, [split("A", MONDAY), split("A", WEDNESDAY)], load_id=1)
    assert await bars.read_splits(connection, up_to=TUESDAY) == {"A": [split("A", MONDAY)]}
    assert await bars.read_splits(connection, up_to=WEDNESDAY) == {"A": [split("A", MONDAY), split("A", WEDNESDAY)]}


async def test_atr_values_of_a_day_are_replaced_as_a_whole(connection: Connection) -> None:
    await bars.replace_atr(connection, MONDAY, [("A", 1.0, 2.0, 30), ("B", 1.0, 2.0, 30)], load_id=1)
    await bars.replace_atr(connection, TUESDAY, [("A", 3.0, 4.0, 30)], load_id=2)
    await bars.replace_atr(connection, MONDAY, [("B", 5.0, 6.0, 15)], load_id=3)
    rows = await connection.fetch("SELECT trading_date, symbol, atr, atr_percent, bars_used FROM ticker_atr ORDER BY 1")
    assert [tuple(r) for r in rows] == [(MONDAY, "B", 5.0, 6.0, 15), (TUESDAY, "A", 3.0, 4.0, 30)]
