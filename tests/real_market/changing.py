"""Lets companies of the real files change their symbol and their codes, and lists them as a vendor errs.

Bars stay real; only under which symbol they stand, and what the reference data say, is made up here.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from simulated_market.wire_rows import FloatRow, TickerDetails, TickerEvents, TickerRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulated_market.bar_columns import BarColumns
    from simulated_market.replayed.market import ReplayedMarket
    from simulated_market.wire_rows import GroupedRow, SplitRow

SHARES = 861_000_000  # Apple's before its split, about; the others get as many


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What happens: AAPL is *formerly* until *renamed*, and its split stays listed so; IBM's FIGI is corrected once."""

    formerly: str
    renamed: dt.date
    corrected: dt.date
    unlisted: dict[dt.date, str]
    list_dates: dict[str, dt.date]


class ChangingMarket:
    """The replayed market, with *changes*."""

    def __init__(self, market: ReplayedMarket, changes: Changes) -> None:
        self.calendar = market.calendar
        self._market = market
        self._changes = changes
        self._companies = [row.ticker for row in market.active(dt.date.max)]

    def _called(self, ticker: str, day: dt.date) -> str:
        return self._changes.formerly if ticker == "AAPL" and day < self._changes.renamed else ticker

    def grouped(self, day: dt.date) -> list[GroupedRow]:
        return [msgspec.structs.replace(row, T=self._called(row.T, day)) for row in self._market.grouped(day)]

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        return self._market.day_bars(*self._asked(ticker, days))

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        return self._market.minute_bars(*self._asked(ticker, days), width)

    def _asked(self, ticker: str, days: Sequence[dt.date]) -> tuple[str, list[dt.date]]:
        company = "AAPL" if ticker == self._changes.formerly else ticker
        return company, [day for day in days if self._called(company, day) == ticker]

    def active(self, as_of: dt.date) -> Sequence[TickerRow]:
        lacking = self._changes.unlisted.get(as_of)
        rows = [self._row(company, as_of) for company in self._companies if company != lacking]
        return sorted(rows, key=lambda row: row.ticker)

    def _row(self, company: str, as_of: dt.date) -> TickerRow:
        return TickerRow(**self._facts(company, as_of))

    def _facts(self, company: str, as_of: dt.date) -> dict[str, Any]:
        corrected = company == "IBM" and as_of >= self._changes.corrected
        number = self._companies.index(company)
        return {
            "ticker": self._called(company, as_of), "name": f"{company} Corp", "market": "stocks", "locale": "us",
            "type": "CS", "active": True, "currency_name": "usd", "cik": f"{number + 1:010}",
            "composite_figi": f"BBG{'C' if corrected else 'A'}{number:08}", "share_class_figi": f"BBGS{number:08}",
        }  # fmt: skip

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        return []

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        company = "AAPL" if ticker == self._called("AAPL", as_of) else ticker
        if company not in self._companies or ticker != self._called(company, as_of):
            return None
        listed = self._changes.list_dates.get(company)
        return TickerDetails(
            **self._facts(company, as_of), weighted_shares_outstanding=SHARES,
            list_date=None if listed is None else listed.isoformat(),
        )  # fmt: skip

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        return []

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        return [msgspec.structs.replace(row, ticker=self._changes.formerly) for row in self._market.splits(first, last)]

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        return None
