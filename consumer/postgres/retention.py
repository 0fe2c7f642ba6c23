"""Deletes what is over its time: sessions of market data, which their coverage then says, and working records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.session import allow_long_statements

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.holdings import CountedTable
    from consumer.postgres.pool import Connection


async def oldest_sessions(
    connection: Connection, tables: Sequence[CountedTable], *, before: dt.date, most: int
) -> list[dt.date]:
    """Return the oldest sessions with rows before the day *before*, at most *most*."""
    days: set[dt.date] = set()
    for table in tables:
        day: dt.date | None = None
        for _ in range(most):
            # From one day to the next by the key, since DISTINCT would read every row.
            day = await connection.fetchval(
                f"SELECT min({table.day_column}) FROM {table.table} "
                f"WHERE {table.day_column} < $1 AND ($2::date IS NULL OR {table.day_column} > $2)",
                before,
                day,
            )
            if day is None:
                break
            days.add(day)
    return sorted(days)[:most]


async def retire_sessions(
    connection: Connection, data_set: str, tables: Sequence[CountedTable], days: Sequence[dt.date], *, now: dt.datetime
) -> int:
    """Delete the rows of *days* and say in their coverage that they are retired; return how many rows went.

    A data set whose rows say themselves what there is has no coverage until then: it gets it here, with its last count.
    """
    await allow_long_statements(connection)
    gone = 0
    for day in days:
        counted = 0
        for table in tables:
            # One day at a time, and compared with itself alone: of a hypertable only that day's chunk is touched.
            status = await connection.execute(f"DELETE FROM {table.table} WHERE {table.day_column} = $1", day)
            counted += int(status.rpartition(" ")[2])
        await connection.execute(_SAY_SO, data_set, day, counted, now)
        await connection.execute(_CLEAR_FINDINGS, data_set, day, now)
        gone += counted
    return gone


_SAY_SO = """
    INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, retired_at)
    VALUES ($1, $2, $3, $4, 0, $4)
    ON CONFLICT (data_set, trading_day) DO UPDATE SET retired_at = excluded.retired_at
"""
# What was open against its rows is against nothing now: a recheck would fetch the session again.
_CLEAR_FINDINGS = """
    UPDATE session_finding
    SET state = 'cleared', settled_at = $3, settled_by = 'retention', settled_reason = 'the session was deleted'
    WHERE data_set = $1 AND trading_day = $2 AND state = 'open'
"""


class Aging(msgspec.Struct, frozen=True, kw_only=True):
    """Working records: their table, by which column they age, and the condition by which one stays all the same."""

    table: str
    age_column: str
    stays: str


async def remove_records(
    connection: Connection, records: Aging, *, since: dt.datetime | None, before: dt.datetime
) -> int:
    """Delete the rows that aged between *since* (None: ever) and *before*, but those that stay; return how many."""
    await allow_long_statements(connection)
    # What aged before the last time was looked at then: what stayed is not gone over again each night.
    after, args = ("", [before]) if since is None else (f"AND t.{records.age_column} >= $2 ", [before, since])
    status = await connection.execute(
        f"DELETE FROM {records.table} AS t WHERE t.{records.age_column} < $1 {after}AND NOT ({records.stays})", *args
    )
    return int(status.rpartition(" ")[2])
