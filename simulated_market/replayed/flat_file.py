"""Reads one day of the vendor's flat files: gzipped CSV, one line a bar.

Columns are found by their name in the header, because close stands before high there.  A whole market's
minutes are two million lines, so a day is kept as columns of numbers with an index by ticker.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from array import array
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from simulated_market.bar_columns import BarColumns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COLUMNS = ("window_start", "open", "close", "high", "low", "volume", "transactions")
_NANOSECONDS_IN_MS = 1e6


class DayFile(msgspec.Struct, frozen=True):
    """All bars of a day, ticker after ticker, each ticker's ascending in time."""

    bars: BarColumns
    places: dict[str, slice]
    """Where each ticker's bars stand, in the spelling and the order of the file."""

    def bars_of(self, ticker: str) -> BarColumns | None:
        place = self.places.get(ticker)
        return None if place is None else self.bars.take(place)


def file_of_day(folder: Path, data_set: str, day: dt.date) -> Path:
    """Where the vendor keeps a day of a data set."""
    return folder / "us_stocks_sip" / data_set / f"{day:%Y}" / f"{day:%m}" / f"{day:%Y-%m-%d}.csv.gz"


def days_on_file(folder: Path, data_set: str) -> list[tuple[dt.date, Path]]:
    """Every day of a data set that has a file, ascending."""
    paths = (folder / "us_stocks_sip" / data_set).glob("*/*/*.csv.gz")
    return sorted((dt.date.fromisoformat(path.name.removesuffix(".csv.gz")), path) for path in paths)


def read_tickers(path: Path) -> set[str]:
    """The tickers of a file, without its numbers."""
    with gzip.open(path, "rt", newline="") as text:
        lines = csv.reader(text)
        ticker = itemgetter(next(lines).index("ticker"))
        return set(map(ticker, lines))


def read_day(path: Path) -> DayFile:
    """The day in a file; without bars if there is no such file."""
    numbers, tickers = array("d"), array("q")
    codes: dict[str, int] = {}
    if path.exists():
        for symbol, fields in _lines(path):
            tickers.append(codes.setdefault(symbol, len(codes)))
            numbers.extend(map(float, fields))
    return _day_file(codes, np.array(tickers, dtype=np.int64), np.array(numbers).reshape(-1, len(_COLUMNS)))


def _lines(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    with gzip.open(path, "rt", newline="") as text:
        lines = csv.reader(text)
        header = next(lines)
        ticker = header.index("ticker")
        pick = itemgetter(*(header.index(column) for column in _COLUMNS))
        for line in lines:
            yield line[ticker], pick(line)


def _day_file(
    codes: dict[str, int], tickers: np.typing.NDArray[np.int64], numbers: np.typing.NDArray[np.float64]
) -> DayFile:
    order = np.lexsort((numbers[:, 0], tickers))
    numbers = numbers[order]
    ends = np.cumsum(np.bincount(tickers, minlength=len(codes))).tolist()
    starts = [0, *ends]
    bars = BarColumns(
        # Whole minutes in nanoseconds are multiples of 2^14, which a float still holds exactly.
        starts_ms=np.rint(numbers[:, 0] / _NANOSECONDS_IN_MS).astype(np.int64),
        opens=numbers[:, 1].copy(),
        closes=numbers[:, 2].copy(),
        highs=numbers[:, 3].copy(),
        lows=numbers[:, 4].copy(),
        volumes=numbers[:, 5].copy(),
        averages=None,
        trades=numbers[:, 6].astype(np.int64),
        minutes=np.ones(len(numbers), dtype=np.int64),
    )
    return DayFile(bars, {symbol: slice(starts[code], ends[code]) for symbol, code in codes.items()})
