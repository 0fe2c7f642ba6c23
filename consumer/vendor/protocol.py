"""Says what maintenance asks of whoever sells market data; tasks know a vendor by this and nothing else.

An answer is whole or an error of the tree in errors.py: an error never becomes an empty list. What a vendor or its plan
does not have is `NotEntitled`, which is learned as a capability that lacks (cycle/plan_learning.py); a session that is
not out yet is `NotYetPublished`. What cannot be true of an answer is set aside, in its result or in the sieve that came
with the question. Prices are raw, as traded on the day. docs/extending.md follows a second implementation.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from consumer.vendor.rows import (
        ClosureRow,
        DailyRow,
        DividendRow,
        FloatRow,
        GroupedDaily,
        MinuteSlots,
        RangeBars,
        SplitRow,
        TickerDetails,
        TickerListing,
        TickerRow,
    )
    from consumer.vendor.sieve import Sieve
    from market.session import TradingSession


class MarketDataVendor(Protocol):
    """The questions of a night."""

    async def grouped_daily(self, day: dt.date) -> GroupedDaily:
        """The whole market's bars of *day*; no rows is an answer."""

    async def five_minute_bars(self, symbol: str, first_day: dt.date, last_day: dt.date) -> RangeBars:
        """One ticker's five-minute bars of all these days, extended hours included."""

    async def daily_bar(self, symbol: str, day: dt.date) -> DailyRow | None:
        """One ticker's bar of *day* by another way than `grouped_daily`; None: no bar."""

    async def list_tickers(self, *, active: bool = True, sieve: Sieve) -> TickerListing:
        """Every stock ticker, read to the end."""

    async def recently_delisted(self, *, sieve: Sieve) -> list[TickerRow]:
        """The tickers that left the market last, newest first."""

    async def ticker_details(self, symbol: str, *, sieve: Sieve) -> TickerDetails:
        """One ticker's details; `TickerNotFound` where the vendor knows none."""

    async def list_floats(self, *, sieve: Sieve) -> list[FloatRow]:
        """Every ticker's free float."""

    async def list_splits(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[SplitRow]:
        """The splits executed from *since* to *until*, both included."""

    async def list_dividends(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[DividendRow]:
        """The cash dividends with an ex-day from *since* to *until*, both included; amounts as they were paid."""

    async def upcoming_closures(self, *, sieve: Sieve) -> list[ClosureRow]:
        """The exchanges' closures and early closes ahead."""

    def tell_rest(self) -> None:
        """Say in the log what was counted and not said yet; when a pass or the process ends."""


class FlatFileKind(Enum):
    """What a file of one session holds."""

    DAY = "day"
    MINUTE = "minute"


class FlatFile(Protocol):
    """A file on this machine that holds one session of the whole market."""

    @property
    def version(self) -> str:
        """Which of the vendor's files this is: another one once the vendor has replaced it."""

    def minute_slots(self, session: TradingSession) -> MinuteSlots:
        """Its minutes summed into slots; blocks, so call it in a thread."""

    def day_bars(self, day: dt.date) -> GroupedDaily:
        """Its bars, held to the same rules as an answer of that day; blocks."""


class FlatFileStore(Protocol):
    """Where flat files are."""

    async def versions(self, kind: FlatFileKind, days: Collection[dt.date]) -> dict[dt.date, str]:
        """The versions of those files of *days* that are published, in as few questions as may be."""

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FlatFile:
        """The file itself; NotYetPublished where there is none."""
