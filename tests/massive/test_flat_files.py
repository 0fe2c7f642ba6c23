"""The vendor's flat files, small ones made here and the real ones where the folder is."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import (
    FlatFileKind,
    flat_file_path,
    read_day_bars,
    read_minute_slots,
)
from consumer.vendor.errors import BadAnswer, FlatFilesNotInstalled, FlatFilesUnusable, NotYetPublished
from consumer.vendor.rows import Flaw
from market.trading_calendar import NEW_YORK, TradingCalendar

REAL_MARKET = Path(os.environ.get("REAL_MARKET_DIR") or Path(__file__).parents[3] / "shared" / "real-market")
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"

CALENDAR = TradingCalendar()
DAY = dt.date(2026, 7, 15)
SESSION = CALENDAR.session(DAY)


def at(hour: int, minute: int, day: dt.date = DAY) -> int:
    """That New York time in nanoseconds, as the vendor's files give it."""
    return int(dt.datetime.combine(day, dt.time(hour, minute), NEW_YORK).timestamp()) * 1_000_000_000


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))
    return path


def minute(ticker: str, volume: object, start: object) -> str:
    return f"{ticker},{volume},1,1,1,1,{start},3"


def test_the_layout_is_the_vendors() -> None:
    path = flat_file_path(Path("/flat"), FlatFileKind.MINUTE, DAY)
    assert path == Path("/flat/us_stocks_sip/minute_aggs_v1/2026/07/2026-07-15.csv.gz")


def test_minutes_add_up_in_their_slots_and_case_makes_two_symbols(tmp_path: Path) -> None:
    file = written(
        tmp_path / "m.csv.gz",
        minute("BACpB", "0.25", at(4, 0)),
        minute("BACpB", "1.5", at(4, 4)),
        minute("BACPB", "7", at(4, 5)),
        minute("A", "9", at(16, 0)),
        minute("A", "2", at(19, 59)),
    )
    slots = read_minute_slots(file, SESSION)
    assert slots.symbols == ["A", "BACPB", "BACpB"]
    assert slots.volumes.shape == (3, 192)
    assert (slots.volumes[2, 0], slots.volumes[1, 1], slots.volumes[0, 144], slots.volumes[0, 191]) == (1.75, 7, 9, 2)
    assert slots.volumes.sum() == 19.75
    assert slots.rejected == {}


@pytest.mark.parametrize(
    ("row", "flaw"),
    [
        (minute("A", 5, at(3, 59)), Flaw.OUTSIDE_GRID),
        (minute("A", 5, at(20, 0)), Flaw.OUTSIDE_GRID),
        (minute("A", "-5", at(10, 0)), Flaw.VOLUME),
        (minute("A", "NaN", at(10, 0)), Flaw.VOLUME),
        (minute("A", "inf", at(10, 0)), Flaw.VOLUME),
        (minute("A", "many", at(10, 0)), Flaw.UNDECODABLE),
        (minute("A", "", at(10, 0)), Flaw.UNDECODABLE),
        (minute("A", 5, "noon"), Flaw.UNDECODABLE),
        (minute("", 5, at(10, 0)), Flaw.UNDECODABLE),
        ("A,5", Flaw.UNDECODABLE),
        (minute("\0A", 5, at(10, 0)), Flaw.SYMBOL),
        (minute("A B", 5, at(10, 0)), Flaw.SYMBOL),
        (minute("GOOD", 1, at(9, 30)), Flaw.DUPLICATE),
    ],
)
def test_rows_that_cannot_be_used_are_counted(tmp_path: Path, row: str, flaw: Flaw) -> None:
    slots = read_minute_slots(written(tmp_path / "m.csv.gz", minute("GOOD", 2, at(9, 30)), row), SESSION)
    assert slots.symbols == ["GOOD"]
    assert slots.volumes.sum() == 2.0
    assert slots.rejected == {flaw: 1}


def test_a_symbol_that_reads_like_a_missing_value_is_a_symbol(tmp_path: Path) -> None:
    file = written(
        tmp_path / "m.csv.gz", *(minute(symbol, 1, at(10, 0)) for symbol in ("NA", "NAN", "NULL", "TRUE", "1"))
    )
    assert read_minute_slots(file, SESSION).symbols == ["1", "NA", "NAN", "NULL", "TRUE"]


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    file = written(tmp_path / "m.csv.gz", f"{at(4, 0)},3,A", header="window_start,volume,ticker")
    assert read_minute_slots(file, SESSION).volumes[0, 0] == 3.0


def test_a_file_of_a_quiet_day_is_empty_and_no_error(tmp_path: Path) -> None:
    slots = read_minute_slots(written(tmp_path / "m.csv.gz"), SESSION)
    assert (slots.symbols, slots.volumes.shape) == ([], (0, 192))


def test_a_file_of_another_day_is_a_bad_answer(tmp_path: Path) -> None:
    other = dt.date(2026, 7, 14)
    minutes = written(tmp_path / "m.csv.gz", minute("A", 1, at(10, 0, other)))
    with pytest.raises(BadAnswer, match="not one bar"):
        read_minute_slots(minutes, SESSION)
    with pytest.raises(BadAnswer, match="not one sound bar"):
        read_day_bars(minutes, DAY)


GOOD_FILE = gzip.compress("\n".join([HEADER, *(minute(f"T{i}", i, at(10, 0)) for i in range(2000))]).encode())


