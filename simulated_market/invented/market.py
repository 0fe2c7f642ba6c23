"""Puts universe, splits, daily and intraday bars together into a market that never existed.

The same seed, number of tickers and day give the same data, in any order of asking.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from market.trading_calendar import NEW_YORK, TradingCalendar
from simulated_market.bar_columns import BarColumns, folded, joined
from simulated_market.invented import companies, daily_prices, dice
from simulated_market.invented.daily_prices import DailyPrices
from simulated_market.invented.dividend_schedule import DividendSchedule
from simulated_market.invented.intraday_bars import five_minute_bars
from simulated_market.invented.minute_bars import split_into_minutes
from simulated_market.invented.periods import HISTORY_BEGINS
from simulated_market.invented.session_shape import SessionShape, session_shape
from simulated_market.invented.split_schedule import SplitSchedule
from simulated_market.invented.universe import Universe
from simulated_market.wire_rows import (
    DividendRow,
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

    from simulated_market.invented.dividend_schedule import ScheduledDividend
    from simulated_market.invented.listing import Listing

# The vendor's share counts follow a split some days late.
_SHARE_COUNT_LAG = dt.timedelta(days=3)
_SHARE_COUNT_MEMORY = dt.timedelta(days=400)
_DECLARED_BEFORE, _PAID_AFTER = dt.timedelta(days=28), dt.timedelta(days=14)


class InventedMarket:
    """The market that stands behind the endpoints unless a replay does."""

    def __init__(self, tickers: int, seed: int, calendar: TradingCalendar, *, dividends: bool = False) -> None:
        self.calendar = calendar
        self._seed = seed
        self._universe = Universe(tickers, seed, calendar)
        self._splits = SplitSchedule(self._universe.static, seed, calendar)
        self._dividends = DividendSchedule(self._universe.static, seed, calendar) if dividends else None
        self._prices = DailyPrices(self._universe, self._splits, self._dividends, seed, calendar)
        self._window = lru_cache(maxsize=16)(self._make_window)
        self._listed = lru_cache(maxsize=4)(self._list)
        self._share_ratios = lru_cache(maxsize=8)(self._make_share_ratios)

    # Bars

    def grouped(self, day: dt.date) -> list[GroupedRow]:
        if day < HISTORY_BEGINS or not self.calendar.is_trading_day(day):
            return []
        bars = self._prices.on(day)
        listings = self._universe.on(day)
        rows = np.flatnonzero(bars.traded)
        columns = bars.columns[rows]
        at = int(self.calendar.session(day).closes_at.timestamp()) * 1000
        opens, closes, highs, lows, volumes, averages, trades, _ = columns.T.tolist()
        symbols = [listing.symbol for row in rows.tolist() if (listing := listings[row]) is not None]
        counts = columns[:, daily_prices.TRADES].astype(np.int64).tolist()
        return list(map(GroupedRow, symbols, volumes, averages, opens, closes, highs, lows, [at] * len(trades), counts))

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        row, days = self._trading(ticker, days)
        days = [day for day in days if self._prices.on(day).traded[row]]
        if not days:
            return joined([])
        midnights = [dt.datetime.combine(day, dt.time(), tzinfo=NEW_YORK) for day in days]
        columns = np.array([self._prices.on(day).columns[row] for day in days]).reshape(len(days), 8)
        return BarColumns(
            starts_ms=np.array([int(midnight.timestamp()) * 1000 for midnight in midnights], dtype=np.int64),
            opens=columns[:, daily_prices.OPEN],
            closes=columns[:, daily_prices.CLOSE],
            highs=columns[:, daily_prices.HIGH],
            lows=columns[:, daily_prices.LOW],
            volumes=columns[:, daily_prices.VOLUME],
            averages=columns[:, daily_prices.AVERAGE],
            trades=columns[:, daily_prices.TRADES].astype(np.int64),
            minutes=np.ones(len(days), dtype=np.int64),
        )

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        row, days = self._trading(ticker, days)
        if not days:
            return joined([])
        shapes, day_keys = self._window(tuple(days))
        daily = [self._prices.on(day) for day in days]
        bars = five_minute_bars(
            np.array([bar.columns[row] for bar in daily]).reshape(len(days), 8),
            np.array([bar.traded[row] for bar in daily], dtype=np.bool_),
            shapes,
            float(self._prices.trades_a_day[row]),
            dice.mix(day_keys + np.uint64(row)),
        )
        if width % 5:
            bars = split_into_minutes(bars)
        return bars if width in (1, 5) else folded(bars, width * 60_000)

    def _trading(self, ticker: str, days: Sequence[dt.date]) -> tuple[int, list[dt.date]]:
        """The ticker's row, and which of the days it was listed on."""
        listing = self._universe.find(ticker)
        if listing is None:
            return 0, []
        return listing.row, [day for day in days if day >= HISTORY_BEGINS and listing.trades_on(day)]

    def _make_window(self, days: tuple[dt.date, ...]) -> tuple[list[SessionShape], dice.Words]:
        keys = [dice.label(self._seed, dice.Purpose.MINUTES, day.toordinal()) for day in days]
        return [session_shape(self.calendar.session(day)) for day in days], np.array(keys, dtype=np.uint64)

    # Reference data

    def active(self, as_of: dt.date) -> Sequence[TickerRow]:
        return self._listed(as_of)

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        gone = (companies.ticker_row(listing, as_of) for listing in self._universe.delisted(as_of))
        return sorted(gone, key=lambda row: row.ticker)

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        listing = self._universe.find(ticker)
        if listing is None or as_of < listing.first_day or (listing.renamed and not listing.trades_on(as_of)):
            return None
        return companies.ticker_details(listing, as_of, self._shares(listing, as_of), self._last_close(listing, as_of))

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        listed = (listing for listing in self._universe.on(as_of) if listing is not None)
        rows = (companies.float_row(listing, as_of, self._shares(listing, as_of)) for listing in listed)
        return sorted((row for row in rows if row is not None), key=lambda row: row.ticker)

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        symbols = self._universe.static
        return [
            SplitRow(
                id=f"{dice.label(self._seed, 'split', split.row, split.day.toordinal()):016x}",
                ticker=symbols[split.row].symbol,
                execution_date=split.day.isoformat(),
                split_from=_number(split.split_from),
                split_to=_number(split.split_to),
                adjustment_type=split.kind,
            )
            for split in self._splits.between(first, last)
        ]

    def dividends(self, first: dt.date, last: dt.date) -> Sequence[DividendRow]:
        scheduled = [] if self._dividends is None else self._dividends.between(first, last)
        return [self._dividend_row(one) for one in scheduled]

    def _dividend_row(self, one: ScheduledDividend) -> DividendRow:
        """Of so much a share as its price falls by, from the last price before it."""
        listing = self._universe.static[one.row]
        before = self._prices.on(self.calendar.previous_trading_day(one.day)).columns[one.row, daily_prices.CLOSE]
        record = self.calendar.next_trading_day(one.day)
        return DividendRow(
            id=f"{dice.label(self._seed, 'dividend', one.row, one.day.toordinal()):016x}",
            ticker=listing.symbol,
            cash_amount=max(round(float(before) * one.share * one.currency_rate, 6), 1e-6),
            currency=one.currency,
            declaration_date=(one.day - _DECLARED_BEFORE).isoformat(),
            ex_dividend_date=one.day.isoformat(),
            record_date=record.isoformat(),
            pay_date=(record + _PAID_AFTER).isoformat(),
            frequency=one.frequency,
            distribution_type=one.kind,
        )

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        listing = self._universe.find(identifier) or self._by_figi(identifier, as_of)
        if listing is None or listing.first_day > as_of:
            return None
        names = [item for item in self._universe.symbols_of(listing) if item.first_day <= as_of]
        changes = [
            TickerEvent(date=item.first_day.isoformat(), ticker_change=TickerChange(ticker=item.symbol))
            for item in reversed(names)
        ]
        return TickerEvents(name=listing.name, composite_figi=companies.composite_figi(listing), events=changes)

    def _by_figi(self, identifier: str, as_of: dt.date) -> Listing | None:
        listed = (listing for listing in self._universe.on(as_of) if listing is not None)
        return next((listing for listing in listed if companies.composite_figi(listing) == identifier), None)

    def _list(self, as_of: dt.date) -> list[TickerRow]:
        listed = (listing for listing in self._universe.on(as_of) if listing is not None)
        return sorted((companies.ticker_row(listing, as_of) for listing in listed), key=lambda row: row.ticker)

    def _shares(self, listing: Listing, as_of: dt.date) -> int:
        return max(1, round(listing.shares * self._share_ratios(as_of).get(listing.row, 1.0)))

    def _make_share_ratios(self, as_of: dt.date) -> dict[int, float]:
        """By row, what the splits of the last year did to the number of shares."""
        known = as_of - _SHARE_COUNT_LAG
        ratios: dict[int, float] = {}
        for split in self._splits.between(known - _SHARE_COUNT_MEMORY, known):
            ratios[split.row] = ratios.get(split.row, 1.0) * split.split_to / split.split_from
        return ratios

    def _last_close(self, listing: Listing, as_of: dt.date) -> float | None:
        if as_of <= HISTORY_BEGINS:
            return None
        day = self.calendar.previous_trading_day(as_of)
        if not listing.trades_on(day):
            return None
        return float(self._prices.on(day).columns[listing.row, daily_prices.CLOSE])


def _number(ratio: float) -> float | int:
    return int(ratio) if ratio.is_integer() else ratio
