"""Lets companies of the invented market change what the vendor says of them, and knows what was true on each day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from market.symbols import is_test_issue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulated_market.bar_columns import BarColumns
    from simulated_market.market_source import MarketSource
    from simulated_market.wire_rows import FloatRow, GroupedRow, SplitRow, TickerDetails, TickerEvents, TickerRow

#: What the vendor's share counts are behind a split; of that many days after the last night a count has followed all.
_LAG = dt.timedelta(days=3)


class Changing(msgspec.Struct, frozen=True, kw_only=True):
    """From *day* on the vendor says *fields* of *symbol*; shares and float are *factor* times as many."""

    symbol: str
    day: dt.date
    fields: Mapping[str, Any] = {}
    factor: int = 1


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
    """The *market*, with *changes* to what its reference data say."""

    def __init__(self, market: MarketSource, changes: Sequence[Changing]) -> None:
        self.calendar = market.calendar
        self._market = market
        self._changes = changes

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
        return self._market.grouped(day)

    def day_bars(self, ticker: str, days: Sequence[dt.date]) -> BarColumns:
        return self._market.day_bars(ticker, days)

    def minute_bars(self, ticker: str, days: Sequence[dt.date], width: int) -> BarColumns:
        return self._market.minute_bars(ticker, days, width)

    def delisted(self, as_of: dt.date) -> Sequence[TickerRow]:
        return self._market.delisted(as_of)

    def splits(self, first: dt.date, last: dt.date) -> Sequence[SplitRow]:
        return self._market.splits(first, last)

    def events(self, identifier: str, as_of: dt.date) -> TickerEvents | None:
        return self._market.events(identifier, as_of)

    # What was true

    def truth(self, day: dt.date) -> dict[str, Truth]:
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
