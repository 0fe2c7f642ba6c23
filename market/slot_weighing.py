"""Says whether a later answer about a symbol's volume slots may replace those that stand of a final session.

It may where it says about the same, and where it agrees better with the daily bar: a symbol's slots add up to about its
volume.  Nothing, a thousandfold or another symbol's slots do neither.  Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from market.session_bars import Floats

SAME_SHARES = 0.5  # of the larger answer, in the same slots: late reports double a session at most
LITTLE = 1_000.0  # shares: below it a few late reports are another answer, and mean little


def may_replace(stands: Floats, answer: Floats, bar_volume: float | None) -> bool:
    """Compare slots of one symbol and session; *bar_volume* None: nobody knows."""
    before, after = float(stands.sum()), float(answer.sum())
    in_both = float(np.minimum(stands, answer).sum())
    if in_both >= SAME_SHARES * max(before, after):
        return True
    if bar_volume is None:
        return min(before, after) > 0 and max(before, after) < LITTLE
    return _off(after, bar_volume) < _off(before, bar_volume)


def _off(shares: float, bar_volume: float) -> float:
    """How far apart two sums of shares are; nothing and something are as far as can be."""
    if shares <= 0 or bar_volume <= 0:
        return 0.0 if shares <= 0 and bar_volume <= 0 else math.inf
    return abs(math.log(shares / bar_volume))
