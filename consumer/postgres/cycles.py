"""Looks cycles up in their ledger: for which trading day, on what occasion, in which state.

What changes them is in `cycle_changes`; their parts are the business of `ledger`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.fence import FenceLost
from consumer.postgres.states import CALLED_OFF
from contract.reports import CycleState

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from consumer.postgres.pool import Connection, Pool

# By name, and not all there are: a newer release may have added one that this program does not know.
COLUMNS = (
    "cycle_id, trading_day, occasion, scheduled, due_at, requested_by, tasks, force, state, pass AS run_pass, "
    "opened_at, pass_started_at, finished_at, next_pass_at, give_up_at, reason, missing, warnings, first_day"
)
# An ended cycle may still be withdrawn from Redis for so long by those who did not come to it.
WITHDRAWN_WITHIN = dt.timedelta(minutes=10)


#: Of a row `t`: the first cycle of all tells since when this database is maintained, and is never deleted.
FIRST_CYCLE = "t.cycle_id = (SELECT min(cycle_id) FROM cycle)"


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `cycle`."""

    cycle_id: int
    trading_day: dt.date
    occasion: str
    scheduled: bool
    due_at: dt.datetime
    requested_by: str
    tasks: tuple[str, ...]
    force: bool
    state: CycleState
    run_pass: int
    opened_at: dt.datetime
    pass_started_at: dt.datetime
    finished_at: dt.datetime | None = None
    next_pass_at: dt.datetime | None = None
    give_up_at: dt.datetime
    reason: str | None = None
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    first_day: dt.date | None = None  # of a backfill: its sessions begin there


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was asked for by name, and when last."""

    times: int
    last: dt.datetime | None


def cycle_from(row: asyncpg.Record) -> Cycle:
    """Return the Cycle of a row of COLUMNS."""
    values: dict[str, Any] = dict(row)
    values["state"] = CycleState(values["state"])
    for name in ("tasks", "missing", "warnings"):
        values[name] = tuple(values[name])
    return Cycle(**values)


async def _first(connection: Connection | Pool, which: str, *arguments: object) -> Cycle | None:
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM cycle {which}", *arguments)
    return None if row is None else cycle_from(row)


async def find_cycle(connection: Connection | Pool, cycle_id: int) -> Cycle | None:
    return await _first(connection, "WHERE cycle_id = $1", cycle_id)


async def cycle_of_occasion(connection: Connection | Pool, trading_day: dt.date, occasion: str) -> Cycle | None:
    return await _first(connection, "WHERE trading_day = $1 AND occasion = $2", trading_day, occasion)


async def newest_of_day(
    connection: Connection | Pool, trading_day: dt.date, *, tasks: Sequence[str] = ()
) -> Cycle | None:
    """Return the newest cycle of the day that has at least *tasks*; a backfill is no day's."""
    which = "WHERE trading_day = $1 AND first_day IS NULL AND tasks @> $2 ORDER BY cycle_id DESC LIMIT 1"
    return await _first(connection, which, trading_day, list(tasks))


async def newest_that_counts(connection: Connection | Pool, trading_day: dt.date) -> Cycle | None:
    """Return the newest cycle for the day, or backfill to it, that no other has taken over."""
    which = "WHERE trading_day = $1 AND state <> 'superseded' ORDER BY cycle_id DESC LIMIT 1"
    return await _first(connection, which, trading_day)


async def running_or_newest(connection: Connection | Pool) -> Cycle | None:
    """Return the running cycle, else the newest that no other has taken over."""
    which = "WHERE state <> 'superseded' ORDER BY state = 'running' DESC, cycle_id DESC LIMIT 1"
    return await _first(connection, which)


async def last_ended(connection: Connection | Pool) -> Cycle | None:
    """Return the cycle that ended last, of those that no newer one took over."""
    which = "WHERE finished_at IS NOT NULL AND state <> 'superseded' ORDER BY finished_at DESC LIMIT 1"
    return await _first(connection, which)


async def last_complete_at(connection: Connection | Pool) -> dt.datetime | None:
    """Return when the newest cycle ended that left nothing."""
    which = "WHERE state = 'complete' AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1"
    found: dt.datetime | None = await connection.fetchval(f"SELECT finished_at FROM cycle {which}")
    return found


async def unended_cycles(connection: Connection | Pool) -> list[Cycle]:
    """Return the running cycle, if any, and the waiting ones, newest first."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM cycle WHERE state IN ('running', 'waiting') "
        "ORDER BY state = 'running' DESC, cycle_id DESC"
    )
    return [cycle_from(row) for row in rows]


async def left_open(pool: Pool, *, now: dt.datetime) -> list[Cycle]:
    """Return the cycles that ended and may not be closed: with an open part, or called off of late.

    By the open parts, not by when the cycle ended: whoever ended it may have died, or been refused a lock, ever since.
    """
    rows = await pool.fetch(
        # Either by an index of its own: as alternatives of one condition, every cycle that ever was is gone over.
        f"SELECT {COLUMNS} FROM cycle WHERE state NOT IN ('running', 'waiting') AND cycle_id IN ("
        "SELECT cycle_id FROM cycle "
        "WHERE state IN ('superseded', 'cancelled') AND finished_at > $1::timestamptz - $2::interval "
        "UNION SELECT cycle_id FROM part WHERE state IN ('blocked', 'ready', 'running', 'retrying'))",
        now,
        WITHDRAWN_WITHIN,
    )
    return [cycle_from(row) for row in rows]


async def asked_so_far(pool: Pool, request: str) -> Asked:
    """Return how often requests whose name begins with *request* were served, and when the last one was."""
    # starts_with and no LIKE, in which a name's % and _ would stand for any signs.
    row = await pool.fetchrow(
        "SELECT count(*) AS times, max(opened_at) AS last FROM cycle WHERE starts_with(occasion, $1)",
        f"request:{request}",
    )
    assert row is not None, "an aggregate has a row"
    return Asked(**dict(row))


async def first_opened_at(connection: Connection | Pool) -> dt.datetime | None:
    """Return since when this service has kept its ledger; None before its first cycle."""
    first: dt.datetime | None = await connection.fetchval("SELECT min(opened_at) FROM cycle")
    return first


async def lock_cycle(connection: Connection, cycle_id: int) -> Cycle:
    """Lock the cycle until the transaction ends. Raises FenceLost when it was called off.

    Without it two parts that end together would each still see the other one running, and neither would release what
    waits for both. The order is always: one's own part, then the cycle, then other parts of it.
    """
    cycle = await _first(connection, "WHERE cycle_id = $1 FOR UPDATE", cycle_id)
    if cycle is None or cycle.state in CALLED_OFF:
        raise FenceLost(f"cycle {cycle_id} is {'gone' if cycle is None else cycle.state}")
    return cycle
