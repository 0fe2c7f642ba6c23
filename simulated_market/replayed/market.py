"""Serves a folder of the vendor's flat files, and the splits beside them, as a market.

What a day file names is a ticker, in the file's spelling; of its company is known what the folder brings beside the
flat files (reference_files), and nothing else. Files are read when a day is asked for, and the days asked for last are
kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import UNSET

from simulated_market.bar_columns import BarColumns, folded, joined
from simulated_market.replayed import reference_files
from simulated_market.replayed.flat_file import DayFile, days_on_file, file_of_day, read_day, read_tickers
from simulated_market.wire_rows import GroupedRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from market.trading_calendar import TradingCalendar
    from simulated_market.wire_rows import DividendRow, FloatRow, SplitRow, TickerDetails, TickerEvents, TickerRow

_DAYS_KEPT = 16


class ReplayedMarket:
    """The market of a flat-files folder; a day without a file is a day without results."""

    def __init__(self, folder: Path, calendar: TradingCalendar) -> None:
        if not (folder / "us_stocks_sip" / "day_aggs_v1").is_dir():
            raise FileNotFoundError(f"{folder} holds no us_stocks_sip/day_aggs_v1: give the folder above it")
        self.calendar = calendar
        self._folder = folder
        self._splits = reference_files.read_splits(folder)
        self._dividends = reference_files.read_dividends(folder)
        self._details = reference_files.read_details(folder)
        self._floats = reference_files.read_floats(folder)
        self._daily = lru_cache(maxsize=64)(self._read_day)
        self._minutes = lru_cache(maxsize=_DAYS_KEPT)(self._read_minutes)
        traded = {ticker for _, path in days_on_file(folder, "day_aggs_v1") for ticker in read_tickers(path)}
        self._active, self._delisted = reference_files.listed(traded, reference_files.read_tickers_file(folder))

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
        return self._active

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        return self._delisted

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        return self._details.get(ticker)

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        return self._floats

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        return [row for row in self._splits if first.isoformat() <= row.execution_date <= last.isoformat()]

    def dividends(self, first: dt.date, last: dt.date) -> Sequence[DividendRow]:
        return [row for row in self._dividends if first.isoformat() <= row.ex_dividend_date <= last.isoformat()]

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        return None

    # Files

    def _read_day(self, day: dt.date) -> DayFile:
        return read_day(file_of_day(self._folder, "day_aggs_v1", day))

    def _read_minutes(self, day: dt.date) -> DayFile:
        return read_day(file_of_day(self._folder, "minute_aggs_v1", day))


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
