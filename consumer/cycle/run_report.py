"""Reads from the ledger what a cycle has done: its parts, rows, requests and troubles.

What the day's data are worth is another question, which consumer/verdict answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from contract.messages import ALL_TASKS
from contract.reports import CycleState, PartCount, RunReport, TaskState

if TYPE_CHECKING:
    import datetime as dt

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


def state_of(task: str, tally: TaskTally | None, cycle: Cycle) -> TaskState:
    """Return what the cycle did about a task."""
    if task not in cycle.tasks:
        return TaskState.SKIPPED
    if cycle.state == "running":
        if tally is None or tally.blocked == tally.total:
            return TaskState.PENDING
        if tally.open:
            return TaskState.IN_PROGRESS
    if tally is None and cycle.state in ("failed", "superseded", "cancelled"):
        return TaskState.FAILED if cycle.state == "failed" else TaskState.SKIPPED
    if cycle.state == "cancelled":
        return TaskState.COMPLETED if tally is not None and tally.done == tally.total else TaskState.SKIPPED
    lacks = cycle.state != "running" and any(line.startswith(f"{task} ") for line in cycle.missing)
    if tally is not None and (tally.not_yet or tally.failed):
        return TaskState.WAITING if tally.not_yet or cycle.state == "waiting" else TaskState.FAILED
    if lacks:
        return TaskState.WAITING if cycle.state == "waiting" else TaskState.FAILED
    return TaskState.COMPLETED


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


async def read_troubles(pool: Pool | Connection, cycle: Cycle) -> list[str]:
    """Say why parts of a running cycle are being tried again, most frequent reason first."""
    if cycle.state != "running":
        return []
    rows = await pool.fetch(
        "SELECT reason, count(*) AS parts FROM part WHERE cycle_id = $1 AND state = 'retrying' AND reason IS NOT NULL "
        "GROUP BY reason ORDER BY parts DESC, reason LIMIT 5",
        cycle.cycle_id,
    )
    return [f"{row['parts']} parts are tried again: {row['reason']}" for row in rows]


async def read_run(pool: Pool | Connection, cycle: Cycle, *, now: dt.datetime) -> RunReport:
    """Return what *cycle* has done so far."""
    tallies = await read_tallies(pool, cycle)
    ended_at = cycle.finished_at
    return RunReport(
        cycle=cycle.cycle_id,
        trading_day=cycle.trading_day,
        state=CycleState(cycle.state),
        tasks={task.value: state_of(task.value, tallies.get(task.value), cycle) for task in ALL_TASKS},
        rule=cycle.occasion if cycle.scheduled else None,
        requested_by=cycle.requested_by,
        started_at=cycle.opened_at,
        completed_at=ended_at,
        duration_seconds=round(((ended_at or now) - cycle.opened_at).total_seconds(), 3),
        reason=cycle.reason,
        parts={t.task: PartCount(done=t.done, failed=t.failed + t.not_yet, total=t.total) for t in tallies.values()},
        missing=list(cycle.missing),
        warnings=[*cycle.warnings, *await read_troubles(pool, cycle)],
        rows={t.task: t.rows for t in tallies.values()},
        requests=await read_requests(pool, cycle.cycle_id),
        next_try_at=cycle.next_pass_at,
    )


def human_duration(seconds: float) -> str:
    """Return e.g. 42.1s, 18.6m or 1.5h."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{seconds / 60:.1f}m" if seconds < 3600 else f"{seconds / 3600:.1f}h"
