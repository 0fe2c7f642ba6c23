"""Tells whether a stored session is a given simulated market's: that one can be invented again and compared.

For databases from before the stamp, whose request ids say "simulated" and not which. Seed and size change most prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.trading_calendar import TradingCalendar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from market.data_source import DataSource

# Rows may have been set aside, and test issues are never stored.
SMALLEST_SHARE = 0.9


def is_of(source: DataSource, day: dt.date, closes: Mapping[str, float]) -> bool:
    """Whether the bars of *day*, by symbol with their close, are those of the simulated market *source*."""
    # Imported here, because a start that has a stamp to go by needs none of it.
    from simulated_market.invented.market import InventedMarket

    numbers = source.numbers
    market = InventedMarket(numbers["tickers"], numbers["seed"], TradingCalendar())
    invented = {row.T: row.c for row in market.grouped(day)}
    alike = sum(invented.get(symbol) == close for symbol, close in closes.items())
    return alike >= SMALLEST_SHARE * max(len(invented), len(closes))
