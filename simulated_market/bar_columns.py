"""Holds the bars of one ticker as columns, joins them and folds them into wider windows.

Columns because numbers are made, cut and added by the thousand; rows appear only on their way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from simulated_market.invented.dice import Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

Integers = npt.NDArray[np.int64]


class BarColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Bars in ascending order; `minutes` says how many one-minute bars each was made of."""

    starts_ms: Integers
    opens: Floats
    closes: Floats
    highs: Floats
    lows: Floats
    volumes: Floats
    averages: Floats | None
    """Volume-weighted prices; None where the source has none."""
    trades: Integers
    minutes: Integers

    def __len__(self) -> int:
        return len(self.starts_ms)

    def take(self, which: slice | npt.NDArray[np.bool_]) -> BarColumns:
        """The bars a slice or a mask picks."""
        return BarColumns(
            starts_ms=self.starts_ms[which],
            opens=self.opens[which],
            closes=self.closes[which],
            highs=self.highs[which],
            lows=self.lows[which],
            volumes=self.volumes[which],
            averages=None if self.averages is None else self.averages[which],
            trades=self.trades[which],
            minutes=self.minutes[which],
        )

    def scaled(self, price_factors: Floats) -> BarColumns:
        """Prices times the factor, volumes divided by it, bar by bar."""
        return BarColumns(
            starts_ms=self.starts_ms,
            opens=np.round(self.opens * price_factors, 6),
            closes=np.round(self.closes * price_factors, 6),
            highs=np.round(self.highs * price_factors, 6),
            lows=np.round(self.lows * price_factors, 6),
            volumes=np.round(self.volumes / price_factors, 6),
            averages=None if self.averages is None else np.round(self.averages * price_factors, 6),
            trades=self.trades,
            minutes=self.minutes,
        )


def joined(parts: Sequence[BarColumns]) -> BarColumns:
    """The bars of several stretches as one; of none, no bars."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        none, no_integers = np.zeros(0), np.zeros(0, dtype=np.int64)
        return BarColumns(
            starts_ms=no_integers,
            opens=none,
            closes=none,
            highs=none,
            lows=none,
            volumes=none,
            averages=None,
            trades=no_integers,
            minutes=no_integers,
        )
    averages = [part.averages for part in parts if part.averages is not None]
    return BarColumns(
        starts_ms=np.concatenate([part.starts_ms for part in parts]),
        opens=np.concatenate([part.opens for part in parts]),
        closes=np.concatenate([part.closes for part in parts]),
        highs=np.concatenate([part.highs for part in parts]),
        lows=np.concatenate([part.lows for part in parts]),
        volumes=np.concatenate([part.volumes for part in parts]),
        averages=np.concatenate(averages) if len(averages) == len(parts) else None,
        trades=np.concatenate([part.trades for part in parts]),
        minutes=np.concatenate([part.minutes for part in parts]),
    )


def folded(bars: BarColumns, width_ms: int) -> BarColumns:
    """Bars of a wider window, from those that have a narrower one; empty windows stay absent."""
    if not len(bars):
        return bars
    windows = bars.starts_ms // width_ms
    firsts = np.flatnonzero(np.diff(windows, prepend=windows[0] - 1))
    lasts = np.append(firsts[1:], len(windows)) - 1
    volumes: Floats = np.add.reduceat(bars.volumes, firsts)
    averages = bars.averages
    if averages is not None:
        turnover = np.add.reduceat(averages * bars.volumes, firsts)
        averages = np.round(turnover / volumes, 4)
    return BarColumns(
        starts_ms=windows[firsts] * width_ms,
        opens=bars.opens[firsts],
        closes=bars.closes[lasts],
        highs=np.maximum.reduceat(bars.highs, firsts),
        lows=np.minimum.reduceat(bars.lows, firsts),
        volumes=np.round(volumes, 6),
        averages=averages,
        trades=np.add.reduceat(bars.trades, firsts),
        minutes=np.add.reduceat(bars.minutes, firsts),
    )
