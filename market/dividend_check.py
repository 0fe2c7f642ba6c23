"""Holds what is paid on an ex-day against the overnight price: whether it shows, where that can be told at all.

A price opens lower by what the share no longer brings. Of an ordinary dividend that drowns in the night's noise; only a
payment that is large, by itself and against the share's ordinary nights, can be told to be missing.
"""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from market.dividends import day_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from market.split_check import OvernightPrices

#: A fall of less than a twentieth is an ordinary night's, of some share or other.
TELLING: float = -math.log(0.95)
#: Of a payment half of which the price makes good over night, nothing is to be seen: half of eight ordinary nights is a
#: night that a share has once in years.
ORDINARY_NIGHTS = 8
FEWEST_NIGHTS = 5


class Sight(StrEnum):
    """Whether the price shows a dividend: what is not shown is not applied."""

    UNCHECKED = "unchecked"
    SHOWN = "shown"
    NOT_SHOWN = "not_shown"


def is_large(paid: Sequence[float], close_before: float) -> bool:
    """Whether so much is paid that the night could show it."""
    factor = day_factor(paid, close_before)
    return factor is None or -math.log(factor) >= TELLING


def ordinary_night(ratios: Sequence[float]) -> float | None:
    """By how much, as a logarithm, a share moves on half of its nights; *ratios*: opens over closes before.

    None of fewer than FEWEST_NIGHTS nights. A split among them, or another dividend, does not move a median.
    """
    if len(ratios) < FEWEST_NIGHTS:
        return None
    return median(abs(math.log(ratio)) for ratio in ratios)


def sight_of(paid: Sequence[float], prices: OvernightPrices | None, ordinary: float | None) -> Sight:
    """Say whether *prices*, on the ex-day's basis of splits, show that all of *paid* was paid.

    *ordinary*: see `ordinary_night`. What is paid cannot be as much as the share cost.
    """
    if not paid or prices is None:
        return Sight.UNCHECKED
    factor = day_factor(paid, prices.close_before)
    if factor is None:
        return Sight.NOT_SHOWN
    fall = -math.log(factor)
    if ordinary is None or fall < max(TELLING, ORDINARY_NIGHTS * ordinary):
        return Sight.UNCHECKED
    # By the open or by the close: the day's first print may still be at the price of before.
    shown = any(abs(math.log(ratio / factor)) <= abs(math.log(ratio)) for ratio in prices.ratios)
    return Sight.SHOWN if shown else Sight.NOT_SHOWN
