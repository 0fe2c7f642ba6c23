"""Holds volume_slots to: one request a symbol, an outcome for each session, and one failure that loses no other."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from consumer.tasks.volume_slots import load_batch, plan_parts, prove
from consumer.vendor.errors import KeyRejected, NotYetPublished, ProviderUnavailable, TickerNotFound
from consumer.vendor.rows import RangeBars
from contract import data_sets
from market.volume_slots import slot_start_ms
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from tests.tasks.conftest import Desk

SESSIONS = CALENDAR.last_trading_days(5, up_to=DAY)
BATCH = {"symbols": ["A", "B", "C"]}


def bars_at(*places: tuple[dt.date, int, float]) -> RangeBars:
    """Five-minute bars at (session, slot, volume)."""
    starts = [slot_start_ms(CALENDAR.session(day)) + slot * 300_000 for day, slot, _ in places]
    return RangeBars(
        timestamps_ms=np.array(starts, dtype=np.int64), volumes=np.array([v for *_, v in places], dtype=np.float64),
        request_ids=(), pages=1, foreign=0,
    )  # fmt: skip


async def list_symbols(desk: Desk, *symbols: str) -> None:
    await desk.pool.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) VALUES ($1, true, $2, $3, $3)",
        [(symbol, DAY, NOW) for symbol in symbols],
    )


async def outcomes(desk: Desk) -> dict[tuple[str, dt.date], str]:
    rows = await desk.pool.fetch("SELECT symbol, trading_date, outcome FROM session_slots")
    return {(r["symbol"], r["trading_date"]): r["outcome"] for r in rows}


def answers(of: dict[str, Any]) -> Any:
    return lambda symbol, *_: of[symbol]


async def test_one_request_a_symbol_brings_an_outcome_for_each_session(desk: Desk) -> None:
    await list_symbols(desk, "A", "B")
    desk.vendor.answers["five_minute_bars"] = answers(
        {"A": bars_at((SESSIONS[0], 66, 10.5), (SESSIONS[0], 66, 1.0), (DAY, 191, 3.0)), "B": bars_at()}
    )
    report = await desk.run(load_batch, BATCH)
    assert sorted(desk.vendor.asked) == [("five_minute_bars", symbol, SESSIONS[0], DAY) for symbol in ("A", "B")]
    assert (report.rows, report.unfinished, report.warnings) == (10, None, ())
    found = await outcomes(desk)
    assert {key for key, outcome in found.items() if outcome == "traded"} == {("A", SESSIONS[0]), ("A", DAY)}
    assert sum(outcome == "no_trades" for outcome in found.values()) == 8
    rows = await desk.pool.fetch("SELECT date, slot_number, volume FROM public.volume_slots ORDER BY 1")
    assert [tuple(r) for r in rows] == [(SESSIONS[0], 66, 11.5), (DAY, 191, 3.0)]


async def test_a_redelivered_batch_asks_only_for_what_is_missing(desk: Desk) -> None:
    await list_symbols(desk, "A", "B")
    desk.vendor.answers["five_minute_bars"] = answers({"A": bars_at(), "B": ProviderUnavailable("503")})
    report = await desk.run(load_batch, BATCH)
    assert isinstance(report.unfinished, ProviderUnavailable)
    assert {symbol for symbol, _ in await outcomes(desk)} == {"A"}
    desk.vendor.asked.clear()
    desk.vendor.answers["five_minute_bars"] = answers({"B": bars_at()})
    assert (await desk.run(load_batch, BATCH)).unfinished is None
    assert [asked[1] for asked in desk.vendor.asked] == ["B"]
    desk.vendor.asked.clear()
    assert (await desk.run(load_batch, BATCH)).rows == 0
    assert desk.vendor.asked == []


async def test_a_forced_cycle_asks_for_everything_anew(desk: Desk) -> None:
    await list_symbols(desk, "A")
    desk.vendor.answers["five_minute_bars"] = bars_at()
    await desk.run(load_batch, BATCH)
    desk.now = NOW + dt.timedelta(minutes=5)
    await desk.run(load_batch, BATCH, force=True)
    assert len(desk.vendor.asked) == 2


async def test_a_rejected_key_ends_the_part(desk: Desk) -> None:
    await list_symbols(desk, "A", "B")
    desk.vendor.answers["five_minute_bars"] = answers({"A": bars_at(), "B": KeyRejected("401")})
    with pytest.raises(KeyRejected):
        await desk.run(load_batch, BATCH)


async def test_one_refusal_says_for_the_whole_batch_that_the_day_is_not_published(desk: Desk) -> None:
    await list_symbols(desk, "A", "B", "C")
    desk.vendor.answers["five_minute_bars"] = NotYetPublished("403")
    report = await desk.run(load_batch, BATCH)
    assert isinstance(report.unfinished, NotYetPublished)
    assert [asked[1] for asked in desk.vendor.asked] == ["A"]


async def test_not_yet_published_outweighs_other_failures_and_loses_no_rows(desk: Desk) -> None:
    await list_symbols(desk, "A", "B", "C")
    desk.vendor.answers["five_minute_bars"] = answers(
        {"A": bars_at(), "B": ProviderUnavailable("503"), "C": NotYetPublished("403")}
    )
    report = await desk.run(load_batch, BATCH)
    assert isinstance(report.unfinished, NotYetPublished)
    assert {symbol for symbol, _ in await outcomes(desk)} == {"A"}


async def test_a_listed_symbol_unknown_to_the_vendor_is_unproven(desk: Desk) -> None:
    await list_symbols(desk, "A")
    desk.vendor.answers["five_minute_bars"] = TickerNotFound("404")
    await desk.run(load_batch, BATCH)
    assert set((await outcomes(desk)).values()) == {"unproven"}


async def test_bars_outside_the_grid_are_counted(desk: Desk) -> None:
    await list_symbols(desk, "A")
    desk.vendor.answers["five_minute_bars"] = bars_at((DAY, 192, 5.0), (DAY, 0, 1.0))
    report = await desk.run(load_batch, BATCH)
    assert report.warnings == ("volume_slots: 1 rows set aside (outside_grid)",)


async def test_the_plan_is_batches_of_symbols_that_lack_something(desk: Desk) -> None:
    await list_symbols(desk, *"ABCDEFG")
    parts = (await desk.run(plan_parts)).spawned
    assert [(part.part, part.payload["symbols"]) for part in parts] == [
        ("batch:0001", ["A", "B", "C"]), ("batch:0002", ["D", "E", "F"]), ("batch:0003", ["G"]),
    ]  # fmt: skip


# Proof


async def test_the_proof_covers_the_sessions_that_have_rows_and_counts_what_is_unproven(desk: Desk) -> None:
    await list_symbols(desk, "A")
    desk.vendor.answers["five_minute_bars"] = bars_at((SESSIONS[0], 66, 1.0))
    await desk.run(load_batch, BATCH)
    await desk.pool.execute("DELETE FROM session_slots WHERE trading_date = $1", SESSIONS[1])
    for day, symbol in ((DAY, "A"), (SESSIONS[2], "B")):
        row = "INSERT INTO daily_bar VALUES ($1, $2, 1, 1, 1, 1, 9, 1, 1, 1)"
        await desk.pool.execute(row, day, symbol)
    report = await desk.run(prove)
    outcomes = await desk.pool.fetch("SELECT trading_date, outcome FROM session_slots ORDER BY 1")
    # The third session has bars, none of A: proof that nobody traded it. The fourth has none at all: no proof.
    assert [r["outcome"] for r in outcomes] == ["traded", "no_trades", "unproven", "unproven"]
    assert report.warnings == ("volume_slots: 2 (session, symbol) pairs have no slot and no proof that nobody traded",)
    covered = await desk.pool.fetch("SELECT trading_day FROM coverage WHERE data_set = $1", data_sets.SLOT_PROOF)
    assert {r["trading_day"] for r in covered} == {*SESSIONS} - {SESSIONS[1]}
