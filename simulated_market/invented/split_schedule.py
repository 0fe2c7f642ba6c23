"""Decides who splits when, and what a split does to raw prices.

Each fortnight has a forward, a reverse and a fractional split at least.  A split moves its row's raw price
by from/to at once; the level then drifts back, so that decades of splits never run a price off the scale.
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
    from collections.abc import Sequence

    from market.trading_calendar import TradingCalendar
    from simulated_market.invented.dice import Floats
    from simulated_market.invented.listing import Listing

_SPLITTING_TYPES = frozenset({"CS", "ADRC", "ETF"})
_LONGEST_DRIFT_DAYS = 400
_CHEAP = 8.0

# (split_from, split_to) of each sort.
FORWARD = ((1.0, 2.0), (1.0, 4.0), (1.0, 3.0), (1.0, 10.0), (1.0, 7.0))
REVERSE = ((10.0, 1.0), (5.0, 1.0), (20.0, 1.0), (7.5, 1.0), (4.0, 1.0))
FRACTIONAL = ((2.0, 3.0), (1.0, 1.05), (4.0, 5.0), (1.0, 1.5), (5.0, 7.0))


class ScheduledSplit(msgspec.Struct, frozen=True, kw_only=True):
    """One split of the company on a row; effective at the start of its day."""

    row: int
    day: dt.date
    split_from: float
    split_to: float
    kind: str


class SplitSchedule:
    """Every split of a market, from its first fortnight to the calendar's end."""

    def __init__(self, listings: Sequence[Listing], seed: int, calendar: TradingCalendar) -> None:
        self._listings = [item for item in listings if item.ticker_type in _SPLITTING_TYPES and not item.is_test_issue]
        self._seed = seed
        self._calendar = calendar
        self._each_period = min(len(self._listings), 3 + len(self._listings) // 220)
        turns = len(self._listings) // self._each_period if self._each_period else 1
        self._drift_days = max(DAYS, min(_LONGEST_DRIFT_DAYS, (turns - 1) * DAYS))
        self.of_period = lru_cache(maxsize=256)(self._of_period)

    def between(self, first: dt.date, last: dt.date) -> list[ScheduledSplit]:
        """Splits with first <= day <= last, by day."""
        low = max(FIRST_PERIOD, period_of(first) - 1)
        high = min(last_period(self._calendar), period_of(last))
        found = [
            split for period in range(low, high + 1) for split in self.of_period(period) if first <= split.day <= last
        ]
        return sorted(found, key=lambda split: (split.day, split.row))

    def log_levels(self, day: dt.date, rows: int) -> Floats:
        """What past splits still do to each row's log price on that day."""
        levels = np.zeros(rows)
        for split in self.between(day - dt.timedelta(days=self._drift_days), day):
            left = 1.0 - (day - split.day).days / self._drift_days
            levels[split.row] += math.log(split.split_from / split.split_to) * left
        return levels

    def _of_period(self, period: int) -> tuple[ScheduledSplit, ...]:
        """The splits drawn for one fortnight, each of another company."""
        count = len(self._listings)
        start = period * self._each_period
        chosen = (self._listings[self._shuffled(start + turn, count)] for turn in range(self._each_period))
        drawn = ((listing, self._split(listing, period, turn)) for turn, listing in enumerate(chosen))
        return tuple(split for listing, split in drawn if split.day > listing.first_day)

    def _shuffled(self, place: int, count: int) -> int:
        # A step prime to the count visits every company once before the first comes round again.
        step = next(step for step in range(count * 5 // 8 + 1, 2 * count + 2) if math.gcd(step, count) == 1)
        return place * step % count

    def _split(self, listing: Listing, period: int, turn: int) -> ScheduledSplit:
        number = dice.label(self._seed, dice.Purpose.SPLITS, period, turn)
        kind, (split_from, split_to) = _ratio(turn, number, listing.price)
        day = event_day(self._calendar, self._seed, period, f"split {turn}")
        return ScheduledSplit(row=listing.row, day=day, split_from=split_from, split_to=split_to, kind=kind)


def _ratio(turn: int, number: int, price: float) -> tuple[str, tuple[float, float]]:
    place = number % 5
    if turn == 0 or (turn > 2 and price >= _CHEAP and number % 3):
        return "forward_split", FORWARD[place]
    if turn == 1 or (turn > 2 and price < _CHEAP):
        return "reverse_split", REVERSE[place]
    ratio = FRACTIONAL[place]
    return ("stock_dividend" if ratio == (1.0, 1.05) else "forward_split"), ratio
