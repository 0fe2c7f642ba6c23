"""Computes what turns raw prices into split-adjusted ones, as of a date.

The price of a day is multiplied by from/to of every split after it; volumes are divided by the same.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simulated_market.bar_columns import BarColumns
    from simulated_market.invented.dice import Floats
    from simulated_market.market_source import MarketSource

_ONE_DAY = dt.timedelta(days=1)


def factors_by_ticker(market: MarketSource, day: dt.date, as_of: dt.date) -> dict[str, float]:
    """The price factor of every ticker that splits after the day, up to *as_of*."""
    factors: dict[str, float] = {}
    for split in market.splits(day + _ONE_DAY, as_of):
        factors[split.ticker] = factors.get(split.ticker, 1.0) * split.split_from / split.split_to
    return factors


def factors_of_bars(market: MarketSource, ticker: str, bars: BarColumns, as_of: dt.date) -> Floats:
    """The price factor of each bar of one ticker."""
    # Four hours back, every bar from New York midnight to 20:00 lies in its own date, summer and winter.
    days = (bars.starts_ms - 4 * 3_600_000).astype("datetime64[ms]").astype("datetime64[D]")
    factors = np.ones(len(bars))
    first: dt.date = days.min().item()
    for split in market.splits(first, as_of):
        if split.ticker == ticker:
            before = days < np.datetime64(split.execution_date)
            factors[before] *= split.split_from / split.split_to
    return factors
