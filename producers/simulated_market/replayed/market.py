"""Serves a folder of the vendor's flat files, and the splits beside them, as a market.

What a day file names is a ticker, in the file's spelling; its company is made up from the name alone.
Files are read when a day is asked for, and the days asked for last are kept.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from producers.simulated_market.bar_columns import BarColumns, folded, joined
from producers.simulated_market.invented import companies, dice
from producers.simulated_market.invented.listing import Listing
from producers.simulated_market.invented.sic_codes import SIC_CODES
from producers.simulated_market.invented.static_listings import share_count
from producers.simulated_market.replayed.flat_file import DayFile, days_on_file, file_of_day, read_day, read_tickers
from producers.simulated_market.wire_rows import (
    FloatRow,
    GroupedRow,
    SplitRow,
    TickerChange,
    TickerDetails,
    TickerEvent,
    TickerEvents,
    TickerRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from market.trading_calendar import TradingCalendar

_DAYS_KEPT = 16


class ReplayedMarket:
    """The market of a flat-files folder; a day without a file is a day without results."""

    def __init__(self, folder: Path, calendar: TradingCalendar) -> None:
        if not (folder / "us_stocks_sip" / "day_aggs_v1").is_dir():
            raise FileNotFoundError(f"{folder} holds no us_stocks_sip/day_aggs_v1: give the folder above it")
        self.calendar = calendar
        self._folder = folder
        self._splits = _read_splits(folder / "splits.json")
        self._daily = lru_cache(maxsize=64)(self._read_day)
        self._minutes = lru_cache(maxsize=_DAYS_KEPT)(self._read_minutes)
        self._listings = self._read_listings()

    # Bars

    def grouped(self, day: dt.date) -> list[GroupedRow]:
        file = self._daily(day)
        if not file.places or not self.calendar.is_trading_day(day):
            return []
        at = int(self.calendar.session(day).closes_at.timestamp()) * 1000
        return [_grouped_row(ticker, file.bars, place.start, at) for ticker, place in file.places.items()]

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        return joined([bars for day in days if (bars := self._daily(day).bars_of(ticker)) is not None])

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        bars = joined([bars for day in days if (bars := self._minutes(day).bars_of(ticker)) is not None])
        return bars if width == 1 else folded(bars, width * 60_000)

    # Reference data

    def active(self, as_of: dt.date) -> Sequence[TickerRow]:
        return [companies.ticker_row(listing, as_of) for listing in self._listings.values()]

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        return []

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        listing = self._listings.get(ticker)
        if listing is None:
            return None
        return companies.ticker_details(listing, as_of, listing.shares, self._last_close(ticker, as_of))

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        rows = (companies.float_row(listing, as_of, listing.shares) for listing in self._listings.values())
        return [row for row in rows if row is not None]

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        return [row for row in self._splits if first.isoformat() <= row.execution_date <= last.isoformat()]

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        listing = self._listings.get(identifier)
        if listing is None:
            return None
        first = TickerEvent(date=listing.listed_day.isoformat(), ticker_change=TickerChange(ticker=identifier))
        return TickerEvents(name=listing.name, composite_figi=companies.composite_figi(listing), events=[first])

    # Files

    def _read_day(self, day: dt.date) -> DayFile:
        return read_day(file_of_day(self._folder, "day_aggs_v1", day))

    def _read_minutes(self, day: dt.date) -> DayFile:
        return read_day(file_of_day(self._folder, "minute_aggs_v1", day))

    def _read_listings(self) -> dict[str, Listing]:
        """A listing for every ticker of any day file, in the order of their symbols."""
        first_days: dict[str, dt.date] = {}
        for day, path in days_on_file(self._folder, "day_aggs_v1"):
            for ticker in read_tickers(path):
                first_days.setdefault(ticker, day)
        return {ticker: _listing(ticker, first_days[ticker]) for ticker in sorted(first_days)}

    def _last_close(self, ticker: str, as_of: dt.date) -> float | None:
        """The close of the latest session before the date, or within the week before it."""
        if as_of > self.calendar.LAST_DAY or as_of < self.calendar.FIRST_DAY + dt.timedelta(days=30):
            return None
        for day in reversed(self.calendar.last_trading_days(5, up_to=as_of - dt.timedelta(days=1))):
            if (bars := self._daily(day).bars_of(ticker)) is not None:
                return float(bars.closes[-1])
        return None


def _grouped_row(ticker: str, bars: BarColumns, place: int, at: int) -> GroupedRow:
    return GroupedRow(
        T=ticker,
        v=float(bars.volumes[place]),
        vw=UNSET,
        o=float(bars.opens[place]),
        c=float(bars.closes[place]),
        h=float(bars.highs[place]),
        l=float(bars.lows[place]),
        t=at,
        n=int(bars.trades[place]) or UNSET,
    )


def _listing(ticker: str, first_day: dt.date) -> Listing:
    entity = dice.label("replay", ticker)
    return Listing(
        row=0,
        symbol=ticker,
        ticker_type="CS",
        name=f"{ticker} (replayed)",
        exchange="XNYS",
        sic=SIC_CODES[dice.label(entity, "sic") % len(SIC_CODES)][0],
        entity=entity,
        listed_day=first_day,
        first_day=dt.date.min,
        price=1.0,
        trades_a_day=1.0,
        shares=share_count(entity),
    )


def _read_splits(path: Path) -> list[SplitRow]:
    rows = msgspec.json.decode(path.read_bytes(), type=list[SplitRow]) if path.exists() else []
    return sorted(rows, key=lambda row: (row.execution_date, row.ticker))
