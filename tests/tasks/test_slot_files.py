"""Sessions that have a flat file are read from it, the others are asked for by REST; a replaced file is read again."""

from __future__ import annotations

import datetime as dt
import gzip
import os
from typing import TYPE_CHECKING, Any

import pytest

from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import flat_file_path
from consumer.tasks.slot_files import load_flat_file
from consumer.tasks.volume_slots import plan_parts
from consumer.vendor.protocol import FlatFileKind
from market.trading_calendar import NEW_YORK
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tasks.conftest import Desk

SESSIONS = CALENDAR.last_trading_days(5, up_to=DAY)
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"
T_MINUS_1 = SESSIONS[-2]


@pytest.fixture
def folder(desk: Desk, tmp_path: Path) -> Path:
    desk.flat_files = LocalFolder(tmp_path)
    (tmp_path / "us_stocks_sip").mkdir()
    return tmp_path


def publish(folder: Path, day: dt.date, **volumes: float) -> None:
    """Write the day's file: one minute a symbol, 09:30."""
    start = int(dt.datetime.combine(day, dt.time(9, 30), NEW_YORK).timestamp()) * 1_000_000_000
    rows = [f"{symbol},{volume},1,1,1,1,{start},3" for symbol, volume in volumes.items()]
    path = flat_file_path(folder, FlatFileKind.MINUTE, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows, ""]).encode()))


async def list_symbols(desk: Desk, *symbols: str) -> None:
    await desk.pool.executemany(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at) VALUES ($1, true, $2, $3, $3)",
        [(symbol, DAY, NOW) for symbol in symbols],
    )


async def planned(desk: Desk) -> list[str]:
    return [part.part for part in (await desk.run(plan_parts)).spawned]


async def load(desk: Desk, day: dt.date, **payload: Any) -> Any:
    return await desk.run(load_flat_file, {"session": day.isoformat(), **payload}, part=f"file:{day}")


async def outcomes(desk: Desk, day: dt.date) -> dict[str, str]:
    rows = await desk.pool.fetch("SELECT symbol, outcome FROM session_slots WHERE trading_date = $1", day)
    return {row["symbol"]: row["outcome"] for row in rows}


async def test_older_sessions_come_from_their_files_and_the_day_itself_by_rest(desk: Desk, folder: Path) -> None:
    await list_symbols(desk, "A", "B")
    for day in SESSIONS[:-1]:
        publish(folder, day, A=1.0)
    assert await planned(desk) == [*(f"file:{day}" for day in SESSIONS[:-1]), "batch:0001"]


async def test_a_session_without_a_file_is_asked_for_by_rest(desk: Desk, folder: Path) -> None:
    await list_symbols(desk, "A")
    publish(folder, T_MINUS_1, A=1.0)
    assert await planned(desk) == [f"file:{T_MINUS_1}", "batch:0001"]


async def test_a_file_gives_an_outcome_to_each_symbol_listed_or_traded(desk: Desk, folder: Path) -> None:
    await list_symbols(desk, "A", "QUIET", "BACpB", "IBO")
    publish(folder, T_MINUS_1, A=1.0, UNLISTED=2.0, ZVZZT=9.0, BACPB=3.0, IBO=4.0)
    await load(desk, T_MINUS_1)
    assert await outcomes(desk, T_MINUS_1) == {
        "A": "traded", "QUIET": "no_trades", "UNLISTED": "traded", "BACpB": "traded", "IBO": "traded",
    }  # fmt: skip
    assert await desk.pool.fetchval("SELECT rejected FROM data_load") == {"test_issue": 1}


async def test_an_empty_file_is_no_proof_that_nobody_traded(desk: Desk, folder: Path) -> None:
    await list_symbols(desk, "A")
    publish(folder, T_MINUS_1)
    report = await load(desk, T_MINUS_1)
    assert report.warnings[0].endswith("the minute file of 2025-11-10 is empty, which is a trading day")
    assert [part.part for part in report.spawned] == ["plan:rest"]
    assert await outcomes(desk, T_MINUS_1) == {}


async def test_a_replaced_file_is_planned_again_and_the_difference_is_kept(desk: Desk, folder: Path) -> None:
    await list_symbols(desk, "A", "B")
    for day in SESSIONS:
        publish(folder, day, A=1.0, B=2.0)
        await load(desk, day)
    assert await planned(desk) == []
    publish(folder, T_MINUS_1, A=1.0, B=5.0)
    os.utime(flat_file_path(folder, FlatFileKind.MINUTE, T_MINUS_1), ns=(1, 1))

    assert await planned(desk) == [f"file:{T_MINUS_1}"]
    report = await load(desk, T_MINUS_1, replaced=True)
    assert report.warnings == (f"slots {T_MINUS_1}: the vendor replaced the flat file, 1 rows differ",)
    kept = await desk.pool.fetchrow("SELECT symbol, before, after FROM restatement")
    assert (kept["symbol"], kept["before"], kept["after"]) == ("B", {"66": 2.0}, {"66": 5.0})
    assert await planned(desk) == []


async def test_a_folder_of_something_else_is_told_with_the_cure_and_rest_is_asked(desk: Desk, tmp_path: Path) -> None:
    desk.flat_files = LocalFolder(tmp_path)
    await list_symbols(desk, "A")
    report = await desk.run(plan_parts)
    assert [part.part for part in report.spawned] == ["batch:0001"]
    (warning,) = report.warnings
    assert warning.endswith("Check MASSIVE_FLAT_FILES")
