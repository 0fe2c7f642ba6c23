"""Ends cycles before their time: superseded by a newer cycle, or cancelled by a person.

The ledger first: from its commit on, no part of theirs can begin or commit. Then their messages are withdrawn, so that
whoever is at work on one finds it lost at the next beat and stops. A process may die, or be refused a lock, anywhere
in between: the catch-up closes what is open of a cycle that has ended, however long ago.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import msgspec
from loguru import logger

from consumer.postgres import cycles
from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.cycle.reporting import Reporter
    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.pool import Connection, Pool


class CalledOff(msgspec.Struct, frozen=True, kw_only=True):
    """The cycles that were ended, as they were before, and the parts of theirs that nobody shall run any more."""

    cycles: tuple[Cycle, ...] = ()
    parts: tuple[PartId, ...] = ()


def pass_key(cycle_id: int) -> str:
    """The identity of the message that starts a cycle's next pass."""
    return f"{cycle_id}/pass"


async def end_early(
    connection: Connection, cycle_ids: Sequence[int], *, state: str, now: dt.datetime, reason: str | None = None
) -> None:
    """End the cycles as *state*, superseded or cancelled: from the commit on, no part of theirs begins or commits."""
    await connection.execute(
        "UPDATE cycle SET state = $3, finished_at = $2, next_pass_at = NULL, reason = coalesce($4, reason) "
        "WHERE cycle_id = ANY ($1) AND state IN ('running', 'waiting')",
        list(cycle_ids),
        now,
        state,
        reason,
    )


async def close_parts(pool: Pool, ended: Sequence[Cycle], *, state: str, now: dt.datetime) -> CalledOff:
    """Mark what was open of *ended*, cycles that were ended or suspended in the pass that they say.

    In a transaction of its own: a part about to commit holds its own row and waits for the cycle's. By the pass:
    whoever freezes before this may wake when a suspended cycle is at its next one, whose parts go on.
    """
    which = [cycle.cycle_id for cycle in ended], [cycle.run_pass for cycle in ended]
    try:
        rows = await pool.fetch(
            "UPDATE part SET state = $4, ended_at = $3 FROM unnest($1::bigint[], $2::int[]) AS ended (cycle_id, pass) "
            "WHERE part.cycle_id = ended.cycle_id AND part.pass <= ended.pass "
            "AND state IN ('blocked', 'ready', 'running', 'retrying') RETURNING part.cycle_id, task, part",
            *which,
            now,
            state,
        )
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as held:
        # By a transaction that stands still, and will not commit. The work is called off all the same.
        logger.info("parts_are_closed_later", cycles=which[0], reason=str(held))
        rows = await pool.fetch(
            "SELECT part.cycle_id, task, part FROM part JOIN unnest($1::bigint[], $2::int[]) AS ended (cycle_id, pass) "
            "ON part.cycle_id = ended.cycle_id AND part.pass <= ended.pass "
            "WHERE state IN ('blocked', 'ready', 'running', 'retrying')",
            *which,
        )
    return CalledOff(cycles=tuple(ended), parts=tuple(PartId(**dict(row)) for row in rows))


async def cancel_day(pool: Pool, trading_day: dt.date, *, by: str, reason: str | None, now: dt.datetime) -> CalledOff:
    """Cancel what runs or waits for *trading_day*; nothing of it is opened again by itself."""
    words = f"cancelled by {by}" + (f": {reason}" if reason else "")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", cycles.OPENING_LOCK)
        found = [cycle for cycle in await cycles.unended_cycles(connection) if cycle.trading_day == trading_day]
        await end_early(connection, [cycle.cycle_id for cycle in found], state="cancelled", now=now, reason=words)
    return await close_parts(pool, found, state="cancelled", now=now)


async def cancel(
    pool: Pool,
    stream: TaskStream,
    reporter: Reporter,
    trading_day: dt.date,
    *,
    by: str,
    reason: str | None,
    now: dt.datetime,
) -> tuple[Cycle, ...]:
    """Cancel, withdraw and report; return the cycles that were ended. Repeating it is harmless."""
    called_off = await cancel_day(pool, trading_day, by=by, reason=reason, now=now)
    if called_off.cycles:
        await withdraw(stream, called_off)
    for cycle in called_off.cycles:
        await reporter.cycle_cancelled(cycle.cycle_id)
    return called_off.cycles


async def withdraw(stream: TaskStream, called_off: CalledOff) -> int:
    """Take the messages of *called_off* back; return how many there were. Repeating it is harmless."""
    keys = [part.key for part in called_off.parts] + [pass_key(cycle.cycle_id) for cycle in called_off.cycles]
    return await stream.withdraw(keys)


async def finish_calling_off(pool: Pool, stream: TaskStream, *, now: dt.datetime) -> None:
    """Do again what a process may not have come to that ended a cycle: no open part outlives its cycle.

    Messages are withdrawn only of late: who reads one later finds that its part is closed.
    """
    rows = await pool.fetch(
        "SELECT * FROM cycle WHERE state NOT IN ('running', 'waiting') AND ("
        "(state = ANY ($2) AND finished_at > $1::timestamptz - interval '10 minutes') "
        "OR EXISTS (SELECT FROM part WHERE part.cycle_id = cycle.cycle_id "
        "AND part.state IN ('blocked', 'ready', 'running', 'retrying')))",
        now,
        list(cycles.CALLED_OFF),
    )
    for cycle in map(cycles.cycle_from, rows):
        state = cycle.state if cycle.state in cycles.CALLED_OFF else "superseded"
        await close_parts(pool, [cycle], state=state, now=now)
        parts = await pool.fetch(
            "SELECT cycle_id, task, part FROM part WHERE cycle_id = $1 AND state = $2", cycle.cycle_id, state
        )
        await withdraw(stream, CalledOff(cycles=(cycle,), parts=tuple(PartId(**dict(row)) for row in parts)))
