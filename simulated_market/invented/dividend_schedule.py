"""Decides who pays a dividend when, and what it does to raw prices.

Every second company that may pay does so each seventh fortnight, depositary receipts in another currency than dollars.
Each fortnight has three others besides: a special dividend that its price shows, one that it does not, and one of a
foreign currency. A shown one moves its row's price by its share of it at once; the level then drifts back, as after a
split. Stock dividends are splits, as they are with the vendor.
"""

from __future__ import annotations

import datetime as dt
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from simulated_market.invented import dice
from simulated_market.invented.periods import DAYS, FIRST_PERIOD, event_day, last_period, period_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from market.trading_calendar import TradingCalendar
    from simulated_market.invented.dice import Floats
    from simulated_market.invented.listing import Listing

_PAYING_TYPES = frozenset({"CS", "ADRC", "ETF", "PFD"})
_EVERY = 7  # fortnights from one ordinary dividend to the next
_QUARTERLY, _ONCE = 4, 0
_DRIFT = dt.timedelta(days=_EVERY * DAYS)
#: A price below this is too coarse in its cents to show a special dividend of a known share.
_DEAR = 8.0
#: Kind, currency, how much of it is a dollar, and whether the price shows it: of each fortnight.
_OTHERS = (("special", "USD", 1.0, True), ("special", "USD", 1.0, False), ("irregular", "EUR", 0.9, True))
_FOREIGN = (("CAD", 1.4), ("EUR", 0.9), ("JPY", 150.0))  # and how much of it is a dollar


class ScheduledDividend(msgspec.Struct, frozen=True, kw_only=True):
    """A dividend of the company on a row: *share* of its last price before *day*, of which *currency_rate* a dollar."""

    row: int
    day: dt.date
    share: float
    kind: str
    frequency: int
    currency: str = "USD"
    currency_rate: float = 1.0
    is_shown: bool = True


class DividendSchedule:
    """Every dividend of a market, from its first fortnight to the calendar's end."""

    def __init__(self, listings: Sequence[Listing], seed: int, calendar: TradingCalendar) -> None:
        may_pay = [item for item in listings if item.ticker_type in _PAYING_TYPES and not item.is_test_issue]
        self._payers = may_pay[::2]
        # Who pays nothing ordinary pays the special ones, so that no two fall on one day.
        self._others = [item for item in may_pay[1::2] if item.price >= _DEAR]
        self._seed = seed
        self._calendar = calendar
        self.of_period = lru_cache(maxsize=256)(self._of_period)

    def between(self, first: dt.date, last: dt.date) -> list[ScheduledDividend]:
        """Dividends with first <= ex-day <= last, by day."""
        low = max(FIRST_PERIOD, period_of(first) - 1)
        high = min(last_period(self._calendar), period_of(last))
        found = [one for period in range(low, high + 1) for one in self.of_period(period) if first <= one.day <= last]
        return sorted(found, key=lambda one: (one.day, one.row))

    def log_levels(self, day: dt.date, rows: int) -> Floats:
        """What past dividends still do to each row's log price on that day."""
        levels = np.zeros(rows)
        for one in self.between(day - _DRIFT, day):
            if one.is_shown:
                levels[one.row] += math.log1p(-one.share) * (1.0 - (day - one.day) / _DRIFT)
        return levels

    def _of_period(self, period: int) -> tuple[ScheduledDividend, ...]:
        return tuple(one for one in (*self._ordinary(period), *self._others_pay(period)))

    def _ordinary(self, period: int) -> Iterator[ScheduledDividend]:
        for place, listing in enumerate(self._payers):
            day = event_day(self._calendar, self._seed, period, f"dividend {place % 9}")
            if (period + place) % _EVERY or day <= listing.first_day:
                continue
            number = dice.label(self._seed, dice.Purpose.DIVIDENDS, listing.row)
            currency, rate = _FOREIGN[number % 3] if listing.ticker_type == "ADRC" else ("USD", 1.0)
            yield ScheduledDividend(
                row=listing.row,
                day=day,
                share=0.002 + 0.001 * (number % 9),
                kind="recurring",
                frequency=_QUARTERLY,
                currency=currency,
                currency_rate=rate,
            )

    def _others_pay(self, period: int) -> Iterator[ScheduledDividend]:
        if len(self._others) < len(_OTHERS):
            return
        for turn, (kind, currency, rate, is_shown) in enumerate(_OTHERS):
            listing = self._others[(len(_OTHERS) * period + turn) % len(self._others)]
            day = event_day(self._calendar, self._seed, period, f"other dividend {turn}")
            if day > listing.first_day:
                yield ScheduledDividend(
                    row=listing.row,
                    day=day,
                    share=0.12 + 0.02 * (period % 5),
                    kind=kind,
                    frequency=_ONCE,
                    currency=currency,
                    currency_rate=rate,
                    is_shown=is_shown,
                )
