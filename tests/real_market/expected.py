"""Works out from the flat files, in plain Python, what a cycle must have found.

Deliberately shares nothing with the service: csv and zoneinfo instead of its readers, loops instead of its arrays, and
TA-Lib instead of its ATR.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import talib

from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from pathlib import Path


class Bar(NamedTuple):
    day: dt.date
    high: float
    low: float
    close: float
    volume: float


class Split(NamedTuple):
    day: dt.date
    ratio: float  # new shares for an old one


class Files:
    """The flat files of *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slots = cache(self._slots)
        self.splits: dict[str, list[Split]] = defaultdict(list)
        for row in json.loads((folder / "splits.json").read_text("utf-8")):
            day = dt.date.fromisoformat(row["execution_date"])
            self.splits[row["ticker"]].append(Split(day, row["split_to"] / row["split_from"]))

    def days(self, kind: str) -> list[dt.date]:
        paths = (self.folder / "us_stocks_sip" / kind).rglob("*.csv.gz")
        return sorted(dt.date.fromisoformat(path.name.removesuffix(".csv.gz")) for path in paths)

    def sessions(self, count: int, up_to: dt.date) -> list[dt.date]:
        """The last *count* days with a day file: the folder has one for every session of its windows."""
        return [day for day in self.days("day_aggs_v1") if day <= up_to][-count:]

    def rows(self, kind: str, day: dt.date) -> list[dict[str, str]]:
        path = self.folder / "us_stocks_sip" / kind / f"{day:%Y}" / f"{day:%m}" / f"{day}.csv.gz"
        if not path.exists():
            return []
        with gzip.open(path, "rt", newline="") as file:
            return list(csv.DictReader(file))

    def bars(self, sessions: list[dt.date]) -> dict[str, list[Bar]]:
        """The raw daily bars of each ticker, in order of their day."""
        found: dict[str, list[Bar]] = defaultdict(list)
        for day in sessions:
            for row in self.rows("day_aggs_v1", day):
                figures = (float(row[name]) for name in ("high", "low", "close", "volume"))
                found[row["ticker"]].append(Bar(day, *figures))
        return found

    def adjusted(self, ticker: str, bars: list[Bar], as_of: dt.date) -> list[Bar]:
        """The same bars on the basis of *as_of*: what was executed by then is applied to the days before it."""
        result = []
        for bar in bars:
            ratio = self.shares_for_one(ticker, bar.day, as_of)
            result.append(Bar(bar.day, bar.high / ratio, bar.low / ratio, bar.close / ratio, bar.volume * ratio))
        return result

    def shares_for_one(self, ticker: str, day: dt.date, as_of: dt.date) -> float:
        ratio = 1.0
        for split in self.splits[ticker]:
            if day < split.day <= as_of:
                ratio *= split.ratio
        return ratio

    def _slots(self, day: dt.date) -> dict[str, dict[int, float]]:
        """Shares traded in each five minutes from 04:00 New York, by ticker and slot."""
        found: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for row in self.rows("minute_aggs_v1", day):
            at = dt.datetime.fromtimestamp(int(row["window_start"]) / 1e9, NEW_YORK)
            slot = ((at.hour - 4) * 60 + at.minute) // 5
            if at.date() == day and 0 <= slot < 192:
                found[row["ticker"]][slot] += float(row["volume"])
        return found

    def rvol_averages(self, ticker: str, sessions: list[dt.date]) -> dict[str, str]:
        """Mean accumulated volume over those of *sessions* that have minutes of *ticker*, as the cache spells it."""
        observed = [day for day in sessions if ticker in self.slots(day)]
        averages: dict[str, str] = {}
        for slot in range(192):
            total = 0.0
            for day in observed:
                until_now = sum(volume for at, volume in self.slots(day)[ticker].items() if at <= slot)
                total += until_now * self.shares_for_one(ticker, day, sessions[-1])
            if observed:
                averages[str(slot)] = str(int(total / len(observed)))
        return averages


def talib_atr(bars: list[Bar]) -> float | None:
    """TA-Lib's ATR(14) of the last bar; None where it has too few."""
    if len(bars) < 15:
        return None
    high, low, close = (np.array([bar[column] for bar in bars]) for column in (1, 2, 3))
    return float(talib.ATR(high, low, close, timeperiod=14)[-1])
