"""Every column of the flat files with every extreme that a CSV can hold, sound neighbours between them."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import flat_file_path, read_day_bars
from consumer.tasks.slot_files import load_flat_file
from consumer.vendor.protocol import FlatFileKind
from market.bounded_fields import ENDPOINTS
from tests.extremes.oracle import SYMBOL
from tests.tasks.conftest import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.tasks.conftest import Desk

COLUMNS = ("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions")
MIDNIGHT, TEN = 1762837200_000_000_000, 1762873200_000_000_000  # in New York
EXTREMES = (
    b"", b" ", b"0", b"-0.0", b"-1", b"-7", b"5e-324", b"1e-320", b"1e-9", b"0.5", b"1e12", b"1e13", b"1e30", b"1e308",
    b"1e400", b"NaN", b"nan", b"inf", b"-inf", b"Infinity", b"true", b"abc", b"null", b"2147483647", b"2147483648",
    b"3000000000", b"9007199254740992", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808",
    b"9" * 5_000, b"x" * 100_000, b"\xff", b"1\xff", b"\xed\xa0\x80", b"\x00", b"\t", b'"', b"'", "🦄".encode(), b"[]",
    b"1970-01-01", b"2099-01-01", b"1_000", b"0x10",
)  # fmt: skip


def line(values: Mapping[str, bytes]) -> bytes:
    return b",".join(values[name] for name in COLUMNS)


def spoiled(fields: tuple[str, ...], start: int) -> dict[tuple[str, bytes], dict[str, bytes]]:
    sound = {
        "volume": b"5", "open": b"1.5", "close": b"1.5", "high": b"2", "low": b"0.25", "window_start": b"%d" % start,
        "transactions": b"3",
    }  # fmt: skip
    each = [(field, extreme) for field in fields for extreme in EXTREMES]
    return {one: {"ticker": b"X%d" % at, **sound, one[0]: one[1]} for at, one in enumerate(each)}


def written(path: Path, lines: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"\n".join([",".join(COLUMNS).encode(), *lines, b""])))
    return path


def number(raw: bytes, least: float, most: float, *, whole: bool = False, or_zero: bool = False) -> float | None:
    """The number that *raw* must be read as; None where it must not be kept."""
    grammar = rb"-?\d+" if whole else rb"-?\d+(\.\d+)?(e[+-]?\d+)?"
    if re.fullmatch(grammar, raw) is None:
        return None
    found = float(raw)
    return found if least <= found <= most or (or_zero and found == 0) else None


def symbol(raw: bytes) -> str | None:
    text = raw.decode("utf-8", "replace")
    return text if SYMBOL.fullmatch(text) else None


async def test_every_extreme_of_the_minute_file_is_kept_exactly_or_set_aside(desk: Desk, tmp_path: Path) -> None:
    fields = tuple(ENDPOINTS["minute_file"])
    rows = spoiled(fields, TEN)
    print(f"minute_file: {len(fields)} fields x {len(EXTREMES)} extremes = {len(rows)}")
    lines = [line(row) for row in rows.values()]
    neighbours = [line({**next(iter(rows.values())), "ticker": b"GOOD%d" % at}) for at in range(len(lines))]
    path = flat_file_path(tmp_path, FlatFileKind.MINUTE, DAY)
    written(path, [one for pair in zip(lines, neighbours, strict=True) for one in pair])
    desk.flat_files = LocalFolder(tmp_path)
    await desk.run(load_flat_file, {"session": str(DAY)})
    expected: dict[str, tuple[float, int | None]] = {f"GOOD{at}": (5.0, 3) for at in range(len(lines))}
    lost, without = 0, 0
    for row in rows.values():
        name, volume = symbol(row["ticker"]), number(row["volume"], 1e-6, 1e12, or_zero=True)
        if name is None or volume is None or row["window_start"] != b"%d" % TEN:
            lost += 1
            continue
        trades = number(row["transactions"], 0, 1e9, whole=True)
        without += trades is None
        if volume:
            expected[name] = volume, int(trades) if trades else None  # nobody trades a volume in no trade
    found = await desk.pool.fetch(
        "SELECT symbol, volumes[73] AS ten, trades[73] AS count FROM session_slots WHERE outcome = 'traded'"
    )
    assert {row["symbol"]: (row["ten"], row["count"]) for row in found} == expected
    rejected = await desk.pool.fetchval("SELECT rejected FROM data_load")
    assert rejected.pop("field transactions") == without
    assert sum(rejected.values()) == lost
    named = await desk.pool.fetch(
        "SELECT field, sum(coalesce(evidence ->> 'minutes', evidence -> 'transactions' ->> 'minutes')::integer) "
        "FROM set_aside GROUP BY field ORDER BY field"
    )
    assert [tuple(row) for row in named] == [("transactions", without), (None, lost)]


def test_every_extreme_of_the_day_file_is_kept_exactly_or_set_aside(tmp_path: Path) -> None:
    fields = tuple(ENDPOINTS["day_file"])
    rows = spoiled(fields, MIDNIGHT)
    print(f"day_file: {len(fields)} fields x {len(EXTREMES)} extremes = {len(rows)}")
    lines = [line(row) for row in rows.values()]
    neighbours = [line({**next(iter(rows.values())), "ticker": b"GOOD%d" % at}) for at in range(len(lines))]
    answer = read_day_bars(written(tmp_path / "d.csv.gz", [*lines, *neighbours]), DAY)
    expected = {f"GOOD{at}": (1.5, 2.0, 0.25, 1.5, 5.0, 3) for at in range(len(lines))}
    lost, without = 0, 0
    for row in rows.values():
        name, volume = symbol(row["ticker"]), number(row["volume"], 1e-6, 1e12, or_zero=True)
        open_, high, low, close = (number(row[name], 1e-6, 1e7) for name in ("open", "high", "low", "close"))
        if None in (name, volume, open_, high, low, close) or row["window_start"] != b"%d" % MIDNIGHT:
            lost += 1
            continue
        assert name and volume is not None and open_ and high and low and close
        if not (low <= open_ <= high and low <= close <= high):
            lost += 1
            continue
        trades = number(row["transactions"], 0, 1e9, whole=True)
        without += trades is None
        expected[name] = (open_, high, low, close, volume, trades if trades is None else int(trades))
    assert {r.T: (r.o, r.h, r.l, r.c, r.v, r.n) for r in answer.rows} == expected
    assert sum(one.field is None for one in answer.set_aside) == lost
    assert sum(one.field is not None for one in answer.set_aside) == without
