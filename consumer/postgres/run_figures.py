"""Counts what a cycle's parts have done: by task, by endpoint asked, by what they are tried again for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
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
