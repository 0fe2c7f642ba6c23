"""Splits five-minute bars into the one-minute bars they are made of.

Folding the result back gives the five-minute bars again: same extremes, same first open and last close,
and volumes that sum to the same millionth of a share.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from simulated_market.bar_columns import BarColumns, Integers
from simulated_market.invented import dice

_MINUTE_MS = 60_000
_CHOICES = 10


def _offsets() -> Integers:
    """For each count of minutes and each choice, which minutes of the five (padded with zeros)."""
    table = np.zeros((6, _CHOICES, 5), dtype=np.int64)
    for count in range(1, 6):
        patterns = list(combinations(range(5), count))
        for choice in range(_CHOICES):
            table[count, choice, :count] = patterns[choice % len(patterns)]
    return table


_OFFSETS = _offsets()


def split_into_minutes(bars: BarColumns) -> BarColumns:
    """One-minute bars, as many for each bar as its `minutes` says."""
    counts = bars.minutes
    parents = np.repeat(np.arange(len(bars)), counts)
    turns = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    words = dice.mix(bars.starts_ms.astype(np.uint64))
    choices = (words % np.uint64(_CHOICES)).astype(np.int64)
    last = turns == counts[parents] - 1
    ends = bars.opens[parents] + (bars.closes - bars.opens)[parents] * (turns + 1) / counts[parents]
    ticks = np.where(bars.lows < 1.0, 10_000.0, 100.0)[parents]
    inside = np.clip(np.rint(ends * ticks) / ticks, bars.lows[parents], bars.highs[parents])
    closes = np.where(last, bars.closes[parents], inside)
    opens = np.where(turns == 0, bars.opens[parents], np.roll(closes, 1))
    peak = (words >> np.uint64(8)).astype(np.int64) % counts
    trough = (words >> np.uint64(16)).astype(np.int64) % counts
    highs = np.where(turns == peak[parents], bars.highs[parents], np.maximum(opens, closes))
    lows = np.where(turns == trough[parents], bars.lows[parents], np.minimum(opens, closes))
    return BarColumns(
        starts_ms=bars.starts_ms[parents] + _OFFSETS[counts[parents], choices[parents], turns] * _MINUTE_MS,
        opens=opens,
        closes=closes,
        highs=highs,
        lows=lows,
        volumes=_split(np.rint(bars.volumes * 1e6).astype(np.int64), counts, parents, last) / 1e6,
        averages=np.rint((opens + closes + highs + lows) * 2_500.0) / 10_000.0,
        trades=_split(bars.trades, counts, parents, last),
        minutes=np.ones(len(parents), dtype=np.int64),
    )


def _split(amounts: Integers, counts: Integers, parents: Integers, last: np.typing.NDArray[np.bool_]) -> Integers:
    """Equal whole parts; the last minute takes what is left over."""
    parts = amounts // counts
    left: Integers = np.where(last, (amounts - parts * counts)[parents], 0)
    whole: Integers = parts[parents] + left
    return whole
