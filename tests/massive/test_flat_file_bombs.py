"""What a flat file may cost before it is refused; one that is refused is told, and REST is asked instead."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import TYPE_CHECKING

import pytest

from consumer.massive import flat_file_check
from consumer.massive.flat_file_check import FileBound, check_flat_file
from consumer.massive.flat_files import flat_file_path, read_day_bars, read_minute_slots
from consumer.vendor.errors import BadAnswer
from consumer.vendor.protocol import FlatFileKind
from market.trading_calendar import TradingCalendar

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2026, 7, 15)
HEAD = b"ticker,volume,open,close,high,low,window_start,transactions\n"
OPENS_AT = int(dt.datetime(2026, 7, 15, 13, 30, tzinfo=dt.UTC).timestamp()) * 1_000_000_000
ROW = f"A,100,1,1,1,1,{OPENS_AT},3\n".encode()
SMALL = FileBound(packed=100_000, unpacked=4_000_000, lines=1_000, line=2_000_000, members=64)

BOMBS = {
    "longer than its bound": (ROW * 9_000, "is longer than 100000 bytes"),
    "blanks": (gzip.compress(HEAD + b" " * 5_000_000), "unpacks to more than"),
    "one line": (gzip.compress(HEAD + b" " * 3_500_000), "unpacks to more than"),
    "empty lines": (gzip.compress(HEAD + b"\n" * 1_001), "unpacks to more than"),
    "members": (gzip.compress(HEAD) + gzip.compress(b"") * 99, "more than 64 members"),
    "cut off": (gzip.compress(HEAD + ROW)[:-4], "does not come to its end"),
    "followed by something else": (gzip.compress(HEAD + ROW) + b"more", "something else after its gzip"),
    "no gzip": (HEAD + ROW, "is not the gzip that it says"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = flat_file_path(tmp_path, FlatFileKind.MINUTE, DAY)
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_that_no_market_can_fill_is_refused_before_it_is_read(
    path: Path, bomb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, reason = BOMBS[bomb]
    path.write_bytes(body)
    with pytest.raises(BadAnswer, match=reason):
        check_flat_file(path, SMALL)
    monkeypatch.setattr(flat_file_check, "BOUND", SMALL)
    with pytest.raises(BadAnswer, match=reason):
        read_minute_slots(path, TradingCalendar().session(DAY))
    with pytest.raises(BadAnswer, match=reason):
        read_day_bars(path, DAY)


def test_a_file_of_several_members_is_read_to_its_end(path: Path) -> None:
    path.write_bytes(gzip.compress(HEAD + ROW) + gzip.compress(ROW.replace(b"A,", b"B,")))
    assert read_minute_slots(path, TradingCalendar().session(DAY)).symbols == ["A", "B"]


def test_a_file_that_bgzip_packed_anew_is_read_whole_however_many_members_that_makes(path: Path) -> None:
    packed = [gzip.compress(ROW.replace(b"A,", f"S{n:04},".encode()), compresslevel=1) for n in range(3_000)]
    path.write_bytes(b"".join([gzip.compress(HEAD), *packed, gzip.compress(b"")]))
    check_flat_file(path)
    assert len(read_minute_slots(path, TradingCalendar().session(DAY)).symbols) == 3_000


def test_empty_members_without_end_are_refused(path: Path) -> None:
    path.write_bytes(gzip.compress(HEAD) + gzip.compress(b"") * 20_000)
    with pytest.raises(BadAnswer, match="more than 20000 members"):
        check_flat_file(path)
