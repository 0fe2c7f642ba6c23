"""Reads from the ledger what a cycle has done: its parts, rows, requests and troubles.

What the day's data are worth is another question, which consumer/verdict answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres.run_figures import TaskTally, read_requests, read_retried, read_tallies
from consumer.postgres.states import CALLED_OFF
from contract.messages import ALL_TASKS
from contract.reports import CycleState, PartCount, RunReport, TaskState

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection, Pool


TRIED_AGAIN = "are tried again"


def state_of(task: str, tally: TaskTally | None, cycle: Cycle) -> TaskState:
    """Return what the cycle did about a task."""
    if task not in cycle.tasks:
        return TaskState.SKIPPED
    running, waiting = cycle.state is CycleState.RUNNING, cycle.state is CycleState.WAITING
    if running:
        if tally is None or tally.blocked == tally.total:
            return TaskState.PENDING
        if tally.open:
            return TaskState.IN_PROGRESS
    if tally is None and cycle.state in (CycleState.FAILED, *CALLED_OFF):
        return TaskState.FAILED if cycle.state is CycleState.FAILED else TaskState.SKIPPED
    if cycle.state is CycleState.CANCELLED:
        return TaskState.COMPLETED if tally is not None and tally.done == tally.total else TaskState.SKIPPED
    lacks = not running and any(line.startswith(f"{task} ") for line in cycle.missing)
    if tally is not None and (tally.not_yet or tally.failed):
        return TaskState.WAITING if tally.not_yet or waiting else TaskState.FAILED
    if lacks:
        return TaskState.WAITING if waiting else TaskState.FAILED
    return TaskState.COMPLETED


async def read_troubles(pool: Pool | Connection, cycle: Cycle) -> list[str]:
    """Say why parts of a running cycle are being tried again, most frequent reason first."""
    if cycle.state is not CycleState.RUNNING:
        return []
    retried = await read_retried(pool, cycle.cycle_id)
    return [f"{parts} parts {TRIED_AGAIN}: {reason}" for reason, parts in retried.items()]


async def read_run(pool: Pool | Connection, cycle: Cycle, *, now: dt.datetime) -> RunReport:
    """Return what *cycle* has done so far."""
    tallies = await read_tallies(pool, cycle)
    ended_at = cycle.finished_at
    return RunReport(
        cycle=cycle.cycle_id,
        trading_day=cycle.trading_day,
        state=cycle.state,
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
