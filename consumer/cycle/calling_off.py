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
from redis.exceptions import RedisError

from consumer.postgres import actions, cycle_changes, cycles, part_ends
from consumer.postgres.actions import Act, Action
from consumer.postgres.cycles import Cycle
from consumer.postgres.ledger import PartId
from consumer.postgres.part_ends import Closing, parts_in
from consumer.postgres.states import PartState
from contract.reports import CycleState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.cycle.reporting import Reporter
    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Pool


class CalledOff(msgspec.Struct, frozen=True, kw_only=True):
    """The cycles that were ended, as they were before, and the parts of theirs that nobody shall run any more."""

    cycles: tuple[Cycle, ...] = ()
    parts: tuple[PartId, ...] = ()


def pass_key(cycle_id: int) -> str:
    """The identity of the message that starts a cycle's next pass."""
    return f"{cycle_id}/pass"


async def close(pool: Pool, ended: Sequence[Cycle], state: PartState, *, now: dt.datetime) -> CalledOff:
    """Close what was open of *ended*, cycles that were ended or suspended in the pass that they say.

    In a transaction of its own: a part about to commit holds its own row and waits for the cycle's.
    """
    try:
        parts = await part_ends.close_parts(pool, ended, Closing(state=state, at=now))
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as held:
        # By a transaction that stands still, and will not commit. The work is called off all the same.
        logger.info("parts_are_closed_later", cycles=[cycle.cycle_id for cycle in ended], reason=str(held))
        parts = await part_ends.open_parts(pool, ended)
    return CalledOff(cycles=tuple(ended), parts=tuple(parts))


async def cancel_day(pool: Pool, trading_day: dt.date, decision: Decision) -> CalledOff:
    """Cancel what runs or waits for *trading_day*; nothing of it is opened again by itself."""
    now = decision.at
    words = f"cancelled by {decision.by}" + (f": {decision.reason}" if decision.reason else "")
    async with pool.acquire() as connection, connection.transaction():
        await cycle_changes.take_turn(connection)
        found = [cycle for cycle in await cycles.unended_cycles(connection) if cycle.trading_day == trading_day]
        await cycle_changes.end_cycles(connection, found, CycleState.CANCELLED, now=now, reason=words)
        for cycle in found:
            about = f"cycle {cycle.cycle_id}, {cycle.occasion}"
            done = Action(act=Act.CANCEL, about=about, trading_day=trading_day, cycle_id=cycle.cycle_id)
            await actions.note(connection, done, decision)
    return await close(pool, found, PartState.CANCELLED, now=now)


async def cancel(
    pool: Pool, stream: TaskStream, reporter: Reporter, trading_day: dt.date, decision: Decision
) -> tuple[Cycle, ...]:
    """Cancel, withdraw and report; return the cycles that were ended. Repeating it is harmless.

    From the commit on it is done, and Redis that is away then makes no failure of it: the catch-up withdraws.
    """
    called_off = await cancel_day(pool, trading_day, decision)
    if called_off.cycles:
        try:
            await withdraw(stream, called_off)
        except RedisError as error:
            logger.warning("messages_not_withdrawn", trading_day=str(trading_day), reason=str(error))
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
    for cycle in await cycles.left_open(pool, now=now):
        state = PartState.CANCELLED if cycle.state is CycleState.CANCELLED else PartState.SUPERSEDED
        await close(pool, [cycle], state, now=now)
        await withdraw(stream, CalledOff(cycles=(cycle,), parts=tuple(await parts_in(pool, cycle.cycle_id, state))))
