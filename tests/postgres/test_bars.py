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


async def history(connection: Connection, up_to: dt.date, since: dt.date = MONDAY) -> bars.BarHistory:
    return await bars.read_history(connection, since=since, up_to=up_to)


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
    assert found.volume.tolist() == [10.5, 0.25, 10.5, 10.5, 10.5]


async def test_history_has_both_its_ends(connection: Connection) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        await bars.replace_bars(connection, day, [row("A", 1.0)], load_id=1)
    assert (await history(connection, TUESDAY, TUESDAY)).days.tolist() == [TUESDAY]
    empty = await history(connection, MONDAY - dt.timedelta(days=1), MONDAY - dt.timedelta(days=2))
    assert (empty.symbols, empty.offsets.tolist(), len(empty.days)) == ([], [0], 0)
    assert empty.days.dtype == np.dtype("datetime64[D]")


def numbered(found: bars.NumberedBars) -> set[tuple[int, dt.date, float, float, float]]:
    """(number of the symbol, day, high, low, close) of each bar."""
    columns = (found.number, found.days, found.high, found.low, found.close)
    return set(zip(*(column.tolist() for column in columns), strict=True))


async def test_bars_come_by_the_number_of_their_symbol_whether_by_session_or_by_symbol(connection: Connection) -> None:
    await bars.replace_bars(connection, MONDAY, [row("A", 1.0), row("C", 3.0)], load_id=1)
    await bars.replace_bars(connection, TUESDAY, [row("B", 2.0), row("C", 4.0)], load_id=1)
    await bars.replace_bars(connection, WEDNESDAY, [row("A", 9.0)], load_id=1)
    assert await bars.traded_symbols(connection, since=MONDAY, up_to=TUESDAY) == ["A", "B", "C"]
    wanted = {(1, MONDAY, 2.0, 0.5, 1.0), (0, MONDAY, 4.0, 2.5, 3.0), (0, TUESDAY, 5.0, 3.5, 4.0)}
    for read in (bars.read_sessions, bars.read_symbols):
        assert numbered(await read(connection, ["C", "A", "NONE"], since=MONDAY, up_to=TUESDAY)) == wanted
        assert numbered(await read(connection, [], since=MONDAY, up_to=TUESDAY)) == set()


async def test_a_renamed_companys_bars_come_by_its_present_symbol_from_either_reading(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at, issuer_since, state) "
        "VALUES ('NEW', true, $1, now(), now(), $1, 'listed'), ('OLD', true, $1, now(), now(), $1, 'listed')",
        WEDNESDAY,
    )
    await connection.execute(
        "INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, found_at) "
        "VALUES ('OLD', $1, 'renamed', 'NEW', now())",
        WEDNESDAY,
    )
    # NEW was another company's before, and OLD is another company's since.
    for day, price in ((MONDAY, 1.0), (TUESDAY, 2.0), (WEDNESDAY, 3.0)):
        await bars.replace_bars(connection, day, [row("OLD", price), row("NEW", price + 10)], load_id=1)
    for read in (bars.read_sessions, bars.read_symbols):
        found = numbered(await read(connection, ["NEW", "OLD"], since=MONDAY, up_to=WEDNESDAY))
        assert {(number, day, close) for number, day, _, _, close in found} == {
            (0, MONDAY, 1.0), (0, TUESDAY, 2.0), (0, WEDNESDAY, 13.0), (1, WEDNESDAY, 3.0),
        }  # fmt: skip
    assert (await history(connection, WEDNESDAY)).close.tolist() == [1.0, 2.0, 13.0, 3.0]


async def test_atr_values_of_a_day_are_replaced_as_a_whole(connection: Connection) -> None:
    await bars.replace_atr(connection, MONDAY, [("A", 1.0, 2.0, 30), ("B", 1.0, 2.0, 30)], load_id=1)
    await bars.replace_atr(connection, TUESDAY, [("A", 3.0, 4.0, 30)], load_id=2)
    await bars.replace_atr(connection, MONDAY, [("B", 5.0, 6.0, 15)], load_id=3)
    rows = await connection.fetch("SELECT trading_date, symbol, atr, atr_percent, bars_used FROM ticker_atr ORDER BY 1")
    assert [tuple(r) for r in rows] == [(MONDAY, "B", 5.0, 6.0, 15), (TUESDAY, "A", 3.0, 4.0, 30)]
