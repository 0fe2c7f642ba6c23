"""Begins the next pass of a cycle that waited, which plans anew what is still missing.

One cycle runs at a time, and one at a time is opened or goes on: see `opening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.cycle import opening
from consumer.delivery.errors import Busy
from consumer.postgres import cycles, ledger
from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.pool import Pool


class NextPass(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a pass that was due: the parts to send, and the cycles that wait for it to end."""

    parts: tuple[PartId, ...] = ()
    suspended: tuple[Cycle, ...] = ()


async def begin_next_pass(pool: Pool, cycle_id: int, *, now: dt.datetime) -> NextPass:
    """Start the next pass of a waiting cycle, or end it where its time is over.

    Raises Busy while another cycle runs.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", cycles.OPENING_LOCK)
        cycle = await cycles.find_cycle(connection, cycle_id)
        if cycle is None or cycle.state != "waiting":
            return NextPass(parts=tuple(await ledger.dispatchable(connection, cycle_id)))
        if now >= cycle.give_up_at:
            await connection.execute(
                "UPDATE cycle SET state = 'partial', finished_at = $2, next_pass_at = NULL WHERE cycle_id = $1",
                cycle_id,
                now,
            )
            return NextPass()
        unended = await cycles.unended_cycles(connection)
        suspended: tuple[Cycle, ...] = ()
        if cycle.first_day is None:
            suspended = await opening.suspend_backfills(connection, unended, now=now)
            unended = [other for other in unended if other.first_day is None]
        if any(other.state == "running" for other in unended):
            raise Busy("another cycle is running", delay=opening.BUSY_DELAY)
        await ledger.close_earlier_passes(connection, cycle_id, now=now)
        await connection.execute(
            "UPDATE cycle SET state = 'running', pass = pass + 1, pass_started_at = $2, next_pass_at = NULL "
            "WHERE cycle_id = $1",
            cycle_id,
            now,
        )
        await ledger.insert_parts(connection, cycle_id, cycle.run_pass + 1, [opening.PLAN])
        await ledger.unblock(connection, cycle_id)
        return NextPass(parts=tuple(await ledger.dispatchable(connection, cycle_id)), suspended=suspended)
