"""Reads the slots of a window for figures, by the company of today, and of how many sessions each has some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres.copy_binary import copy_out, float_array_rows
from market.volume_slots import SLOTS_PER_DAY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection, Pool


async def observed_sessions(
    connection: Connection | Pool, days: Sequence[dt.date], *, first: Mapping[str, dt.date]
) -> dict[str, int]:
    """Return in how many of *days* each symbol was observed, traded or not; of those that were at all.

    Of the symbols in *first* only the days from that one on.
    """
    rows = await connection.fetch(
        "SELECT symbol, count(*) FILTER (WHERE outcome <> 'unproven') AS observed "
        "FROM slot_history LEFT JOIN unnest($2::text[], $3::date[]) AS n (symbol, first) USING (symbol) "
        "WHERE trading_date = ANY ($1) AND trading_date >= coalesce(n.first, '-infinity') "
        "GROUP BY symbol HAVING bool_or(outcome <> 'unproven') ORDER BY symbol",
        list(days),
        list(first),
        list(first.values()),
    )
    return {row["symbol"]: row["observed"] for row in rows}


async def read_slots(
    connection: Connection, days: Sequence[dt.date], *, partition: int, partitions: int
) -> tuple[list[tuple[dt.date, str, str]], NDArray[np.float64]]:
    """Return the (day, symbol, outcome) of one partition of the symbols, traded rows first, and the traded volumes.

    The second value is float64[traded rows, 192], in the order of the first. Needs a repeatable-read transaction.
    """
    where = of_partition(days, partition=partition, partitions=partitions)
    rows = await connection.fetch(
        f"SELECT trading_date, symbol, outcome FROM slot_history WHERE {where} "
        "ORDER BY outcome <> 'traded', trading_date, symbol"
    )
    body = await copy_out(
        connection,
        f"SELECT volumes FROM slot_history WHERE {where} AND outcome = 'traded' ORDER BY trading_date, symbol",
    )
    found = [(row["trading_date"], row["symbol"], row["outcome"]) for row in rows]
    return found, float_array_rows(body, SLOTS_PER_DAY)


def of_partition(days: Sequence[dt.date], *, partition: int, partitions: int) -> str:
    """The condition, without parameters (COPY takes none), on the rows of *days* and one partition of the symbols."""
    listed = ",".join(f"'{day}'" for day in days)
    # A symbol must stay in its partition, whichever server computes it: hashtext() promises no such thing.
    own = f"get_byte(sha256(convert_to(symbol, 'UTF8')), 0) % {partitions} = {partition}"
    return f"trading_date IN ({listed}) AND {own}"
