"""Holds the recheck to: evidence settles a finding for one side, for the other, or not at all; rows one by one."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import flat_file_path
from consumer.postgres import bars, coverage, findings
from consumer.postgres.coverage import Load
from consumer.postgres.findings import Contested, KeptFinding, Report, State
from consumer.postgres.ledger import PartId
from consumer.tasks.recheck import recheck
from consumer.vendor.errors import BadAnswer, EndpointNotFound, NotEntitled, ProviderUnavailable, VendorError
from consumer.vendor.protocol import FlatFileKind
from consumer.vendor.rows import DailyRow
from contract import data_sets
from market.contradiction import IMPLAUSIBLE
from market.findings import Finding, Kind
from tests.tasks.conftest import DAY, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tasks.conftest import Desk

SYMBOLS = [f"S{number:03}" for number in range(130)]
SESSION = {"session": DAY.isoformat()}
AT_MS = int(dt.datetime(2025, 11, 11, 21, tzinfo=dt.UTC).timestamp() * 1000)


def row(symbol: str, close: float = 10.0, volume: float = 50_000.0) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close * 1.01, l=close * 0.99, c=close, v=volume, t=AT_MS)


async def stand(desk: Desk, rows: list[DailyRow], day: dt.date = DAY) -> None:
    async with desk.pool.acquire() as connection, connection.transaction():
        load = Load(fence=1, source="massive:rest", fetched_at=desk.now, rows=len(rows))
        loaded = await coverage.record_load(connection, PartId(cycle_id=1, task="test", part="bars"), load)
        await bars.replace_bars(connection, day, rows, load_id=loaded.load_id)
        await coverage.record_coverage(connection, data_sets.DAILY_BARS, day, loaded)


async def open_finding(desk: Desk, kind: Kind, symbols: tuple[str, ...] = (), aside: Contested | None = None) -> None:
    async with desk.pool.acquire() as connection:
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            DAY,
            Report(
                finding=Finding(kind=kind, reason="seen", symbols=symbols),
                load_id=9,
                now=NOW,
                contested=aside,
                contested_at=None if aside is None else NOW,
            ),
        )


async def checked(desk: Desk, told: Any) -> KeptFinding:
    desk.vendor.answers["daily_bar"] = lambda symbol, _day: told(symbol)
    await desk.run(recheck, SESSION)
    (found,) = await findings.find(desk.pool, settled=True)
    return found


async def closes(desk: Desk) -> dict[str, float]:
    return {r["symbol"]: r["close"] for r in await desk.pool.fetch("SELECT symbol, close FROM daily_bar")}


async def test_thirty_symbols_that_agree_with_what_stands_clear_a_finding(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.PRICES)
    found = await checked(desk, row)
    assert (found.state, found.settled_by) == (State.CLEARED, "massive:custom_bars")
    assert found.settled_reason == "30 rows of massive:custom_bars agree with what stands"
    assert len(desk.vendor.asked) == 30


async def test_evidence_that_agrees_with_neither_leaves_it_open_and_says_what_was_seen(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.CONTRADICTED, aside=Contested(rows=[row(symbol, 30.0) for symbol in SYMBOLS]))
    found = await checked(desk, lambda symbol: row(symbol, 20.0))
    assert (found.state, found.rechecked_at) == (State.OPEN, NOW)
    assert found.evidence["recheck"] == {
        "source": "massive:custom_bars", "compared": 30, "agree_with_what_stands": 0.0, "agree_with_the_other": 0.0,
    }  # fmt: skip
    await desk.run(recheck, SESSION)
    assert len(desk.vendor.asked) == 30, "once a due time"


async def test_evidence_for_the_other_answer_takes_it_and_makes_figures_stale(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.CONTRADICTED, aside=Contested(rows=[row(symbol, 30.0) for symbol in SYMBOLS]))
    found = await checked(desk, lambda symbol: row(symbol, 30.0))
    assert found.state is State.CLEARED
    assert set((await closes(desk)).values()) == {30.0}
    assert await coverage.newest(desk.pool, data_sets.TAKEN) == NOW
    assert {r["load_id"] for r in await desk.pool.fetch("SELECT load_id FROM daily_bar")} == {9}
    kept = await desk.pool.fetch("SELECT before, after FROM restatement")
    assert {(one["before"]["close"], one["after"]["close"], len(kept)) for one in kept} == {(10.0, 30.0, len(SYMBOLS))}


async def test_rows_are_settled_one_by_one_and_only_when_each_agrees_with_one_side(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    named = ("S000", "S001", "S002")
    await open_finding(desk, Kind.ROWS, named, Contested(rows=[row("S000", 30.0), row("S001", 30.0)], gone=["S002"]))
    truth: dict[str, DailyRow | None] = {"S000": row("S000", 30.0), "S001": row("S001", 77.0), "S002": None}
    found = await checked(desk, truth.get)
    assert (found.state, len(desk.vendor.asked)) == (State.OPEN, 3)
    desk.now += dt.timedelta(days=1)
    truth["S001"] = row("S001")
    await desk.pool.execute("UPDATE session_finding SET rechecked_at = NULL")
    found = await checked(desk, truth.get)
    assert found.state is State.CLEARED
    after = await closes(desk)
    assert (after["S000"], after["S001"], "S002" in after, after["S003"]) == (30.0, 10.0, False, 10.0)


async def test_symbols_that_have_no_bar_by_either_way_agree(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS[20:]])
    await open_finding(desk, Kind.EXCHANGE, tuple(SYMBOLS[:20]))
    assert (await checked(desk, lambda _symbol: None)).state is State.CLEARED


async def test_symbols_that_another_way_has_are_missing(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS[20:]])
    await open_finding(desk, Kind.EXCHANGE, tuple(SYMBOLS[:20]))
    assert (await checked(desk, row)).state is State.OPEN


async def test_a_vendor_that_is_away_settles_nothing_and_is_asked_again(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.PRICES)
    with pytest.raises(ProviderUnavailable):
        await checked(desk, lambda _symbol: ProviderUnavailable("gone"))
    assert (await findings.find(desk.pool))[0].rechecked_at is None


@pytest.mark.parametrize("refusal", [NotEntitled("no"), EndpointNotFound("no such path"), BadAnswer("another's")])
async def test_a_vendor_without_custom_bars_settles_nothing_and_the_plan_comes_to_an_end(
    desk: Desk, refusal: VendorError
) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.PRICES)
    found = await checked(desk, lambda _symbol: refusal)
    assert (found.state, found.rechecked_at) == (State.OPEN, NOW)


async def test_the_days_file_speaks_for_the_whole_market_where_it_is_out(desk: Desk, tmp_path: Path) -> None:
    pytest.importorskip("polars")
    path = flat_file_path(tmp_path, FlatFileKind.DAY, DAY)
    path.parent.mkdir(parents=True)
    lines = ["ticker,volume,open,close,high,low,window_start,transactions"]
    start = int(dt.datetime(2025, 11, 11, 5, tzinfo=dt.UTC).timestamp()) * 1_000_000_000
    lines += [f"{symbol},50000,30,30,30.3,29.7,{start},10" for symbol in SYMBOLS]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    desk.flat_files = LocalFolder(tmp_path)
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.CONTRADICTED, aside=Contested(rows=[row(symbol, 30.0) for symbol in SYMBOLS]))
    found = await checked(desk, lambda _symbol: None)
    assert found.settled_reason == "130 rows of massive:flat_files agree with the answer that was kept aside"
    assert desk.vendor.asked == []


async def test_evidence_about_a_final_session_tells_volumes_apart_that_differ_by_half(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    corrected = [row(symbol, volume=80_000.0) for symbol in SYMBOLS]
    await open_finding(desk, Kind.CONTRADICTED, tuple(SYMBOLS[:20]), Contested(rows=corrected))
    found = await checked(desk, lambda symbol: row(symbol, volume=80_000.0))
    assert found.settled_reason == "20 rows of massive:custom_bars agree with the answer that was kept aside"


async def test_custom_bars_do_not_put_a_market_that_its_neighbours_deny_in_place_of_one_that_stands(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    async with desk.pool.acquire() as connection:
        objected = Finding(kind=Kind.CONTRADICTED, reason="seen", evidence={IMPLAUSIBLE: {"prices_off": {}}})
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            DAY,
            Report(
                finding=objected,
                load_id=9,
                now=NOW,
                contested=Contested(rows=[row(symbol, 1000.0) for symbol in SYMBOLS]),
                contested_at=NOW,
            ),
        )
    found = await checked(desk, lambda symbol: row(symbol, 1000.0))
    assert (found.state, found.evidence["recheck"]["agree_with_the_other"]) == (State.OPEN, 1.0)
    assert set((await closes(desk)).values()) == {10.0}


async def test_where_the_neighbours_deny_both_custom_bars_may_speak_for_the_other_answer(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.PRICES)
    async with desk.pool.acquire() as connection:
        objected = Finding(kind=Kind.CONTRADICTED, reason="seen", evidence={IMPLAUSIBLE: {"prices_off": {}}})
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            DAY,
            Report(
                finding=objected,
                load_id=9,
                now=NOW,
                contested=Contested(rows=[row(symbol, 30.0) for symbol in SYMBOLS]),
                contested_at=NOW,
            ),
        )
    desk.vendor.answers["daily_bar"] = lambda symbol, _day: row(symbol, 30.0)
    await desk.run(recheck, SESSION)
    assert [one.state for one in await findings.find(desk.pool, settled=True)] == [State.CLEARED] * 2
    assert set((await closes(desk)).values()) == {30.0}


async def test_another_answer_that_is_kept_aside_is_held_against_evidence_of_its_own(desk: Desk) -> None:
    await stand(desk, [row(symbol) for symbol in SYMBOLS])
    await open_finding(desk, Kind.CONTRADICTED, aside=Contested(rows=[row(symbol, 30.0) for symbol in SYMBOLS]))
    await checked(desk, lambda symbol: row(symbol, 20.0))
    async with desk.pool.acquire() as connection:
        await findings.report(
            connection,
            data_sets.DAILY_BARS,
            DAY,
            Report(
                finding=Finding(kind=Kind.CONTRADICTED, reason="seen"),
                load_id=10,
                now=NOW,
                contested=Contested(rows=[row(symbol, 20.0) for symbol in SYMBOLS]),
                contested_at=NOW + dt.timedelta(minutes=20),
            ),
        )
    found = await checked(desk, lambda symbol: row(symbol, 20.0))
    assert found.state is State.CLEARED
    assert set((await closes(desk)).values()) == {20.0}
