"""Walks through the market's bars session by session and keeps of each symbol what its ATR needs: one state.

Bars come in blocks of sessions, raw, and are brought onto the basis of the splits up to the day that the ATR is of.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from market.atr import RunningAtr
from market.bounded_fields import RANGE, RANGE_PERCENT
from market.splits import Split, price_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.postgres.bars import NumberedBars


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """The ATR of one symbol: price units, percent of its adjusted last close, and of how many bars it is."""

    atr: float
    percent: float
    bars: int


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What prices are brought onto and where symbols begin anew: splits and the last hole, by symbol."""

    day: dt.date
    period: int
    splits: Mapping[str, Sequence[Split]]
    last_hole: Mapping[str, dt.date]


class AtrWalk:
    """The ATR of *symbols* after the bars that have been added, in order of days; no bar before a hole counts."""

    def __init__(self, symbols: Sequence[str], basis: Basis) -> None:
        self._symbols, self._basis = symbols, basis
        self._running = RunningAtr(len(symbols), basis.period)
        self._splits = [
            (number, basis.splits[symbol]) for number, symbol in enumerate(symbols) if symbol in basis.splits
        ]
        holes = [basis.last_hole.get(symbol, dt.date.min) for symbol in symbols]
        self._last_hole = np.array(holes, dtype="datetime64[D]")

    def add(self, rows: NumberedBars) -> None:
        """Go on by *rows*, all of them later than those before."""
        counts = np.flatnonzero(rows.days > self._last_hole[rows.number])
        days, place = np.unique(rows.days[counts], return_inverse=True)
        number = rows.number[counts]
        factors = self._factors(days)[place, number]
        high, low, close = rows.high[counts] * factors, rows.low[counts] * factors, rows.close[counts] * factors
        order = np.argsort(place, kind="stable")
        for session in np.split(order, np.cumsum(np.bincount(place))[:-1]):
            self._running.add(number[session], high[session], low[session], close[session])

    def _factors(self, days: NDArray[np.datetime64]) -> NDArray[np.float64]:
        """The price factor of each of *days* (ascending) and symbol."""
        factors = np.ones((len(days), len(self._symbols)))
        for number, own in self._splits:
            # One executed before these days moves none of their prices: most of them, in most blocks.
            if len(days) and own[-1].execution_day > days[0].item():
                factors[:, number] = price_factors(days, own, as_of=self._basis.day)
        return factors

    def with_fewer_bars(self, needed: int) -> list[str]:
        """The symbols that have bars, but fewer than *needed*."""
        bars = self._running.bars
        return [self._symbols[number] for number in np.flatnonzero((bars > 0) & (bars < needed)).tolist()]

    def bars_of(self, symbols: Sequence[str]) -> list[int]:
        """How many bars counted of each of *symbols*."""
        place = {symbol: number for number, symbol in enumerate(self._symbols)}
        return [int(self._running.bars[place[symbol]]) for symbol in symbols]

    def figures(self) -> dict[str, Figure]:
        """The figure of each symbol that has enough bars and prices that can be."""
        atr, close = self._running.latest(), self._running.close
        wanted = np.isfinite(atr) & (close > 0)
        percent = np.divide(100.0 * atr, close, out=np.zeros_like(atr), where=wanted)
        # Prices that can be and splits that can be may still make a range that cannot.
        wanted &= (atr <= RANGE.most) & (percent <= RANGE_PERCENT.most)
        bars = self._running.bars
        return {
            self._symbols[i]: Figure(atr=float(atr[i]), percent=float(percent[i]), bars=int(bars[i]))
            for i in np.flatnonzero(wanted).tolist()
        }
