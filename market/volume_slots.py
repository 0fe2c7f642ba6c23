"""Puts a day's bars into 192 slots of five minutes, 04:00 to 20:00 New York time: shares, and of how many trades.

Slot 0 starts at 04:00, slot 66 at 09:30, slot 144 at 16:00 (where the closing auction prints). The grid
hangs on each session's own start instant, so daylight saving time cannot shift it; which slots a session
leaves unobserved is said here too, for an empty slot and an unknown one are different things. So it is with trades: a
bar with volume of which nobody says how many trades it is made of leaves the trades of its slot unknown, and no fewer.
"""

import datetime as dt
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from market.bounded_fields import TRADES
from market.session import EXTENDED_OPEN, TradingSession

SLOT_MINUTES: Final = 5
SLOTS_PER_DAY: Final = 192
#: In arrays of counts: nobody has said how many.
UNKNOWN_TRADES: Final = -1

_GRID_START_MINUTE = EXTENDED_OPEN.hour * 60 + EXTENDED_OPEN.minute
_SLOT = dt.timedelta(minutes=SLOT_MINUTES)
_SLOT_MS = SLOT_MINUTES * 60_000


class SlotVolumes(msgspec.Struct, frozen=True, kw_only=True):
    """Shares traded in each slot, `volumes` [sessions, 192], and how many bars lay `outside` every grid.

    `trades` [sessions, 192] says in how many trades, UNKNOWN_TRADES where that is not known; None where no bar says it.
    """

    volumes: npt.NDArray[np.float64]
    outside: int
    trades: npt.NDArray[np.int64] | None = None


def slot_time(slot: int) -> dt.time:
    """New York time at which a slot starts; ValueError unless 0 <= slot < 192."""
    if not 0 <= slot < SLOTS_PER_DAY:
        raise ValueError(f"slots are 0 to {SLOTS_PER_DAY - 1}, not {slot}")
    hour, minute = divmod(_GRID_START_MINUTE + slot * SLOT_MINUTES, 60)
    return dt.time(hour, minute)


def slot_start_ms(session: TradingSession) -> int:
    """Start of the session's slot 0, milliseconds since the epoch (UTC), as the vendor stamps bars."""
    return int(session.pre_market_opens_at.timestamp()) * 1000


def first_unobserved_slot(session: TradingSession) -> int:
    """First slot without the regular trading that other days have: 192 on a full day, else the early close's.

    13:00 gives 108. Late trading after an early close is no measure of a full day's afternoon.
    """
    if not session.early_close:
        return SLOTS_PER_DAY
    return (session.closes_at - session.pre_market_opens_at) // _SLOT


def bin_volumes(
    timestamps_ms: npt.NDArray[np.int64],
    volumes: npt.NDArray[np.float64],
    session_starts_ms: npt.NDArray[np.int64],
    trades: npt.NDArray[np.int64] | None = None,
) -> SlotVolumes:
    """Volumes, and *trades* if given, of one symbol's bars added up by session and slot.

    `timestamps_ms` [n] are the starts of bars of one to five minutes, in any order and without
    duplicates; `volumes` [n] are shares, possibly fractional, `trades` [n] counts or UNKNOWN_TRADES;
    `session_starts_ms` [s] are slot_start_ms of the sessions wanted, ascending. A bar outside every session's grid is
    counted, not binned.
    ValueError for other shapes or for session starts that do not ascend.
    """
    if timestamps_ms.ndim != 1 or timestamps_ms.shape != volumes.shape:
        raise ValueError(f"a volume a bar is needed, not {volumes.shape} for {timestamps_ms.shape}")
    sessions = len(session_starts_ms)
    if np.any(np.diff(session_starts_ms) < SLOTS_PER_DAY * _SLOT_MS):
        raise ValueError("session starts must ascend, a day apart")
    if sessions == 0:
        return SlotVolumes(volumes=np.zeros((0, SLOTS_PER_DAY)), outside=len(volumes))
    cells, inside = _cells(timestamps_ms, session_starts_ms)
    grid = (sessions, SLOTS_PER_DAY)
    binned = np.bincount(cells, weights=volumes[inside], minlength=sessions * SLOTS_PER_DAY)
    return SlotVolumes(
        volumes=binned.astype(np.float64, copy=False).reshape(grid),
        outside=int(np.count_nonzero(~inside)),
        trades=None if trades is None else sum_trades(cells, volumes[inside], trades[inside], grid),
    )


def _cells(
    timestamps_ms: npt.NDArray[np.int64], session_starts_ms: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The cell, session by session, of each bar inside a grid, and which bars those are."""
    session = np.searchsorted(session_starts_ms, timestamps_ms, side="right") - 1
    # A bar before the first session gets a negative slot whichever start it is measured from.
    slot = (timestamps_ms - session_starts_ms[np.maximum(session, 0)]) // _SLOT_MS
    inside = (slot >= 0) & (slot < SLOTS_PER_DAY)
    return session[inside] * SLOTS_PER_DAY + slot[inside], inside


def sum_trades(
    cells: npt.NDArray[np.int64],
    volumes: npt.NDArray[np.float64],
    trades: npt.NDArray[np.int64],
    grid: tuple[int, int],
) -> npt.NDArray[np.int64]:
    """Trades of bars added up by the cell of *grid* that each lies in, UNKNOWN_TRADES where the sum is not known.

    A bar with volume is made of one trade at least: none, or UNKNOWN_TRADES, leaves its cell unknown. So does a sum
    beyond what a slot can have.
    """
    # Exact: a sum of counts is far below 2**53.
    sums = np.bincount(cells, weights=np.maximum(trades, 0), minlength=grid[0] * grid[1]).astype(np.int64)
    sums[cells[(volumes > 0) & (trades <= 0)]] = UNKNOWN_TRADES
    sums[sums > TRADES.most] = UNKNOWN_TRADES
    return sums.reshape(grid)


def unknown_trades(volumes: npt.NDArray[np.float64], trades: npt.NDArray[np.int64] | None) -> int:
    """In how many slots with volume it is not known how many trades there were; *trades* None: in none it is."""
    return int(np.count_nonzero(volumes > 0 if trades is None else (volumes > 0) & (trades == UNKNOWN_TRADES)))
