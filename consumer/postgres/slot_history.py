"""Reads the slots of a window for figures, by the company of today, and of how many sessions each has some."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from consumer.postgres.copy_binary import FLOAT8, PADDED_SYMBOL, copy_out, keyed_array_rows
from market.volume_slots import SLOTS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.pool import Connection, Pool

_OUTCOMES = ("traded", "no_trades", "unproven")
#: Session, symbol as of today, outcome.
SlotKey: TypeAlias = tuple[dt.date, str, str]


class SlotArray(msgspec.Struct, frozen=True):
    """An array of a session's slots: the *sql* that makes it of a row, without nulls, or null; its elements' *kind*."""

    sql: str
    kind: str


_VOLUMES = SlotArray("volumes", FLOAT8)


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
) -> tuple[list[SlotKey], NDArray[np.float64]]:
    """Return the (day, symbol, outcome) of one partition of the symbols, traded rows first, and the traded volumes.

    The second value is float64[traded rows, 192], in the order of the first.
    """
    keys, volumes = await read_arrays(connection, _VOLUMES, days, partition=partition, partitions=partitions)
    return keys, volumes.astype(np.float64, copy=False)


async def read_arrays(
    connection: Connection, array: SlotArray, days: Sequence[dt.date], *, partition: int, partitions: int
) -> tuple[list[SlotKey], NDArray[np.generic]]:
    """Return the (day, symbol, outcome) of one partition of the symbols, and of those that have one the *array*.

    Those with one come first. All in one COPY: asked for keys and arrays by themselves, the server looks up each row of
    a window twice, a third of a night's pages; and in no order, for sorting it would carry them.
    """
    codes = " ".join(f"WHEN '{outcome}' THEN {code}" for code, outcome in enumerate(_OUTCOMES))
    body = await copy_out(
        connection,
        f"SELECT trading_date, {PADDED_SYMBOL}, CASE outcome {codes} END, {array.sql} FROM slot_history "
        f"WHERE {_of_partition(days, partition=partition, partitions=partitions)}",
    )
    rows, values = keyed_array_rows(body, SLOTS_PER_DAY, array.kind)
    return [(day, symbol, _OUTCOMES[code]) for day, symbol, code in rows], values


def _of_partition(days: Sequence[dt.date], *, partition: int, partitions: int) -> str:
    """The condition, without parameters (COPY takes none), on the rows of *days* and one partition of the symbols."""
    listed = ",".join(f"'{day}'" for day in days)
    # A symbol must stay in its partition, whichever server computes it: hashtext() promises no such thing.
    own = f"get_byte(sha256(convert_to(symbol, 'UTF8')), 0) % {partitions} = {partition}"
    return f"trading_date IN ({listed}) AND {own}"
