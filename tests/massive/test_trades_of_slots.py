"""Holds the two ways to a session's slots to one another: a file and answers tell the same trades, or none."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.massive.envelope import Envelope, Page, PageReader
from consumer.massive.flat_files import FlatFileKind, read_minute_slots
from consumer.massive.range_bars import gather_bars, window_of
from consumer.massive.wire_rows import RangeRow
from market.trading_calendar import NEW_YORK
from market.volume_slots import UNKNOWN_TRADES, bin_volumes, slot_start_ms
from tests.massive.test_flat_files import CALENDAR, DAY, HEADER, SESSION, day_of, needs_real_market, real_files, written

if TYPE_CHECKING:
    from pathlib import Path

START_MS = slot_start_ms(SESSION)
WINDOW = window_of("A", DAY, DAY)
U = UNKNOWN_TRADES

# What stands in a file and an answer: minute, shares, trades. A minute may stand twice.
ROWS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(st.just(0.0), st.sampled_from([1.0, 2.5, 64.25, 1e9])),
        st.one_of(st.none(), st.sampled_from([0, 1, 2, 700, 10**9, -1, 10**9 + 1])),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_a_file_and_an_answer_of_the_same_bars_have_the_same_slots_and_trades(
    tmp_path: Path, rows: list[tuple[int, float, int | None]]
) -> None:
    lines = [
        f"A,{volume!r},1,1,1,1,{(START_MS + minute * 60_000) * 1_000_000},{'' if count is None else count}"
        for minute, volume, count in rows
    ]
    file = read_minute_slots(written(tmp_path / "m.csv.gz", *lines), SESSION)
    bars = [RangeRow(t=START_MS + minute * 60_000, v=volume, n=count) for minute, volume, count in rows]
    envelope: Envelope[None] = Envelope(ticker="A")
    answer = gather_bars([Page(envelope=envelope, rows=bars)], WINDOW)
    binned = bin_volumes(answer.timestamps_ms, answer.volumes, np.array([START_MS]), answer.trades)
    assert file.trades is not None
    assert binned.trades is not None
    assert file.volumes.tolist() == binned.volumes.tolist()
    assert file.trades.tolist() == binned.trades.tolist()

    by_minute: dict[int, tuple[float, int]] = {}
    for minute, volume, count in rows:
        known = count if count is not None and 0 <= count <= 10**9 else U
        before = by_minute.get(minute, (0.0, U))
        by_minute[minute] = max(before[0], volume), max(before[1], known)
    for slot in range(9):
        own = [by_minute[minute] for minute in range(slot * 5, slot * 5 + 5) if minute in by_minute]
        silent = any(volume > 0 and count <= 0 for volume, count in own)
        total = sum(max(count, 0) for _, count in own)
        assert file.trades[0, slot] == (U if silent or total > 10**9 else total)


def test_a_count_of_trades_that_cannot_be_costs_itself_alone_and_is_named() -> None:
    body = (
        b'{"ticker":"A","results":['
        b'{"t":%d,"v":5,"n":-3},{"t":%d,"v":5,"n":2000000000},{"t":%d,"v":5,"n":1.5},{"t":%d,"v":5,"n":4}]}'
        % tuple(START_MS + slot * 300_000 for slot in range(4))
    )
    reader: PageReader[RangeRow] = PageReader(RangeRow, msgspec.json.Decoder(Envelope[list[RangeRow]]).decode)
    bars = gather_bars([reader.read(body)], WINDOW)
    assert bars.volumes.tolist() == [5.0] * 4
    assert bars.trades is not None
    assert bars.trades.tolist() == [U, U, U, 4]
    assert bars.rejected == {"field n": 3}
    assert {(one.symbol, one.field) for one in bars.set_aside} == {("A", "n")}


def test_a_file_without_the_column_has_its_volumes_and_no_word_about_trades(tmp_path: Path) -> None:
    rows = (f"{(START_MS + minute * 60_000) * 1_000_000},3,A" for minute in range(3))
    file = read_minute_slots(written(tmp_path / "m.csv.gz", *rows, header="window_start,volume,ticker"), SESSION)
    assert file.volumes[0, 0] == 9.0
    assert file.trades is None or file.trades[0, 0] == U
    assert (file.rejected, file.set_aside) == ({}, ())


@needs_real_market
def test_real_minutes_whose_source_counts_no_trades_have_unknown_ones() -> None:
    """The folder says 0 of every bar: its source has no counts."""
    files = real_files(FlatFileKind.MINUTE)
    assert files
    for file in files:
        slots = read_minute_slots(file, CALENDAR.session(day_of(file)))
        assert slots.trades is not None
        assert (slots.trades[slots.volumes > 0] == U).all()
        assert (slots.trades[slots.volumes == 0] <= 0).all()
        assert slots.rejected == {}


@needs_real_market
def test_counts_put_into_real_minutes_add_up_as_by_hand(tmp_path: Path) -> None:
    """Each real minute is given a count of the test's own; of every 500th it stays what it was, nothing."""
    for file in real_files(FlatFileKind.MINUTE)[::2]:
        day, by_hand, silent = day_of(file), defaultdict[tuple[str, int], int](int), set[tuple[str, int]]()
        lines = []
        with gzip.open(file, "rt") as text:
            for number, row in enumerate(csv.DictReader(text)):
                local = dt.datetime.fromtimestamp(int(row["window_start"]) // 1_000_000_000, NEW_YORK)
                cell = row["ticker"], ((local.hour - 4) * 60 + local.minute) // 5
                count = 0 if number % 500 == 7 else 1 + number * 7919 % 1_000
                by_hand[cell] += count
                if count == 0 and float(row["volume"]) > 0:
                    silent.add(cell)
                lines.append(",".join([*(row[name] for name in HEADER.split(",")[:-1]), str(count)]))
        slots = read_minute_slots(written(tmp_path / file.name, *lines), CALENDAR.session(day))
        assert slots.trades is not None
        assert silent
        place = {symbol: number for number, symbol in enumerate(slots.symbols)}
        for (symbol, slot), total in by_hand.items():
            assert slots.trades[place[symbol], slot] == (U if (symbol, slot) in silent else total), (day, symbol, slot)


@pytest.mark.parametrize("trades", [None, 0])
def test_an_answer_without_counts_is_a_sound_answer(trades: int | None) -> None:
    envelope: Envelope[None] = Envelope(ticker="A")
    answer = gather_bars([Page(envelope=envelope, rows=[RangeRow(t=START_MS, v=5.0, n=trades)])], WINDOW)
    binned = bin_volumes(answer.timestamps_ms, answer.volumes, np.array([START_MS]), answer.trades)
    assert binned.trades is not None
    assert (binned.volumes[0, 0], binned.trades[0, 0], answer.rejected) == (5.0, U, {})
