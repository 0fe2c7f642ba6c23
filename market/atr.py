"""Computes Wilder's average true range, for one symbol or for a whole market session by session.

TR = max(H-L, |H-C of the bar before|, |L-C of the bar before|);  ATR = ((n-1) * ATR of the bar before + TR) / n
(J. W. Wilder, New Concepts in Technical Trading Systems, 1978), started as TA-Lib does: the first bar has
no predecessor and is dropped, the first ATR is the mean of the next n true ranges. A short history still
carries its seed (15 steps after it, a third of the weight): callers pass the last bars_needed() bars, and the
result is that of all bars to a billionth.

Prices must be split-adjusted beforehand and ascend by day. A NaN price makes every later ATR of that
symbol NaN: a wrong number would look like a right one.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# A billionth of the ATR, though a price had fallen to a hundredth since it was started, and its ranges with it.
SEED_WEIGHT = 1e-13


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """True range of each bar, price units; the first bar, which has no predecessor, gets high - low.

    Three 1-D arrays of one length n give n values; ValueError for other shapes.
    """
    _check_bars(high, low, close)
    ranges = high - low
    before = close[:-1]
    np.maximum(ranges[1:], np.abs(high[1:] - before), out=ranges[1:])
    np.maximum(ranges[1:], np.abs(low[1:] - before), out=ranges[1:])
    return ranges


def wilder_atr(high: Floats, low: Floats, close: Floats, period: int = 14) -> Floats:
    """ATR of every bar of one symbol, price units; NaN before index `period`.

    Three 1-D arrays of one length n give n values; ValueError for other shapes or a period below 1.
    """
    _check_period(period)
    ranges = true_range(high, low, close)
    averages = np.full(len(ranges), np.nan)
    if len(ranges) <= period:
        return averages
    # Added one by one, as TA-Lib does: numpy's pairwise sum differs in the last digit.
    average = sum(ranges[1 : period + 1].tolist()) / period
    averages[period] = average
    for index in range(period + 1, len(ranges)):
        average = (average * (period - 1) + ranges[index]) / period
        averages[index] = average
    return averages


def bars_needed(period: int) -> int:
    """How many bars an ATR needs so that what it was started with weighs less than SEED_WEIGHT."""
    _check_period(period)
    if period == 1:
        return 2  # the last true range alone
    return period + 1 + math.ceil(math.log(SEED_WEIGHT) / math.log(1 - 1 / period))


class AtrState(NamedTuple):
    """All that the past of some symbols means for their ATR, one value a symbol; price units.

    *average* is the ATR, or while there are too few bars the sum of the true ranges; *close* is the last one.
    """

    average: Floats
    close: Floats
    bars: npt.NDArray[np.int64]


class RunningAtr:
    """The ATR of many symbols, carried on from session to session: it holds one state a symbol, and no history.

    Symbols are numbers from 0. After its last bar a symbol's ATR is that of wilder_atr over all its bars.
    """

    def __init__(self, symbols: int, period: int = 14) -> None:
        _check_period(period)
        self._period = period
        self._averages = np.zeros(symbols)
        self.bars = np.zeros(symbols, np.int64)
        self.close = np.full(symbols, np.nan)

    def state(self) -> AtrState:
        """What is known of each symbol now."""
        return AtrState(average=self._averages.copy(), close=self.close.copy(), bars=self.bars.copy())

    def resume(self, symbols: npt.NDArray[np.int64], state: AtrState) -> None:
        """Go on from where *state* was taken for these symbols, as if their bars up to then had been added."""
        self._averages[symbols], self.close[symbols], self.bars[symbols] = state

    def add(self, symbols: npt.NDArray[np.int64], high: Floats, low: Floats, close: Floats) -> None:
        """Go on by one session's bars, one a symbol; later than all that came before."""
        _check_bars(high, low, close)
        if symbols.shape != high.shape:
            raise ValueError(f"prices need one length, not {symbols.shape}, {high.shape}")
        age, before, state = self.bars[symbols], self.close[symbols], self._averages[symbols]
        ranges = np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))
        # One after the other, as TA-Lib does; the first bar has no predecessor and is dropped.
        state[age > self._period] *= self._period - 1
        state += np.where(age > 0, ranges, 0.0)
        state[age >= self._period] /= self._period
        self._averages[symbols], self.close[symbols], self.bars[symbols] = state, close, age + 1

    def latest(self) -> Floats:
        """The ATR of each symbol after its last bar, price units; NaN for one with fewer than period + 1 bars."""
        return np.where(self.bars > self._period, self._averages, np.nan)


def _check_period(period: int) -> None:
    if period < 1:
        raise ValueError(f"an average needs at least one bar, not {period}")


def _check_bars(high: Floats, low: Floats, close: Floats) -> None:
    if high.ndim != 1 or not high.shape == low.shape == close.shape:
        raise ValueError(f"prices need one length, not {high.shape}, {low.shape}, {close.shape}")
