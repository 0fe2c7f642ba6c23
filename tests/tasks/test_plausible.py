"""Holds the judgement of stored sessions to: once for the rows that stand, by exchange, without splits, with slots."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from consumer.postgres import findings, slots, splits
from consumer.postgres.findings import State
from consumer.tasks.plausible import judge_sessions, unjudged
from consumer.tasks.volume_slots import prove
from market.findings import Kind
from market.splits import Split
from tests.tasks.conftest import DAY, NOW
from tests.tasks.test_recheck import SYMBOLS, row, stand

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk


async def stand_sessions(desk: Desk, count: int, *, times: float, of: range) -> tuple[dt.date, ...]:
    """Sessions whose prices rise a little; the newest has those of some symbols at a multiple."""
    sessions = desk.context().sessions(count)
    for number, day in enumerate(sessions):
        price = 10.0 + 0.1 * number
        rows = [row(symbol, price * (times if day == DAY and place in of else 1.0), 50_000.0 + day.day)
                for place, symbol in enumerate(SYMBOLS)]  # fmt: skip
        await stand(desk, rows, day)
    desk.now += dt.timedelta(seconds=1)
    return sessions


async def test_a_session_is_judged_once_for_the_rows_that_stand_and_its_recheck_is_spawned(desk: Desk) -> None:
    sessions = await stand_sessions(desk, 4, times=100.0, of=range(len(SYMBOLS)))
    assert await unjudged(desk.pool, sessions) == list(sessions)
    report = await desk.run(judge_sessions)
    assert [part.part for part in report.spawned] == [f"recheck:{DAY}"]
    assert report.warnings == (f"bars {DAY}: suspect: the median close is 101 times that of {sessions[-2]}",)
    assert await unjudged(desk.pool, sessions) == []
    again = await desk.run(judge_sessions)
    assert (again.warnings, len(await findings.find(desk.pool))) == ((), 1)


async def test_an_exchange_is_judged_by_the_listing_and_names_symbols_to_ask_for(desk: Desk) -> None:
    await desk.pool.execute(
        "INSERT INTO ticker_profile (symbol, exchange, created_at, updated_at) "
        "SELECT symbol, CASE WHEN place <= 15 THEN 'XNYS' ELSE 'XNAS' END, $2, $2 "
        "FROM unnest($1::text[]) WITH ORDINALITY AS s (symbol, place)",
        SYMBOLS, NOW,
    )  # fmt: skip
    await stand_sessions(desk, 4, times=1.7, of=range(15, 75))
    await desk.run(judge_sessions)
    (found,) = await findings.find(desk.pool)
    assert (found.kind, found.evidence["exchange"]) == (Kind.PRICES, "XNAS")
    assert len(found.symbols) == 30
    assert not set(found.symbols) & set(SYMBOLS[:15])


async def test_symbols_that_split_that_morning_are_left_out(desk: Desk) -> None:
    async with desk.pool.acquire() as connection:
        listed = [Split(symbol=one, execution_day=DAY, split_from=1, split_to=10, kind="split") for one in SYMBOLS[:25]]
        await splits.upsert_splits(connection, listed, load_id=1, now=NOW)
    await stand_sessions(desk, 4, times=0.1, of=range(25))
    await desk.run(judge_sessions)
    assert await findings.find(desk.pool) == []


async def test_what_is_found_no_more_is_cleared_when_the_session_is_judged_again(desk: Desk) -> None:
    await stand_sessions(desk, 4, times=100.0, of=range(len(SYMBOLS)))
    await desk.run(judge_sessions)
    desk.now += dt.timedelta(hours=1)
    await stand_sessions(desk, 1, times=1.03, of=range(len(SYMBOLS)))
    await desk.run(judge_sessions)
    (found,) = await findings.find(desk.pool, settled=True)
    assert found.state is State.CLEARED


async def test_bars_that_deny_what_the_slots_have_make_the_session_suspect_until_they_agree(desk: Desk) -> None:
    async def store(volume: float) -> None:
        await stand(desk, [row(symbol, volume=volume if number < 30 else 50_000.0)
                           for number, symbol in enumerate(SYMBOLS)])  # fmt: skip

    await store(0.0)
    async with desk.pool.acquire() as connection, connection.transaction():
        traded = [slots.SlotDay(day=DAY, symbol=symbol, outcome="traded", volumes=np.ones(192)) for symbol in SYMBOLS]
        await slots.write_slots(connection, traded, fetched_at=NOW, load_id=1)
    report = await desk.run(prove)
    (found,) = await findings.find(desk.pool)
    assert (found.kind, found.symbols) == (Kind.SLOTS, SYMBOLS[:30])
    assert [part.part for part in report.spawned] == [f"recheck:{DAY}"]
    await store(50_000.0)
    await desk.run(prove)
    assert (await findings.find(desk.pool, settled=True))[0].state is State.CLEARED
