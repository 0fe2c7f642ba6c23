"""Gives a symbol to another company from a day on, as exchanges do with symbols that have become free.

The other company is one of a second market: bars, listing, details, floats and splits are all its own from that day on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from simulated_market.bar_columns import BarColumns, joined
from simulated_market.invented import dice

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from simulated_market.market_source import MarketSource
    from simulated_market.options import Reissue
    from simulated_market.wire_rows import (
        DividendRow,
        FloatRow,
        GroupedRow,
        SplitRow,
        TickerDetails,
        TickerEvents,
        TickerRow,
    )


class ReissuedMarket:
    """A market in which one symbol changes hands."""

    def __init__(self, market: MarketSource, others: MarketSource, reissue: Reissue) -> None:
        self.calendar = market.calendar
        self._market = market
        self._others = others
        self._symbol = reissue.symbol
        self._day = reissue.day
        companies = [row.ticker for row in others.active(reissue.day) if row.type == "CS" and len(row.ticker) < 5]
        self._donor = companies[dice.label("reissue", reissue.symbol) % len(companies)]

    # Bars

    def grouped(self, day: dt.date) -> list[GroupedRow]:
        rows = self._market.grouped(day)
        if day < self._day:
            return rows
        new = [msgspec.structs.replace(r, T=self._symbol) for r in self._others.grouped(day) if self._donor == r.T]
        return [*(row for row in rows if self._symbol != row.T), *new]

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        if ticker != self._symbol:
            return self._market.day_bars(ticker, days)
        before, since = self._parted(days)
        return joined([self._market.day_bars(ticker, before), self._others.day_bars(self._donor, since)])

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        if ticker != self._symbol:
            return self._market.minute_bars(ticker, days, width)
        before, since = self._parted(days)
        pieces = [self._market.minute_bars(ticker, before, width), self._others.minute_bars(self._donor, since, width)]
        return joined(pieces)

    def _parted(self, days: Sequence[dt.date]) -> tuple[list[dt.date], list[dt.date]]:
        return [day for day in days if day < self._day], [day for day in days if day >= self._day]

    # Reference data

    def active(self, as_of: dt.date) -> Sequence[TickerRow]:
        return self._with_donor(self._market.active(as_of), self._others.active, as_of)

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        return self._market.delisted(as_of)

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        if ticker != self._symbol or as_of < self._day:
            return self._market.details(ticker, as_of)
        found = self._others.details(self._donor, as_of)
        if found is None:
            return None
        return msgspec.structs.replace(found, ticker=self._symbol, list_date=self._day.isoformat())

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        return self._with_donor(self._market.floats(as_of), self._others.floats, as_of)

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        day = self._day.isoformat()
        own = [
            row for row in self._market.splits(first, last) if row.ticker != self._symbol or row.execution_date < day
        ]
        new = [
            msgspec.structs.replace(row, ticker=self._symbol)
            for row in self._others.splits(max(first, self._day), last)
            if row.ticker == self._donor
        ]
        return sorted([*own, *new], key=lambda row: row.execution_date)

    def dividends(self, first: dt.date, last: dt.date) -> Sequence[DividendRow]:
        day = self._day.isoformat()
        listed = self._market.dividends(first, last)
        own = [row for row in listed if row.ticker != self._symbol or row.ex_dividend_date < day]
        new = [
            msgspec.structs.replace(row, ticker=self._symbol)
            for row in self._others.dividends(max(first, self._day), last)
            if row.ticker == self._donor
        ]
        return sorted([*own, *new], key=lambda row: row.ex_dividend_date)

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        return self._market.events(identifier, as_of)

    def _with_donor(
        self, rows: Sequence[Any], of_others: Callable[[dt.date], Sequence[Any]], as_of: dt.date
    ) -> list[Any]:
        if as_of < self._day:
            return list(rows)
        donors = (row for row in of_others(as_of) if row.ticker == self._donor)
        new = [msgspec.structs.replace(row, ticker=self._symbol) for row in donors]
        return sorted([*(row for row in rows if row.ticker != self._symbol), *new], key=lambda row: row.ticker)
