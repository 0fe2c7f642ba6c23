"""Counts what a cycle's parts have done: by task, by endpoint asked, by what they are tried again for.

And the same of all cycles that were opened within a span of time, found by the index on when they were opened.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection, Pool


class TaskTally(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts of a task are in which state, and what they cost."""

    task: str
    total: int
    done: int
    failed: int
    not_yet: int
    open: int
    blocked: int
    rows: int
    seconds: float


async def read_tallies(pool: Pool | Connection, cycle: Cycle) -> dict[str, TaskTally]:
    """Count the parts of the cycle's present pass, by task."""
    rows = await pool.fetch(
        """
        SELECT task, count(*) AS total, count(*) FILTER (WHERE state = 'done') AS done,
               count(*) FILTER (WHERE state IN ('failed', 'superseded', 'cancelled')) AS failed,
               count(*) FILTER (WHERE state = 'not_yet') AS not_yet,
               count(*) FILTER (WHERE state IN ('blocked', 'ready', 'running', 'retrying')) AS open,
               count(*) FILTER (WHERE state = 'blocked') AS blocked,
               coalesce(sum(row_count), 0)::bigint AS rows,
               coalesce(extract(epoch FROM max(coalesce(ended_at, now())) - min(started_at)), 0)::float8 AS seconds
        FROM part WHERE cycle_id = $1 AND pass = $2 AND task <> 'cycle' GROUP BY task
        """,
        cycle.cycle_id,
        cycle.run_pass,
    )
    return {row["task"]: TaskTally(**dict(row)) for row in rows}


async def read_requests(pool: Pool | Connection, cycle_id: int) -> dict[str, int]:
    """Sum the requests that the cycle has made, by endpoint."""
    rows = await pool.fetch(
        "SELECT key AS endpoint, sum(value::bigint)::bigint AS requests FROM part, jsonb_each_text(requests) "
        "WHERE cycle_id = $1 GROUP BY key ORDER BY key",
        cycle_id,
    )
    return {row["endpoint"]: row["requests"] for row in rows}


async def read_retried(pool: Pool | Connection, cycle_id: int) -> dict[str, int]:
    """Count the parts that are being tried again, by reason, the most frequent first."""
    rows = await pool.fetch(
        "SELECT reason, count(*) AS parts FROM part WHERE cycle_id = $1 AND state = 'retrying' AND reason IS NOT NULL "
        "GROUP BY reason ORDER BY parts DESC, reason LIMIT 5",
        cycle_id,
    )
    return {row["reason"]: row["parts"] for row in rows}


class Within(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time: *since* belongs to it, *until* does not."""

    since: dt.datetime
    until: dt.datetime


class CyclesEnded(msgspec.Struct, frozen=True, kw_only=True):
    """How many cycles of a kind (schedule, request or backfill) are in a state, and how long they were open in all.

    *seconds* from opening to end, without those that have not ended.
    """

    kind: str
    state: str
    cycles: int
    seconds: float


class TaskWork(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts of a task came to; *seconds* is the sum of what each took last, though many run at once."""

    task: str
    parts: int
    failed: int
    rows: int
    seconds: float


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Why there was a cycle: of which kind, for which sessions, asked for by whom."""

    cycle_id: int
    kind: str
    first_day: dt.date | None
    trading_day: dt.date
    requested_by: str
    state: str
    opened_at: dt.datetime


_KIND = "CASE WHEN first_day IS NOT NULL THEN 'backfill' WHEN scheduled THEN 'schedule' ELSE 'request' END"
_ORIGIN = f"cycle_id, {_KIND} AS kind, first_day, trading_day, requested_by, state, opened_at"
_OPENED = "opened_at >= $1 AND opened_at < $2"
# As an array, by which the key of `part` is gone through: joined to the cycles, all parts that ever were may be read.
_OF_CYCLES_OPENED = f"cycle_id = ANY (ARRAY(SELECT cycle_id FROM cycle WHERE {_OPENED}))"


async def cycles_within(connection: Connection, span: Within) -> list[CyclesEnded]:
    """Count the cycles that were opened within *span*, by kind and state."""
    rows = await connection.fetch(
        f"SELECT {_KIND} AS kind, state, count(*) AS cycles, "
        "coalesce(extract(epoch FROM sum(finished_at - opened_at)), 0)::float8 AS seconds "
        f"FROM cycle WHERE {_OPENED} GROUP BY 1, 2 ORDER BY 1, 2",
        span.since,
        span.until,
    )
    return [CyclesEnded(**dict(row)) for row in rows]


async def requests_within(connection: Connection, span: Within) -> dict[str, int]:
    """Sum the requests of the cycles that were opened within *span*, by endpoint."""
    rows = await connection.fetch(
        "SELECT key AS endpoint, sum(value::bigint)::bigint AS requests "
        f"FROM part, jsonb_each_text(requests) WHERE {_OF_CYCLES_OPENED} GROUP BY key ORDER BY key",
        span.since,
        span.until,
    )
    return {row["endpoint"]: row["requests"] for row in rows}


async def work_within(connection: Connection, span: Within) -> list[TaskWork]:
    """Sum what the parts of the cycles that were opened within *span* came to, by task."""
    rows = await connection.fetch(
        f"""
        SELECT task, count(*) AS parts, count(*) FILTER (WHERE state = 'failed') AS failed,
               coalesce(sum(row_count), 0)::bigint AS rows,
               coalesce(extract(epoch FROM sum(ended_at - started_at)), 0)::float8 AS seconds
        FROM part WHERE {_OF_CYCLES_OPENED} GROUP BY task ORDER BY task
        """,
        span.since,
        span.until,
    )
    return [TaskWork(**dict(row)) for row in rows]


async def backfills_within(connection: Connection, span: Within, *, most: int) -> list[Origin]:
    """Return the newest *most* backfills that were opened within *span*, newest first."""
    rows = await connection.fetch(
        f"SELECT {_ORIGIN} FROM cycle WHERE {_OPENED} AND first_day IS NOT NULL ORDER BY opened_at DESC LIMIT $3",
        span.since,
        span.until,
        most,
    )
    return [Origin(**dict(row)) for row in rows]


async def origins_of(connection: Connection, cycle_ids: Sequence[int]) -> dict[int, Origin]:
    """Return why there were these cycles; one whose record is gone is not among them."""
    rows = await connection.fetch(f"SELECT {_ORIGIN} FROM cycle WHERE cycle_id = ANY ($1)", list(cycle_ids))
    return {row["cycle_id"]: Origin(**dict(row)) for row in rows}


async def first_ends(connection: Connection) -> tuple[dt.datetime, ...]:
    """When the two cycles ended that ended first of those whose records stand: the first of all is never deleted."""
    rows = await connection.fetch(
        "SELECT finished_at FROM cycle WHERE finished_at IS NOT NULL ORDER BY finished_at LIMIT 2"
    )
    return tuple(row["finished_at"] for row in rows)
