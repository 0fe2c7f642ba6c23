"""Gives another vendor something to begin from: every question is answered with "not included"."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from consumer.vendor.errors import NotEntitled

if TYPE_CHECKING:
    import datetime as dt

    from consumer.vendor.rows import (
        ClosureRow,
        DailyRow,
        DividendRow,
        FloatRow,
        GroupedDaily,
        RangeBars,
        SplitRow,
        TickerDetails,
        TickerListing,
        TickerRow,
    )
    from consumer.vendor.sieve import Sieve


class Lacking:
    """A vendor that has nothing: derive from it, and answer what yours has."""

    def __init__(self, words: str) -> None:
        self.words = words

    def lacks(self, what: str) -> NoReturn:
        """Say that this vendor does not have *what*; it is learned, named once and left out of the verdict."""
        raise NotEntitled(f"{self.words} has no {what}")

    async def grouped_daily(self, day: dt.date) -> GroupedDaily:
        self.lacks("bars of a day")

    async def five_minute_bars(self, symbol: str, first_day: dt.date, last_day: dt.date) -> RangeBars:
        self.lacks("intraday bars by symbol")

    async def daily_bar(self, symbol: str, day: dt.date) -> DailyRow | None:
        self.lacks("second way to a bar")

    async def list_tickers(self, *, active: bool = True, sieve: Sieve) -> TickerListing:
        self.lacks("listing")

    async def recently_delisted(self, *, sieve: Sieve) -> list[TickerRow]:
        self.lacks("list of what has left the market")

    async def ticker_details(self, symbol: str, *, sieve: Sieve) -> TickerDetails:
        self.lacks("details")

    async def list_floats(self, *, sieve: Sieve) -> list[FloatRow]:
        self.lacks("floats")

    async def list_splits(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[SplitRow]:
        self.lacks("splits")

    async def list_dividends(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[DividendRow]:
        self.lacks("dividends")

    async def upcoming_closures(self, *, sieve: Sieve) -> list[ClosureRow]:
        self.lacks("closures ahead")

    def tell_rest(self) -> None:
        """Nothing is counted."""
