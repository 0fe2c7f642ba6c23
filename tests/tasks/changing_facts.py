"""Lets companies of the invented market change what the vendor says of them, and knows what was true on each day.

One may give a part of itself to its holders: from that morning its prices are less, and nothing else says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from market.symbols import is_test_issue
from simulated_market.bar_columns import BarColumns, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulated_market.market_source import MarketSource
    from simulated_market.wire_rows import (
        DividendRow,
        FloatRow,
        GroupedRow,
        SplitRow,
        TickerDetails,
        TickerEvents,
        TickerRow,
    )

#: What the vendor's share counts are behind a split; of that many days after the last night a count has followed all.
_LAG = dt.timedelta(days=3)


class Changing(msgspec.Struct, frozen=True, kw_only=True):
    """From *day* on the vendor says *fields* of *symbol*; shares and float are *factor* times as many."""

    symbol: str
    day: dt.date
    fields: Mapping[str, Any] = {}
    factor: int = 1


class SpinOff(msgspec.Struct, frozen=True, kw_only=True):
    """From the morning of *day* on a share of *symbol* is worth *kept* of what it would have been."""

    symbol: str
    day: dt.date
    kept: float


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What was so of a symbol on a day."""

    name: str | None
    exchange: str | None
    type: str | None
    figi: str | None
    cik: str | None
    sic: str | None
    shares: float | None
    float_shares: float | None


class ChangingFacts:
    """The *market*, with *changes* to what its reference data say, and with a company that is less since *spun_off*."""

    def __init__(self, market: MarketSource, changes: Sequence[Changing], spun_off: SpinOff | None = None) -> None:
        self.calendar = market.calendar
        self._market = market
        self._changes = changes
        self._spun_off = spun_off
        self.truth = cache(self._truths)

    def _kept(self, symbol: str, day: dt.date) -> float:
        one = self._spun_off
        return one.kept if one is not None and symbol == one.symbol and day >= one.day else 1.0

    def _so(self, row: Any, as_of: dt.date) -> Any:
        for change in self._changes:
            if change.symbol == row.ticker and change.day <= as_of:
                known = {name: value for name, value in change.fields.items() if name in row.__struct_fields__}
                row = msgspec.structs.replace(row, **known)
        return row

    def _factor(self, symbol: str, as_of: dt.date) -> int:
        factor = 1
        for change in self._changes:
            factor *= change.factor if (change.symbol == symbol and change.day <= as_of) else 1
        return factor

    def active(self, as_of: dt.date) -> Sequence[TickerRow]:
        return [self._so(row, as_of) for row in self._market.active(as_of)]

    def details(self, ticker: str, as_of: dt.date) -> TickerDetails | None:
        found = self._market.details(ticker, as_of)
        if found is None:
            return None
        found = self._so(found, as_of)
        factor = self._factor(ticker, as_of)
        counts = ("share_class_shares_outstanding", "weighted_shares_outstanding")
        more = {name: value * factor for name in counts if (value := getattr(found, name)) is not None}
        return msgspec.structs.replace(found, **more)

    def floats(self, as_of: dt.date) -> Sequence[FloatRow]:
        return [
            msgspec.structs.replace(row, free_float=row.free_float * self._factor(row.ticker, as_of))
            for row in self._market.floats(as_of)
        ]

    def grouped(self, day: dt.date) -> list[GroupedRow]:
        return [self._worth(row, self._kept(row.T, day)) for row in self._market.grouped(day)]

    def _worth(self, row: GroupedRow, kept: float) -> GroupedRow:
        if kept == 1.0:
            return row
        prices = {name: round(getattr(row, name) * kept, 4) for name in ("o", "h", "l", "c", "vw")}
        return msgspec.structs.replace(row, **prices)

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        return self._pieces(ticker, days, lambda some: self._market.day_bars(ticker, some))

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        return self._pieces(ticker, days, lambda some: self._market.minute_bars(ticker, some, width))

    def _pieces(
        self, ticker: str, days: Sequence[dt.date], bars_of: Callable[[list[dt.date]], BarColumns]
    ) -> BarColumns:
        """The bars of *days*, at what a share was worth on each; volumes are as they were."""
        pieces = []
        for kept in sorted({self._kept(ticker, day) for day in days}, reverse=True):
            piece = bars_of([day for day in days if self._kept(ticker, day) == kept])
            priced = {name: getattr(piece, name) * kept for name in ("opens", "closes", "highs", "lows")}
            averages = None if piece.averages is None else piece.averages * kept
            pieces.append(msgspec.structs.replace(piece, **priced, averages=averages))
        return joined(pieces)

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        return self._market.delisted(as_of)

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        return self._market.splits(first, last)

    def dividends(self, first: dt.date, last: dt.date) -> Sequence[DividendRow]:
        """As many parts of the price before the ex-day as they would have been."""
        rows = []
        for row in self._market.dividends(first, last):
            before = self.calendar.previous_trading_day(dt.date.fromisoformat(row.ex_dividend_date))
            rows.append(msgspec.structs.replace(row, cash_amount=row.cash_amount * self._kept(row.ticker, before)))
        return rows

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        return self._market.events(identifier, as_of)

    # What was true

    def _truths(self, day: dt.date) -> dict[str, Truth]:
        """Whoever was listed on *day*, with what was so of each."""
        floats = {row.ticker: float(row.free_float) for row in self.floats(day)}
        return {
            row.ticker: self._truth(row, floats.get(row.ticker), day)
            for row in self.active(day)
            if not is_test_issue(row.ticker)
        }

    def _truth(self, row: TickerRow, float_shares: float | None, day: dt.date) -> Truth:
        details = self.details(row.ticker, day)
        assert details is not None
        shares = details.weighted_shares_outstanding or details.share_class_shares_outstanding
        return Truth(
            name=row.name,
            exchange=row.primary_exchange,
            type=row.type,
            figi=row.composite_figi,
            cik=row.cik,
            sic=details.sic_code,
            shares=None if shares is None else shares * self._not_followed(row.ticker, day),
            float_shares=float_shares,
        )

    def _not_followed(self, symbol: str, day: dt.date) -> float:
        """By what the splits of the days before *day* that the vendor's count has not followed yet multiply it."""
        factor = 1.0
        for split in self.splits(day - _LAG, day):
            executed = dt.date.fromisoformat(split.execution_date)
            if split.ticker == symbol and executed <= day < executed + _LAG:
                factor *= split.split_to / split.split_from
        return factor
