"""Begins the next pass of a cycle that waited, which plans anew what is still missing.

One cycle runs at a time, and one at a time is opened or goes on: see `opening`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.cycle import opening
from consumer.delivery.errors import Busy
from consumer.postgres import cycle_changes, cycles, ledger
from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId
from consumer.postgres.part_ends import Closing, close_parts
from consumer.postgres.states import PartState
from contract.reports import CycleState

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.pool import Connection, Pool


class NextPass(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a pass that was due: the parts to send, and the cycles that wait for it to end."""

    parts: tuple[PartId, ...] = ()
    suspended: tuple[Cycle, ...] = ()


async def begin_next_pass(pool: Pool, cycle_id: int, *, now: dt.datetime) -> NextPass:
    """Start the next pass of a waiting cycle, or end it where its time is over.

    Raises Busy while another cycle runs.
    """
    async with pool.acquire() as connection, connection.transaction():
        await cycle_changes.take_turn(connection)
        cycle = await cycles.find_cycle(connection, cycle_id)
        # Whoever began it before this may have died before it sent the plan.
        if cycle is None or cycle.state is not CycleState.WAITING:
            return NextPass(parts=tuple(await ledger.dispatchable(connection, cycle_id)))
        if now >= cycle.give_up_at:
            await cycle_changes.end_cycles(connection, [cycle], CycleState.PARTIAL, now=now)
            return NextPass()
        suspended = await _make_room(connection, cycle, now=now)
        # What a suspended pass left open: the next one plans anew what is still missing.
        await close_parts(connection, [cycle], Closing(state=PartState.SUPERSEDED, at=now))
        await cycle_changes.begin_pass(connection, cycle, now=now)
        await ledger.insert_parts(connection, cycle_id, cycle.run_pass + 1, [opening.PLAN])
        await ledger.unblock(connection, cycle_id)
        return NextPass(parts=tuple(await ledger.dispatchable(connection, cycle_id)), suspended=suspended)


async def _make_room(connection: Connection, cycle: Cycle, *, now: dt.datetime) -> tuple[Cycle, ...]:
    """Suspend the backfills that run, unless it is one itself. Raises Busy where something else runs."""
    unended = await cycles.unended_cycles(connection)
    suspended: tuple[Cycle, ...] = ()
    if cycle.first_day is None:
        suspended = await opening.suspend_backfills(connection, unended, now=now)
        unended = [other for other in unended if other.first_day is None]
    if any(other.state is CycleState.RUNNING for other in unended):
        raise Busy("another cycle is running", delay=opening.BUSY_DELAY)
    return suspended
