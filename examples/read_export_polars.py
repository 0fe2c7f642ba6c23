"""Reads what `maintenance export` has written with polars, and checks it: every row, of every file.

    python examples/read_export_polars.py DIR [SYMBOL]

Each file says of what it is under the key `maintenance` of its metadata, with a SHA-256 of its rows that anybody can
compute again (docs/export.md). Exits 1 where a file holds others. Needs polars and numpy, nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator


def bytes_of(series: pl.Series) -> Iterator[bytes]:
    """The bytes of a column, as docs/export.md says."""
    match series.dtype:
        case pl.List():
            yield np.array([-1 if one is None else len(one) for one in series], "<i4").tobytes()
            yield from bytes_of(series.filter(series.list.len() > 0).explode())
        case pl.String():
            texts = [None if one is None else one.encode() for one in series]
            yield np.array([-1 if one is None else len(one) for one in texts], "<i4").tobytes()
            yield b"".join(one for one in texts if one is not None)
        case _:
            yield series.is_null().to_numpy().astype("u1").tobytes()
            values = series.to_physical().fill_null(False if series.dtype == pl.Boolean() else 0).to_numpy()
            yield values.astype(values.dtype.newbyteorder("<")).tobytes()


def is_as_it_says(file: Path) -> bool:
    """Whether the rows of *file* are those that it says."""
    about = json.loads(pl.read_parquet_metadata(file)["maintenance"])
    frame = pl.read_parquet(file, hive_partitioning=False)
    digest = hashlib.sha256(b"".join(part for series in frame for part in bytes_of(series))).hexdigest()
    return bool((frame.height, digest) == (about["rows"], about["sha256"]))


def show(folder: Path, symbol: str) -> None:
    """What a reader may want: how sound each session is, a symbol's bars, and its volume at the open."""
    for file in sorted(folder.glob("daily_bars/*/part.parquet")):
        about = json.loads(pl.read_parquet_metadata(file)["maintenance"])
        print(about["trading_day"], about["state"], f"{about['rows']:,} bars")
    bars = pl.scan_parquet(folder / "daily_bars/**/*.parquet", hive_partitioning=True)
    print(bars.filter(pl.col("symbol") == symbol).select("trading_date", "close", "volume").collect())
    slots = pl.scan_parquet(folder / "volume_slots/**/*.parquet", hive_partitioning=True)
    at_the_open = pl.col("volumes").list.get(66).alias("09:30 to 09:35")
    print(slots.filter(pl.col("symbol") == symbol).select("trading_date", "outcome", at_the_open).collect())


def main() -> int:
    folder, symbol = Path(sys.argv[1]), (sys.argv[2:] or ["AAPL"])[0]
    show(folder, symbol)
    files = sorted(folder.rglob("*.parquet"))
    wrong = [file for file in files if not is_as_it_says(file)]
    for file in wrong:
        print(f"{file} holds other rows than it says")
    print(f"{len(files) - len(wrong)} of {len(files)} files hold what they say")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
