"""Reads of how many trades the slots of some sessions are made, for a share of the symbols."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.postgres.copy_binary import INT4
from consumer.postgres.slot_history import SlotArray, read_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

# A null in an array has no value: as a number below zero all arrays are of one width.
_TRADES = SlotArray("array_replace(trades, NULL, -1)", INT4)


class StoredTrades(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by (day, symbol, outcome), those whose trades are known first, and the trades of those.

    *trades* int64[rows with trades, 192], UNKNOWN_TRADES where a slot's are not known.
    """

    keys: list[tuple[dt.date, str, str]]
    trades: NDArray[np.int64]


async def read_trades(
    connection: Connection, days: Sequence[dt.date], *, partition: int, partitions: int
) -> StoredTrades:
    """Return the rows of one partition of the symbols."""
    keys, trades = await read_arrays(connection, _TRADES, days, partition=partition, partitions=partitions)
    return StoredTrades(keys=keys, trades=trades.astype(np.int64, copy=False))
