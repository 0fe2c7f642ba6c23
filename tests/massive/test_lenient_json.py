"""What reading a spoiled body costs: its length, and not the square of it."""

from __future__ import annotations

import contextlib
import gc
import time

import pytest

from consumer.massive import lenient_json
from consumer.massive.lenient_json import NoJson, UnreadableRow, read_rows

LISTED = b'{"T":"AAA","o":1,"x":[]},'
SPOILED = b'{"T":x},'
SHAPES = {
    "each row with a list, one of them spoiled": lambda count: LISTED * count + SPOILED + LISTED * count,
    "each row spoiled": lambda count: SPOILED * 3 * count,
    "ends of lists and no end": lambda count: b"x" + b'],"a":[' * 5 * count,
    "braces and blanks": lambda count: (b"}" + b" " * 30) * count,
}


def seconds_for(rows: bytes) -> float:
    """Of this process, whatever others do beside it; without the collector, which would walk the suite's whole heap."""
    body = b'{"results":[' + rows + b"{}]}"
    gc.disable()
    try:
        began = time.process_time()
        with contextlib.suppress(NoJson):
            read_rows(body)
        return time.process_time() - began
    finally:
        gc.enable()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_spoiled_body_eight_times_as_long_costs_no_more_than_some_eight_times(shape: str) -> None:
    """The square would be 64 times. A core that is shared slows one reading and not each of ten."""
    rows = SHAPES[shape]
    short = min(seconds_for(rows(1_000)) for _ in range(3))
    assert any(seconds_for(rows(8_000)) < 24 * short + 0.05 for _ in range(10))


def test_python_s_decoder_is_shown_a_window_of_each_spoiled_row_and_seldom_the_whole_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = 0
    read = lenient_json._value

    def counted(text: str, at: int, stop: int) -> tuple[object, int] | None:
        nonlocal shown
        shown += stop - at
        return read(text, at, stop)

    monkeypatch.setattr(lenient_json, "_value", counted)
    count = 8_000
    rows = SPOILED * count
    read_rows(b'{"results":[' + rows + b"{}]}")
    assert shown < count * 17_000 + 101 * len(rows)


def test_a_row_is_read_however_long_it_is_and_whatever_it_has_in_it() -> None:
    within = b'{"T":"B","within":{"T":"C"},"name":"' + b"n" * 50_000 + b'"}'
    _, rows = read_rows(b'{"results":[' + b",".join([b'{"T":x}', within, within, b'{"T":"D"}', b"17"]) + b"]}")
    assert rows[0] == UnreadableRow('{"T":x}')
    assert [row["within"] for row in rows[1:3]] == [{"T": "C"}] * 2
    assert rows[3:] == [{"T": "D"}, 17]
