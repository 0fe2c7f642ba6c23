"""Reads of how many trades the slots of some sessions are made, for a share of the symbols."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.postgres.copy_binary import copy_out, int_array_rows
from consumer.postgres.slot_history import of_partition
from market.volume_slots import SLOTS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection


class StoredTrades(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by (day, symbol, outcome), those whose trades are known first, and the trades of those.

    *trades* int64[rows with trades, 192], UNKNOWN_TRADES where a slot's are not known.
    """

    keys: list[tuple[dt.date, str, str]]
    trades: NDArray[np.int64]


async def read_trades(
    connection: Connection, days: Sequence[dt.date], *, partition: int, partitions: int
) -> StoredTrades:
    """Return the rows of one partition of the symbols. Needs a repeatable-read transaction."""
    where = of_partition(days, partition=partition, partitions=partitions)
    rows = await connection.fetch(
        f"SELECT trading_date, symbol, outcome FROM slot_history WHERE {where} "
        "ORDER BY trades IS NULL, trading_date, symbol"
    )
    # A null in an array has no value: as a number below zero all rows are of one width.
    body = await copy_out(
        connection,
        f"SELECT array_replace(trades, NULL, -1) FROM slot_history WHERE {where} AND trades IS NOT NULL "
        "ORDER BY trading_date, symbol",
    )
    keys = [(row["trading_date"], row["symbol"], row["outcome"]) for row in rows]
    return StoredTrades(keys=keys, trades=int_array_rows(body, SLOTS_PER_DAY))
