"""Holds rows that were set aside to: they are holes while their load stands, and cost no row that stands."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import bars, coverage, evidence, findings, holes
from consumer.postgres.coverage import Load
from consumer.postgres.findings import Contested, Report, Settled, State
from consumer.postgres.ledger import PartId
from consumer.tasks.ohlc_daily import load_session_bars
from consumer.tasks.standing import take_aside
from consumer.vendor.rows import DailyRow, Flaw, GroupedDaily, SetAside
from contract import data_sets
from market.findings import Finding, Kind
from tests.tasks.conftest import DAY, NOW
from tests.tasks.test_recheck import SYMBOLS, row, stand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.tasks.conftest import Desk

SESSION = {"session": DAY.isoformat()}
ACCEPTED = Settled(state=State.ACCEPTED, by="ann", reason="so it is")


async def load(desk: Desk, rows: Sequence[DailyRow], *lost: SetAside) -> None:
    desk.now += dt.timedelta(minutes=5)
    desk.vendor.answers["grouped_daily"] = GroupedDaily(
        day=DAY, rows=list(rows), request_id="r", rejected={Flaw.PRICE: len(lost)}, set_aside=lost
    )
    await desk.run(load_session_bars, SESSION, force=True)


async def holes_of(desk: Desk) -> list[str]:
    return sorted(await holes.of_symbols(desk.pool, since=DAY, up_to=DAY))


def rows_of(price: float = 10.0, but: str = "") -> list[DailyRow]:
    return [row(symbol, price) for symbol in SYMBOLS if symbol != but]


def lost(symbol: str | None) -> SetAside:
    return SetAside(flaw=Flaw.PRICE, symbol=symbol)


async def stored(desk: Desk) -> dict[str, float]:
    async with desk.pool.acquire() as connection:
        return {symbol: float(one[3] or 0) for symbol, one in (await bars.read_session(connection, DAY)).items()}


async def test_a_hole_outlasts_an_answer_that_a_person_has_refused(desk: Desk) -> None:
    await load(desk, rows_of(but="S000"), lost("S000"))
    await load(desk, rows_of(30.0))
    (found,) = await findings.find(desk.pool)
    async with desk.pool.acquire() as connection:
        await findings.settle(connection, [found.finding_id], ACCEPTED, now=desk.now)
    await load(desk, rows_of(30.0))
    assert set((await stored(desk)).values()) == {10.0}
    assert await holes_of(desk) == ["S000"]


async def test_an_answer_that_was_kept_aside_brings_its_holes_when_it_is_taken(desk: Desk) -> None:
    await stand(desk, rows_of())
    await load(desk, rows_of(30.0, but="S000"), lost("S000"))
    assert await holes_of(desk) == []
    (found,) = await findings.find(desk.pool)
    async with desk.pool.acquire() as connection, connection.transaction():
        await take_aside(connection, found, ACCEPTED, now=desk.now)
    assert "S000" not in await stored(desk)
    assert await holes_of(desk) == ["S000"]


async def test_single_rows_that_are_taken_leave_the_holes_of_the_load_that_stands(desk: Desk) -> None:
    async with desk.pool.acquire() as connection, connection.transaction():
        load = Load(fence=1, source="massive:rest", fetched_at=NOW, rows=1)
        older = await coverage.record_load(connection, PartId(cycle_id=1, task="test", part="bars"), load)
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            DAY,
            Report(
                finding=Finding(kind=Kind.ROWS, reason="seen", symbols=("S001",)),
                load_id=older.load_id,
                now=NOW,
                contested=Contested(rows=[row("S001", 30.0)]),
                contested_at=NOW,
            ),
        )
    await stand(desk, rows_of(but="S000"))
    async with desk.pool.acquire() as connection, connection.transaction():
        newer = await connection.fetchval("SELECT load_id FROM coverage WHERE data_set = 'daily_bars'")
        await evidence.keep_set_aside(connection, data_sets.DAILY_BARS, DAY, [lost("S000")], load_id=newer)
        (found,) = await findings.find(connection)
        await take_aside(connection, found, ACCEPTED, now=NOW)
    assert (await stored(desk))["S001"] == 30.0
    assert await holes_of(desk) == ["S000"]


async def test_a_bad_row_in_a_refetch_deletes_no_final_bar_however_thin(desk: Desk) -> None:
    thin = [msgspec.structs.replace(one, v=90.0) for one in rows_of()]
    await stand(desk, thin)
    await load(desk, thin[1:], lost("S000"))
    assert len(await stored(desk)) == len(thin)
    await load(desk, thin[2:], lost(None))
    assert len(await stored(desk)) == len(thin)
    assert await holes_of(desk) == []
