"""Gives volume slots from the folder's tables of minutes, one a session: symbol, time in New York, volume, trades.

`time` is the start of a bar of one to five minutes, as 09:30:00; `trades` may be left out, of all or of single bars.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.folder_vendor import tables
from consumer.vendor.errors import BadAnswer, NotEntitled, NotYetPublished
from consumer.vendor.protocol import FlatFileKind
from consumer.vendor.rows import Count, Flaw, GroupedDaily, MinuteSlots
from consumer.vendor.sieve import Sieve
from market.bounded_fields import TRADES, VOLUME
from market.symbols import is_well_formed
from market.volume_slots import SLOT_MINUTES, SLOTS_PER_DAY, UNKNOWN_TRADES, slot_time, sum_trades

if TYPE_CHECKING:
    from collections.abc import Collection

    from market.session import TradingSession

_FIRST_MINUTE = slot_time(0).hour * 60


class _Minute(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    symbol: str
    time: dt.time
    volume: float
    trades: Count | None = None


class MinuteTable(msgspec.Struct, frozen=True, kw_only=True):
    """One session's minutes."""

    path: Path
    version: str

    def minute_slots(self, session: TradingSession) -> MinuteSlots:
        """The minutes summed into slots; a minute that stands twice for a symbol counts once, the larger."""
        sieve = Sieve(session.day)
        minutes = self._minutes(sieve)
        if not minutes:
            raise BadAnswer(f"{self.path} holds not one minute of its session")
        symbols = sorted({symbol for symbol, _ in minutes})
        place = {symbol: number for number, symbol in enumerate(symbols)}
        at = [place[symbol] * SLOTS_PER_DAY + minute // SLOT_MINUTES for symbol, minute in minutes]
        cells, grid = np.array(at, dtype=np.int64), (len(symbols), SLOTS_PER_DAY)
        shares, counts = (np.array(column) for column in zip(*minutes.values(), strict=True))
        volumes = np.bincount(cells, weights=shares, minlength=grid[0] * grid[1]).astype(np.float64).reshape(grid)
        trades = sum_trades(cells, shares, counts, grid)
        for number, slot in np.argwhere(volumes > VOLUME.most):  # the sum can be too large though no minute is
            sieve.drop_row(Flaw.VOLUME, {"slot": int(slot), "sum": float(volumes[number, slot])}, symbols[number])
            volumes[number, slot], trades[number, slot] = 0.0, 0
        return MinuteSlots(
            symbols=symbols,
            volumes=volumes,
            trades=trades,
            rejected=dict(sieve.rejected),
            set_aside=tuple(sieve.set_aside),
        )

    def _minutes(self, sieve: Sieve) -> dict[tuple[str, int], tuple[float, int]]:
        """By symbol and minute of the grid the volume, and in how many trades."""
        minutes: dict[tuple[str, int], tuple[float, int]] = {}
        for row in tables.read(self.path, _Minute):
            minute = row.time.hour * 60 + row.time.minute - _FIRST_MINUTE
            if flaw := _flaw(row, minute):
                sieve.drop_row(flaw, row, row.symbol)
                continue
            if (row.symbol, minute) in minutes:
                sieve.drop_row(Flaw.DUPLICATE, row, row.symbol)
            volume, trades = minutes.get((row.symbol, minute), (0.0, UNKNOWN_TRADES))
            minutes[row.symbol, minute] = max(row.volume, volume), max(_trades(row, sieve), trades)
        return minutes

    def day_bars(self, day: dt.date) -> GroupedDaily:
        """No second witness: whoever filled the one table filled the other."""
        raise NotEntitled(f"{self.path} has no bars of a day")


def _trades(row: _Minute, sieve: Sieve) -> int:
    if row.trades is None:
        return UNKNOWN_TRADES
    if TRADES.least <= row.trades <= TRADES.most:
        return row.trades
    sieve.drop_field(Flaw.BOUNDS, "trades", row.trades, row.symbol)
    return UNKNOWN_TRADES


def _flaw(row: _Minute, minute: int) -> Flaw | None:
    if not is_well_formed(row.symbol):
        return Flaw.SYMBOL
    if not 0 <= minute < SLOTS_PER_DAY * SLOT_MINUTES:
        return Flaw.OUTSIDE_GRID
    return None if row.volume == 0.0 or VOLUME.least <= row.volume <= VOLUME.most else Flaw.VOLUME


class MinuteTables:
    """The folder's tables of minutes, as slots ask for flat files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def versions(self, kind: FlatFileKind, days: Collection[dt.date]) -> dict[dt.date, str]:
        if kind is not FlatFileKind.MINUTE:
            return {}
        return await asyncio.to_thread(self._versions, days)

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> MinuteTable:
        found = await self.versions(kind, [day])
        path = self._path(day)
        if path is None or day not in found:
            raise NotYetPublished(f"there is no {kind.value} table of {day} in {self._folder}")
        return MinuteTable(path=path, version=found[day])

    def _versions(self, days: Collection[dt.date]) -> dict[dt.date, str]:
        return {day: tables.version(path) for day in days if (path := self._path(day)) is not None}

    def _path(self, day: dt.date) -> Path | None:
        return tables.find(self._folder, f"{tables.MINUTES}/{day}")
