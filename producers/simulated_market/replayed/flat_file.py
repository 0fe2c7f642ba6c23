"""Reads one day of the vendor's flat files: gzipped CSV, one line a bar, lines of a ticker together.

Columns are found by their name in the header, because close stands before high there.
"""

from __future__ import annotations

import csv
import gzip
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from producers.simulated_market.bar_columns import BarColumns

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_COLUMNS = ("window_start", "open", "close", "high", "low", "volume", "transactions")
_NANOSECONDS_IN_MS = 1_000_000


def file_of_day(folder: Path, data_set: str, day: dt.date) -> Path:
    """Where the vendor keeps a day of a data set."""
    return folder / "us_stocks_sip" / data_set / f"{day:%Y}" / f"{day:%m}" / f"{day:%Y-%m-%d}.csv.gz"


def read_bars(path: Path) -> Mapping[str, BarColumns]:
    """Bars by ticker, as spelled in the file and ascending in time; empty if there is no such file."""
    if not path.exists():
        return {}
    with gzip.open(path, "rt", newline="") as text:
        lines = csv.reader(text)
        header = next(lines)
        ticker = itemgetter(header.index("ticker"))
        pick = itemgetter(*(header.index(column) for column in _COLUMNS))
        by_ticker: dict[str, list[tuple[str, ...]]] = {}
        for symbol, group in groupby(lines, key=ticker):
            by_ticker.setdefault(symbol, []).extend(map(pick, group))
    return {symbol: _columns(rows) for symbol, rows in by_ticker.items()}


def _columns(rows: Sequence[tuple[str, ...]]) -> BarColumns:
    starts = np.array([int(row[0]) // _NANOSECONDS_IN_MS for row in rows], dtype=np.int64)
    order = np.argsort(starts, kind="stable")
    numbers = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), 6)[order]
    return BarColumns(
        starts_ms=starts[order],
        opens=numbers[:, 0],
        closes=numbers[:, 1],
        highs=numbers[:, 2],
        lows=numbers[:, 3],
        volumes=numbers[:, 4],
        averages=None,
        trades=numbers[:, 5].astype(np.int64),
        minutes=np.ones(len(rows), dtype=np.int64),
    )
