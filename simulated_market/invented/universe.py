"""Knows which symbol stands on which row on which day.

N rows always; a row without a listing on a day (not yet offered, between two companies) is vacant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING

from simulated_market.invented.changing_listings import changing_rows, renaming_row, rolling_row
from simulated_market.invented.static_listings import static_listings

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from market.trading_calendar import TradingCalendar
    from simulated_market.invented.listing import Listing

_DAYS_KEPT = 64


class Universe:
    """All listings of one simulated market, past, present and future."""

    def __init__(self, tickers: int, seed: int, calendar: TradingCalendar) -> None:
        turns = changing_rows(tickers)
        first = tickers - 2 * turns
        self.size = tickers
        self.static = static_listings(first, seed)
        self._changing = [
            *(rolling_row(first + turn, turn, turns, seed, calendar) for turn in range(turns)),
            *(renaming_row(first + turns + turn, turn, turns, seed, calendar) for turn in range(turns)),
        ]
        everything = [*self.static, *(listing for row in self._changing for listing in row)]
        self._by_symbol = {listing.symbol: listing for listing in everything}
        self._delisted = [item for item in everything if item.ended_day is not None and not item.renamed]
        self._days: OrderedDict[dt.date, Sequence[Listing | None]] = OrderedDict()

    def rows(self) -> list[Listing]:
        """One listing a row, for what belongs to rows: price level and activity."""
        return [*self.static, *(row[0] for row in self._changing)]

    def on(self, day: dt.date) -> Sequence[Listing | None]:
        """The listing of every row on that date, None where the row is vacant."""
        if (known := self._days.get(day)) is not None:
            self._days.move_to_end(day)
            return known
        self._days[day] = listings = [
            *(listing if listing.first_day <= day else None for listing in self.static),
            *(_current(row, day) for row in self._changing),
        ]
        if len(self._days) > _DAYS_KEPT:
            self._days.popitem(last=False)
        return listings

    def find(self, symbol: str) -> Listing | None:
        """The listing under exactly this spelling, whenever it is or was."""
        return self._by_symbol.get(symbol)

    def delisted(self, day: dt.date) -> list[Listing]:
        """Listings that had ended by that date, changes of ticker not among them."""
        return [item for item in self._delisted if item.ended_day is not None and item.ended_day <= day]

    def symbols_of(self, listing: Listing) -> list[Listing]:
        """Every listing of the same company, oldest first."""
        if not listing.renamed:
            return [listing]
        return next(row for row in self._changing if row[0].row == listing.row)


def _current(row: Sequence[Listing], day: dt.date) -> Listing | None:
    place = bisect_right(row, day, key=lambda listing: listing.first_day) - 1
    return row[place] if place >= 0 and row[place].trades_on(day) else None
