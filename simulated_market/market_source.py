"""Names what the endpoints ask of a market, whether invented or replayed.

Raw prices and volumes always; splits are applied by the endpoints, once for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from market.trading_calendar import TradingCalendar
    from simulated_market.bar_columns import BarColumns
    from simulated_market.wire_rows import (
        DividendRow,
        FloatRow,
        GroupedRow,
        SplitRow,
        TickerDetails,
        TickerEvents,
        TickerRow,
    )


class MarketSource(Protocol):
    """A market's data; every `as_of` is a New York date, and nothing later is told."""

    @property
    def calendar(self) -> TradingCalendar: ...

    def grouped(self, day: dt.date) -> list[GroupedRow]:
        """Every ticker that traded on the day, each row new; empty if the day has no data."""
        ...

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        """The ticker's daily bars, each starting at New York midnight."""
        ...

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        """The ticker's bars of *width* minutes on the days that have any."""
        ...

    def active(self, as_of: dt.date) -> Sequence[TickerRow]:
        """Tickers listed on the date, in the order of their symbols."""
        ...

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        """Tickers that had gone by the date, in the order of their symbols."""
        ...

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        """What is known about a ticker; None if there is no such ticker then."""
        ...

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        """Free floats in the order of their symbols."""
        ...

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        """Splits executed in the interval, oldest first, without their historical factor."""
        ...

    def dividends(self, first: dt.date, last: dt.date) -> Sequence[DividendRow]:
        """Cash dividends with an ex-day in the interval, oldest first."""
        ...

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        """Changes of ticker of the company behind a symbol or FIGI, newest first."""
        ...
