"""Computes Wilder's average true range, for one symbol or for a whole market at once.

TR = max(H-L, |H-C of the bar before|, |L-C of the bar before|);  ATR = ((n-1) * ATR of the bar before + TR) / n
(J. W. Wilder, New Concepts in Technical Trading Systems, 1978), started as TA-Lib does: the first bar has
no predecessor and is dropped, the first ATR is the mean of the next n true ranges. A short history still
carries its seed (15 steps after it, a third of the weight), so callers pass all the bars they have.

Prices must be split-adjusted beforehand and ascend by day. A NaN price makes every later ATR of that
symbol NaN: a wrong number would look like a right one.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


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


def latest_atr(high: Floats, low: Floats, close: Floats, offsets: npt.NDArray[np.int64], period: int = 14) -> Floats:
    """Last ATR of each symbol, price units; NaN for one with fewer than period + 1 bars.

    Flat 1-D prices of one length n; symbol i owns rows offsets[i]:offsets[i+1], so k + 1 offsets give
    k values, each equal to the last of wilder_atr over those rows. ValueError for offsets that descend
    or leave the rows, for other shapes, and for a period below 1.
    """
    _check_period(period)
    # A symbol's first true range reaches into its neighbour's rows, but the seed leaves it out.
    ranges = true_range(high, low, close)
    _check_offsets(offsets, len(ranges))
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    firsts, lengths = offsets[:-1][order], lengths[order]
    latest = np.full(len(order), np.nan)
    latest[order] = _average_by_age(ranges, firsts, lengths, period)
    return latest


def _average_by_age(
    ranges: Floats, firsts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], period: int
) -> Floats:
    """One step per bar of age for all symbols that are old enough; `lengths` descend."""
    averages = np.zeros(len(lengths))
    oldest = int(lengths[0]) if len(lengths) else 0
    # Because lengths descend, the symbols that have a bar of this age are a prefix.
    alive = np.searchsorted(-lengths, -np.arange(oldest), side="left")
    for age in range(1, oldest):
        count = int(alive[age])
        state = averages[:count]
        if age > period:
            state *= period - 1
        state += ranges[firsts[:count] + age]
        if age >= period:
            state /= period
    averages[lengths <= period] = np.nan
    return averages


def _check_period(period: int) -> None:
    if period < 1:
        raise ValueError(f"an average needs at least one bar, not {period}")


def _check_bars(high: Floats, low: Floats, close: Floats) -> None:
    if high.ndim != 1 or not high.shape == low.shape == close.shape:
        raise ValueError(f"prices need one length, not {high.shape}, {low.shape}, {close.shape}")


def _check_offsets(offsets: npt.NDArray[np.int64], rows: int) -> None:
    if offsets.ndim != 1 or len(offsets) == 0:
        raise ValueError(f"offsets are one more than the symbols, not an array of shape {offsets.shape}")
    if offsets[0] < 0 or offsets[-1] > rows or np.any(np.diff(offsets) < 0):
        raise ValueError(f"offsets must ascend within the {rows} rows")
