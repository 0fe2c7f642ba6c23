"""Says whether a later answer about a symbol's volume slots, and their trades, may replace those of a final session.

It may where it says about the same, and where it agrees better with the daily bar: a symbol's slots add up to about its
volume.  Nothing, a thousandfold or another symbol's slots do neither.  Trades are weighed by themselves: they decide
nothing about volumes.  Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from market.volume_slots import UNKNOWN_TRADES

if TYPE_CHECKING:
    from market.session_bars import Floats

SAME_SHARES = 0.5  # of the larger answer, in the same slots: late reports double a session at most
LITTLE = 1_000.0  # shares: below it a few late reports are another answer, and mean little


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's session: `volumes` [192] in shares, `trades` [192], UNKNOWN_TRADES where they are not known."""

    volumes: npt.NDArray[np.float64]
    trades: npt.NDArray[np.int64]


def weigh_trades(
    stands: Slots, answer: Slots, bar_trades: int | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the trades to store with the *answer*'s volumes, and in which slots the answer's are outweighed.

    Where it says nothing of a slot whose volume is as it was, what stands is still so. A count that falls while the
    volume of its slot does not is taken only if the counts then agree better with the daily bar's (None: not known).
    """
    known = stands.trades != UNKNOWN_TRADES
    unsaid = known & (answer.trades == UNKNOWN_TRADES) & (answer.volumes == stands.volumes)
    fallen = (answer.trades != UNKNOWN_TRADES) & (answer.trades < stands.trades) & (answer.volumes >= stands.volumes)
    if fallen.any() and bar_trades is not None:
        before, after = (float(np.maximum(one.trades, 0).sum()) for one in (stands, answer))
        if _off(after, bar_trades) < _off(before, bar_trades):
            fallen = np.zeros_like(fallen)
    return np.where(unsaid | fallen, stands.trades, answer.trades), fallen


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
