"""Walks through the market's bars session by session and keeps of each symbol what its ATR needs: one state.

Bars come in blocks of sessions, raw, and are brought onto the basis of the splits up to the day that the ATR is of.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from consumer.postgres.atr_state import SymbolState
from market.atr import AtrState, RunningAtr, bars_needed
from market.bounded_fields import RANGE, RANGE_PERCENT
from market.splits import Split, price_factors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from consumer.postgres.bars import NumberedBars


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """The ATR of one symbol: price units, percent of its adjusted last close, and of how many bars that weigh."""

    atr: float
    percent: float
    bars: int


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What prices are brought onto and where symbols begin anew: by symbol its splits, last hole, and its rows."""

    day: dt.date
    period: int
    splits: Mapping[str, Sequence[Split]]
    last_hole: Mapping[str, dt.date]
    names: Mapping[str, str]

    def until(self, symbol: str, day: dt.date) -> str:
        """All of this that a state of *symbol* as of *day* depends on, in words that change with it."""
        facts = [
            f"{one.execution_day} {one.split_from}:{one.split_to}"
            for one in self.splits.get(symbol, ())
            if one.execution_day <= day
        ]
        if (hole := self.last_hole.get(symbol)) is not None and hole <= day:
            facts.append(f"hole {hole}")
        return " ".join([*facts, *([self.names[symbol]] if symbol in self.names else [])])


class AtrWalk:
    """The ATR of *symbols* after the bars that have been added, in order of days; no bar before a hole counts.

    It keeps the states as they were at the end of *keep*, for a later walk to begin with.
    """

    def __init__(self, symbols: Sequence[str], basis: Basis, *, keep: dt.date) -> None:
        self._symbols, self._basis, self._keep = symbols, basis, keep
        self._running = RunningAtr(len(symbols), basis.period)
        self._kept: AtrState | None = None
        self._splits = [
            (number, basis.splits[symbol]) for number, symbol in enumerate(symbols) if symbol in basis.splits
        ]
        holes = [basis.last_hole.get(symbol, dt.date.min) for symbol in symbols]
        self._last_hole = np.array(holes, dtype="datetime64[D]")

    def resume(self, states: Sequence[SymbolState], as_of: dt.date) -> None:
        """Begin with what is known of these symbols as of that day; a hole since makes it worth nothing."""
        place = {symbol: number for number, symbol in enumerate(self._symbols)}
        last_hole = self._basis.last_hole
        states = [one for one in states if last_hole.get(one.symbol, as_of) <= as_of]
        numbers = np.array([place[one.symbol] for one in states], dtype=np.int64)
        factors = self._factors(np.array([as_of], dtype="datetime64[D]"))[0][numbers]
        average = np.array([one.average for one in states]) * factors
        close = np.array([one.close for one in states]) * factors
        bars = np.array([one.bars for one in states], dtype=np.int64)
        self._running.resume(numbers, AtrState(average=average, close=close, bars=bars))

    def add(self, rows: NumberedBars) -> None:
        """Go on by *rows*, all of them later than those before."""
        counts = np.flatnonzero(rows.days > self._last_hole[rows.number])
        days, place = np.unique(rows.days[counts], return_inverse=True)
        number = rows.number[counts]
        factors = self._factors(days)[place, number]
        high, low, close = rows.high[counts] * factors, rows.low[counts] * factors, rows.close[counts] * factors
        order = np.argsort(place, kind="stable")
        for day, session in zip(days, np.split(order, np.cumsum(np.bincount(place))[:-1]), strict=False):
            if self._kept is None and day > np.datetime64(self._keep):
                self._kept = self._running.state()
            self._running.add(number[session], high[session], low[session], close[session])

    def _factors(self, days: NDArray[np.datetime64]) -> NDArray[np.float64]:
        """The price factor of each of *days* (ascending) and symbol."""
        factors = np.ones((len(days), len(self._symbols)))
        for number, own in self._splits:
            # One executed before these days moves none of their prices: most of them, in most blocks.
            if len(days) and own[-1].execution_day > days[0].item():
                factors[:, number] = price_factors(days, own, as_of=self._basis.day)
        return factors

    def bars(self) -> dict[str, int]:
        """How many bars counted, by symbol that has any."""
        bars = self._running.bars
        return {self._symbols[number]: int(bars[number]) for number in np.flatnonzero(bars).tolist()}

    def kept(self) -> dict[str, SymbolState]:
        """The states by symbol as of the session to keep, in that session's own prices."""
        state = self._kept or self._running.state()
        factors = self._factors(np.array([self._keep], dtype="datetime64[D]"))[0]
        average, close = state.average / factors, state.close / factors
        return {
            symbol: SymbolState(
                symbol=symbol,
                average=float(average[number]),
                close=float(close[number]),
                bars=int(state.bars[number]),
                basis=self._basis.until(symbol, self._keep),
            )
            for number, symbol in enumerate(self._symbols)
            if state.bars[number]
        }

    def figures(self) -> dict[str, Figure]:
        """The figure of each symbol that has enough bars and prices that can be."""
        atr, close = self._running.latest(), self._running.close
        wanted = np.isfinite(atr) & (close > 0)
        percent = np.divide(100.0 * atr, close, out=np.zeros_like(atr), where=wanted)
        # Prices that can be and splits that can be may still make a range that cannot.
        wanted &= (atr <= RANGE.most) & (percent <= RANGE_PERCENT.most)
        bars = np.minimum(self._running.bars, bars_needed(self._basis.period))
        return {
            self._symbols[i]: Figure(atr=float(atr[i]), percent=float(percent[i]), bars=int(bars[i]))
            for i in np.flatnonzero(wanted).tolist()
        }
