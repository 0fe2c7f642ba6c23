"""Makes every row's daily bar for a day, as vectors.

A close is a slow wave plus noise around the row's level, times what splits and dividends left of it: any day is
computed from its own date and the session before, never by walking there.  Prices and volumes are raw.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from simulated_market.invented import dice
from simulated_market.invented.dice import Floats

if TYPE_CHECKING:
    import datetime as dt

    from market.trading_calendar import TradingCalendar
    from simulated_market.invented.dividend_schedule import DividendSchedule
    from simulated_market.invented.split_schedule import SplitSchedule
    from simulated_market.invented.universe import Universe

OPEN, CLOSE, HIGH, LOW, VOLUME, AVERAGE, TRADES, TICKS = range(8)
_DAYS_KEPT = 64
_WAVES = ((430.0, 0.22), (97.0, 0.08), (23.0, 0.03))
_VOLATILITY = {"ETF": 0.008, "ETN": 0.012, "PFD": 0.004, "SP": 0.003, "UNIT": 0.002, "WARRANT": 0.05, "RIGHT": 0.05}
_COMMON_VOLATILITY = 0.017
_QUIET_TYPES = frozenset({"PFD", "SP", "UNIT", "ADRP"})


class DailyBars(msgspec.Struct, frozen=True, kw_only=True):
    """One day of every row: `columns[row]` holds the eight numbers named above; `traded[row]` if any."""

    columns: Floats
    traded: npt.NDArray[np.bool_]


class DailyPrices:
    """Daily bars of one simulated market; keeps the days asked for last."""

    def __init__(
        self,
        universe: Universe,
        splits: SplitSchedule,
        dividends: DividendSchedule | None,
        seed: int,
        calendar: TradingCalendar,
    ) -> None:
        rows = universe.rows()
        self._universe = universe
        self._splits = splits
        self._dividends = dividends
        self._seed = seed
        self._calendar = calendar
        self._log_price = np.log([row.price for row in rows])
        self._volatility = np.array([_VOLATILITY.get(row.ticker_type, _COMMON_VOLATILITY) for row in rows])
        self._swing = np.array([0.1 if row.ticker_type in _QUIET_TYPES else 1.0 for row in rows])
        self.trades_a_day = np.array([row.trades_a_day for row in rows])
        traits = [dice.words(dice.label(seed, dice.Purpose.TRAITS, wave), len(rows)) for wave in range(4)]
        self._phases = [2 * np.pi * dice.uniform(words) for words in traits[:3]]
        affordable = np.minimum(1.0, 5_000.0 / np.exp(self._log_price))
        self._trade_size = 60.0 * affordable * np.exp(0.5 * dice.bell(traits[3]))
        self._days: OrderedDict[dt.date, DailyBars] = OrderedDict()

    def on(self, day: dt.date) -> DailyBars:
        """The bars of a trading day."""
        if (known := self._days.get(day)) is not None:
            self._days.move_to_end(day)
            return known
        self._days[day] = bars = self._make(day)
        if len(self._days) > _DAYS_KEPT:
            self._days.popitem(last=False)
        return bars

    def _make(self, day: dt.date) -> DailyBars:
        shares = np.exp(self._splits.log_levels(day, self._universe.size))
        level = shares if self._dividends is None else shares * np.exp(self._dividends.log_levels(day, len(shares)))
        spread = self._volatility
        close = self._unsplit_close(day) * level
        gap = 0.3 * spread * self._bell(dice.Purpose.RANGE, day, 0)
        opened = self._unsplit_close(self._calendar.previous_trading_day(day)) * level * np.exp(gap)
        high = np.maximum(opened, close) * np.exp(np.abs(0.6 * spread * self._bell(dice.Purpose.RANGE, day, 1)))
        low = np.minimum(opened, close) * np.exp(-np.abs(0.6 * spread * self._bell(dice.Purpose.RANGE, day, 2)))
        ticks = np.where(low < 1.0, 10_000.0, 100.0)
        opened, close, high, low = (
            np.maximum(np.rint(price * ticks), 1.0) / ticks for price in (opened, close, high, low)
        )
        average = np.clip(np.rint((opened + close + high + low) * 2_500.0) / 10_000.0, low, high)
        volume, trades = self._activity(day, shares)
        columns = np.stack([opened, close, high, low, volume, average, trades, ticks], axis=1)
        return DailyBars(columns=columns, traded=self._traded(day))

    def _unsplit_close(self, day: dt.date) -> Floats:
        ordinal = day.toordinal()
        log_price = self._log_price + self._volatility * self._bell(dice.Purpose.CLOSE, day, 0)
        for (length, height), phase in zip(_WAVES, self._phases, strict=True):
            log_price = log_price + self._swing * height * np.sin(2 * np.pi * ordinal / length + phase)
        prices: Floats = np.exp(log_price)
        return prices

    def _activity(self, day: dt.date, level: Floats) -> tuple[Floats, Floats]:
        """Volume (shares rise as a split lets the price fall) and number of trades."""
        dice_words = dice.words(dice.label(self._seed, dice.Purpose.VOLUME, day.toordinal()), self._universe.size)
        busy = np.exp(0.45 * dice.bell(dice_words))
        trades = np.maximum(1.0, np.rint(self.trades_a_day * busy))
        volume = np.maximum(1.0, trades * self._trade_size / level)
        # Nine rows in ten carry a fraction of a share, as they have since fractional trades are reported.
        fraction = np.where(dice_words & np.uint64(15) < 14, 1e6, 1.0)
        return np.rint(volume * fraction) / fraction, trades

    def _traded(self, day: dt.date) -> npt.NDArray[np.bool_]:
        number = dice.label(self._seed, dice.Purpose.TRADED, day.toordinal())
        draw = dice.uniform(dice.words(number, self._universe.size))
        listed = np.array([listing is not None for listing in self._universe.on(day)])
        traded: npt.NDArray[np.bool_] = (draw >= np.exp(-self.trades_a_day)) & listed
        return traded

    def _bell(self, purpose: dice.Purpose, day: dt.date, use: int) -> Floats:
        return dice.bell(dice.words(dice.label(self._seed, purpose, day.toordinal(), use), self._universe.size))
