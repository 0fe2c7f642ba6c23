"""Ends cycles before their time: superseded by a newer cycle, or cancelled by a person.

The ledger first: from its commit on, no part of theirs can begin or commit. Then their messages are withdrawn, so that
whoever is at work on one finds it lost at the next beat and stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import ledger
from consumer.postgres.ledger import Cycle, PartId

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.ledger import Connection, Pool


class CalledOff(msgspec.Struct, frozen=True, kw_only=True):
    """The cycles that were ended, as they were before, and the parts of theirs that nobody shall run any more."""

    cycles: tuple[Cycle, ...] = ()
    parts: tuple[PartId, ...] = ()


def pass_key(cycle_id: int) -> str:
    """The identity of the message that starts a cycle's next pass."""
    return f"{cycle_id}/pass"


async def call_off(
    connection: Connection, cycle_ids: Sequence[int], *, state: str, now: dt.datetime, reason: str | None = None
) -> list[PartId]:
    """End the cycles as *state*, superseded or cancelled; return their parts that were open.

    Parts before cycles, as a part that ends locks them.
    """
    rows = await connection.fetch(
        "UPDATE part SET state = $3, ended_at = $2 WHERE cycle_id = ANY ($1) "
        "AND state IN ('blocked', 'ready', 'running', 'retrying') RETURNING cycle_id, task, part",
        list(cycle_ids), now, state,
    )  # fmt: skip
    await connection.execute(
        "UPDATE cycle SET state = $3, finished_at = $2, next_pass_at = NULL, reason = coalesce($4, reason) "
        "WHERE cycle_id = ANY ($1) AND state IN ('running', 'waiting')",
        list(cycle_ids), now, state, reason,
    )  # fmt: skip
    return [PartId(**dict(row)) for row in rows]


async def cancel_day(pool: Pool, trading_day: dt.date, *, by: str, reason: str | None, now: dt.datetime) -> CalledOff:
    """Cancel what runs or waits for *trading_day*; nothing of it is opened again by itself."""
    words = f"cancelled by {by}" + (f": {reason}" if reason else "")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", ledger.OPENING_LOCK)
        cycles = [cycle for cycle in await ledger.unended_cycles(connection) if cycle.trading_day == trading_day]
        ids = [cycle.cycle_id for cycle in cycles]
        parts = await call_off(connection, ids, state="cancelled", now=now, reason=words)
    return CalledOff(cycles=tuple(cycles), parts=tuple(parts))


async def withdraw(stream: TaskStream, called_off: CalledOff) -> int:
    """Take the messages of *called_off* back; return how many there were. Repeating it is harmless."""
    keys = [part.key for part in called_off.parts] + [pass_key(cycle.cycle_id) for cycle in called_off.cycles]
    return await stream.withdraw(keys)


async def recently_called_off(pool: Pool, *, now: dt.datetime) -> CalledOff:
    """What ended before its time of late: its withdrawal may have been lost with the process that saw to it."""
    rows = await pool.fetch(
        "SELECT cycle_id, task, part FROM part WHERE state IN ('superseded', 'cancelled') "
        "AND ended_at > $1::timestamptz - interval '10 minutes'",
        now,
    )
    return CalledOff(parts=tuple(PartId(**dict(row)) for row in rows))