@pytest.mark.parametrize(
    "content",
    [
        GOOD_FILE[: len(GOOD_FILE) // 2],
        GOOD_FILE[:-8],
        GOOD_FILE[: len(GOOD_FILE) // 2] + b"\0\0\0\0" + GOOD_FILE[len(GOOD_FILE) // 2 + 4 :],
        b"",
        gzip.compress(b""),
        b"<html>denied</html>",
        gzip.compress(b"a,b\n1,2\n"),
    ],
    ids=["half", "no checksum", "overwritten", "empty", "empty inside", "html", "other columns"],
)
def test_a_broken_file_is_a_bad_answer_as_a_whole(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "m.csv.gz"
    file.write_bytes(content)
    with pytest.raises(BadAnswer, match=r"m\.csv\.gz"):
        read_minute_slots(file, SESSION)
    with pytest.raises(BadAnswer, match=r"m\.csv\.gz"):
        read_day_bars(file, DAY)


async def test_a_missing_file_is_not_published_yet(tmp_path: Path) -> None:
    (tmp_path / "us_stocks_sip").mkdir()
    folder = LocalFolder(tmp_path)
    assert await folder.versions(FlatFileKind.MINUTE, [DAY]) == {}
    with pytest.raises(NotYetPublished, match=r"2026-07-15\.csv\.gz"):
        await folder.fetch(FlatFileKind.DAY, DAY)


async def test_a_folder_of_another_layout_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(FlatFilesUnusable, match="MASSIVE_FLAT_FILES"):
        await LocalFolder(tmp_path).fetch(FlatFileKind.MINUTE, DAY)


async def test_files_are_read_from_the_vendors_layout(tmp_path: Path) -> None:
    written(flat_file_path(tmp_path, FlatFileKind.MINUTE, DAY), minute("A", 3, at(4, 0)))
    written(flat_file_path(tmp_path, FlatFileKind.DAY, DAY), f"A,3.5,1,2,3,0.5,{at(0, 0)},7")
    folder = LocalFolder(tmp_path)
    assert read_minute_slots((await folder.fetch(FlatFileKind.MINUTE, DAY)).path, SESSION).volumes[0, 0] == 3.0
    (row,) = read_day_bars((await folder.fetch(FlatFileKind.DAY, DAY)).path, DAY).rows
    assert (row.T, row.v, row.o, row.c, row.h, row.l) == ("A", 3.5, 1.0, 2.0, 3.0, 0.5)


def test_a_day_file_is_held_to_the_rules_of_the_rest_answer(tmp_path: Path) -> None:
    midnight = at(0, 0)
    file = written(
        tmp_path / "d.csv.gz",
        f"A,3.5,1,2,3,0.5,{midnight},7",
        f"B,3.5,1,2,1e12,0.5,{midnight},7",
        f"C,many,1,2,3,0.5,{midnight},7",
        f"A,9,1,2,3,0.5,{midnight},7",
    )
    answer = read_day_bars(file, DAY)
    assert [(row.T, row.v) for row in answer.rows] == [("A", 9.0)]
    assert answer.rejected == {Flaw.PRICE: 1, Flaw.UNDECODABLE: 1, Flaw.DUPLICATE: 1}


def test_without_polars_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.delitem(sys.modules, "consumer.massive.flat_file_tables", raising=False)
    with pytest.raises(FlatFilesNotInstalled, match=r"pip install 'data-maintenance\[flat-files\]'"):
        read_minute_slots(tmp_path / "m.csv.gz", SESSION)


def real_files(kind: FlatFileKind) -> list[Path]:
    return sorted((REAL_MARKET / "us_stocks_sip" / f"{kind.value}_aggs_v1").rglob("*.csv.gz"))


def day_of(file: Path) -> dt.date:
    return dt.date.fromisoformat(file.name.removesuffix(".csv.gz"))


needs_real_market = pytest.mark.skipif(not REAL_MARKET.is_dir(), reason=f"no real market data in {REAL_MARKET}")


@needs_real_market
def test_real_minutes_equal_a_calculation_by_hand() -> None:
    for file in real_files(FlatFileKind.MINUTE):
        day = day_of(file)
        by_hand: defaultdict[tuple[str, int], float] = defaultdict(float)
        with gzip.open(file, "rt") as lines:
            for row in csv.DictReader(lines):
                local = dt.datetime.fromtimestamp(int(row["window_start"]) // 1_000_000_000, NEW_YORK)
                assert local.date() == day
                by_hand[row["ticker"], ((local.hour - 4) * 60 + local.minute) // 5] += float(row["volume"])
        slots = read_minute_slots(file, CALENDAR.session(day))
        assert slots.rejected == {}
        assert slots.symbols == sorted({symbol for symbol, _ in by_hand})
        read = {
            (slots.symbols[row], int(slot)): slots.volumes[row, slot] for row, slot in np.argwhere(slots.volumes > 0)
        }
        assert read == {cell: volume for cell, volume in by_hand.items() if volume > 0}


@needs_real_market
def test_real_days_equal_the_file_row_by_row() -> None:
    for file in real_files(FlatFileKind.DAY):
        with gzip.open(file, "rt") as lines:
            by_hand = {
                row["ticker"]: tuple(float(row[name]) for name in ("open", "high", "low", "close", "volume"))
                for row in csv.DictReader(lines)
            }
        answer = read_day_bars(file, day_of(file))
        assert answer.rejected == {}
        assert {row.T: (row.o, row.h, row.l, row.c, row.v) for row in answer.rows} == by_hand


@needs_real_market
def test_the_real_market_folder_was_found_whole() -> None:
    assert (len(real_files(FlatFileKind.MINUTE)), len(real_files(FlatFileKind.DAY))) == (9, 83)
