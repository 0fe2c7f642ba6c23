"""Opens, suspends, resumes and ends cycles; every change of a cycle's state is here.

That one cycle runs at a time is seen to by a lock, which whoever opens, resumes or calls off takes first, and in the
last resort by an index on the running one.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.fence import FenceLost
from consumer.postgres.cycles import COLUMNS, Cycle, cycle_from
from contract.reports import CycleState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection

OPENING_LOCK = 0x6379636C65  # "cycle"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A wish for a cycle, checked against the calendar: what a new cycle is made of."""

    trading_day: dt.date
    occasion: str
    scheduled: bool
    due_at: dt.datetime
    requested_by: str
    tasks: tuple[str, ...]
    force: bool
    give_up_at: dt.datetime
    first_day: dt.date | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the cycle; what its session's data are worth is judged from them (consumer/verdict)."""

    state: CycleState
    missing: tuple[str, ...] = ()
    next_pass_at: dt.datetime | None = None
    reason: str | None = None


async def take_turn(connection: Connection) -> None:
    """Until the transaction ends nobody else opens, joins, resumes or calls off a cycle, in all processes together."""
    # Of the transaction: neither a process that dies nor a pooler that lends the session on leaves it taken.
    await connection.execute("SELECT pg_advisory_xact_lock($1)", OPENING_LOCK)


async def insert_cycle(connection: Connection, request: Request, now: dt.datetime) -> Cycle:
    """Open the cycle that *request* wishes for; it runs from the commit on."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO cycle (trading_day, occasion, scheduled, due_at, requested_by, tasks, force, state, opened_at,
                           pass_started_at, give_up_at, first_day)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $8, $9, $10) RETURNING {COLUMNS}
        """,
        request.trading_day,
        request.occasion,
        request.scheduled,
        request.due_at,
        request.requested_by,
        list(request.tasks),
        request.force,
        now,
        request.give_up_at,
        request.first_day,
    )
    assert row is not None, "INSERT … RETURNING"
    return cycle_from(row)


async def suspend(connection: Connection, running: Sequence[Cycle], *, now: dt.datetime, reason: str) -> None:
    """Let running cycles wait; their next pass is due at once, when nothing else runs."""
    await connection.execute(
        "UPDATE cycle SET state = 'waiting', next_pass_at = $2, reason = $3 WHERE cycle_id = ANY ($1)",
        [cycle.cycle_id for cycle in running],
        now,
        reason,
    )


async def begin_pass(connection: Connection, cycle: Cycle, *, now: dt.datetime) -> None:
    """Let a waiting cycle run again, in its next pass."""
    await connection.execute(
        "UPDATE cycle SET state = 'running', pass = pass + 1, pass_started_at = $2, next_pass_at = NULL "
        "WHERE cycle_id = $1",
        cycle.cycle_id,
        now,
    )


async def end_cycles(
    connection: Connection, ended: Sequence[Cycle], state: CycleState, *, now: dt.datetime, reason: str | None = None
) -> None:
    """End cycles before their last part has: from the commit on no part of theirs begins or commits."""
    # One that has ended meanwhile keeps the end it has.
    await connection.execute(
        "UPDATE cycle SET state = $3, finished_at = $2, next_pass_at = NULL, reason = coalesce($4, reason) "
        "WHERE cycle_id = ANY ($1) AND state IN ('running', 'waiting')",
        [cycle.cycle_id for cycle in ended],
        now,
        state,
        reason,
    )


async def end_pass(
    connection: Connection, cycle: Cycle, outcome: Outcome, *, warnings: Sequence[str], now: dt.datetime
) -> None:
    """Record what a pass has come to, all parts of which have ended. Raises FenceLost where the cycle was called off.

    A cycle that waits is not over: it has no end.
    """
    # By its state of now: it may have been called off while its last part weighed what it had come to.
    recorded = await connection.fetchval(
        """
        UPDATE cycle SET state = $2, missing = $3, warnings = $4, next_pass_at = $5, reason = $6, finished_at = $7
        WHERE cycle_id = $1 AND state = 'running' RETURNING 1
        """,
        cycle.cycle_id,
        outcome.state,
        list(outcome.missing),
        list(warnings),
        outcome.next_pass_at,
        outcome.reason,
        None if outcome.state is CycleState.WAITING else now,
    )
    if recorded is None:
        raise FenceLost(f"cycle {cycle.cycle_id} does not run any more")
