"""Ends parts that nobody runs to their end, and says which delivery may still speak for a part."""

from __future__ import annotations

import datetime as dt
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.ledger import PartId
from consumer.postgres.states import PartState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection, Pool

# Spelled out in each statement and no parameter: only so is it the condition of the index on open parts.
_OPEN_OF_THESE = (
    "part.cycle_id = ended.cycle_id AND part.pass <= ended.pass "
    "AND state IN ('blocked', 'ready', 'running', 'retrying')"
)


class Ownership(Enum):
    """Whose a part is, as seen by a delivery that wants to say how it ended."""

    OPEN = "open"  # nobody newer has it: the delivery may end it
    TAKEN = "taken"  # a newer delivery has it
    OVER = "over"  # it has ended, its cycle has, or the ledger never knew it


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """As what parts are closed, and which not: those of the task *but*; without *running*, those at work."""

    state: PartState
    at: dt.datetime
    but: str = ""
    running: bool = True


async def ownership_of(connection: Connection, part: PartId, *, fence: int) -> Ownership:
    """Return whose *part* is to the delivery with *fence*; an open one is locked until the transaction ends."""
    # Locked: a newer delivery cannot take it between this look and what is written because of it.
    row = await connection.fetchrow(
        "SELECT fence FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 AND task = $2 AND part = $3 "
        "AND part.state IN ('ready', 'running', 'retrying') AND cycle.state = 'running' FOR UPDATE OF part",
        part.cycle_id,
        part.task,
        part.part,
    )
    if row is None:
        return Ownership.OVER
    return Ownership.OPEN if row["fence"] <= fence else Ownership.TAKEN


async def close_parts(connection: Connection | Pool, ended: Sequence[Cycle], closing: Closing) -> list[PartId]:
    """End what is open of *ended*, each in the pass that it says or an earlier one; return those parts.

    By the pass: whoever freezes before this may wake when a suspended cycle is at its next one, whose parts go on.
    """
    rows = await connection.fetch(
        "UPDATE part SET state = $4, ended_at = $3 FROM unnest($1::bigint[], $2::int[]) AS ended (cycle_id, pass) "
        f"WHERE {_OPEN_OF_THESE} AND task <> $5 AND ($6 OR state <> 'running') "
        "RETURNING part.cycle_id, task, part",
        [cycle.cycle_id for cycle in ended],
        [cycle.run_pass for cycle in ended],
        closing.at,
        closing.state,
        closing.but,
        closing.running,
    )
    return [PartId(**dict(row)) for row in rows]


async def open_parts(pool: Pool, ended: Sequence[Cycle]) -> list[PartId]:
    """Return what `close_parts` would end of *ended*; this waits for nobody's lock."""
    rows = await pool.fetch(
        "SELECT part.cycle_id, task, part FROM part JOIN unnest($1::bigint[], $2::int[]) AS ended (cycle_id, pass) "
        f"ON {_OPEN_OF_THESE}",
        [cycle.cycle_id for cycle in ended],
        [cycle.run_pass for cycle in ended],
    )
    return [PartId(**dict(row)) for row in rows]


async def parts_in(pool: Pool, cycle_id: int, state: PartState) -> list[PartId]:
    """Return the parts of a cycle that are in *state*."""
    rows = await pool.fetch("SELECT cycle_id, task, part FROM part WHERE cycle_id = $1 AND state = $2", cycle_id, state)
    return [PartId(**dict(row)) for row in rows]
