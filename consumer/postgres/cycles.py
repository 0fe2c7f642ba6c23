"""Keeps the ledger of cycles: for which trading day, on what occasion, in which state.

The parts of a cycle are the business of `ledger`.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.fence import FenceLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from consumer.postgres.pool import Connection, Pool


# Held while cycles are opened, joined or called off: one at a time, in all processes together.
OPENING_LOCK = 0x6379636C65  # "cycle"

CALLED_OFF = ("superseded", "cancelled")


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
    state: str
    run_pass: int
    opened_at: dt.datetime
    pass_started_at: dt.datetime
    finished_at: dt.datetime | None
    next_pass_at: dt.datetime | None
    give_up_at: dt.datetime
    reason: str | None
    missing: tuple[str, ...]
    warnings: tuple[str, ...]
    first_day: dt.date | None = None  # of a backfill: its sessions begin there


def cycle_from(row: asyncpg.Record) -> Cycle:
    """Return the Cycle of a row of `cycle`."""
    values: dict[str, Any] = dict(row)
    values["run_pass"] = values.pop("pass")
    for name in ("tasks", "missing", "warnings"):
        values[name] = tuple(values[name])
    return Cycle(**values)


async def find_cycle(connection: Connection | Pool, cycle_id: int) -> Cycle | None:
    row = await connection.fetchrow("SELECT * FROM cycle WHERE cycle_id = $1", cycle_id)
    return None if row is None else cycle_from(row)


async def cycle_of_occasion(connection: Connection | Pool, trading_day: dt.date, occasion: str) -> Cycle | None:
    row = await connection.fetchrow(
        "SELECT * FROM cycle WHERE trading_day = $1 AND occasion = $2", trading_day, occasion
    )
    return None if row is None else cycle_from(row)


async def newest_of_day(
    connection: Connection | Pool, trading_day: dt.date, *, tasks: Sequence[str] = ()
) -> Cycle | None:
    """Return the newest cycle of the day that has at least *tasks*; a backfill is no day's."""
    row = await connection.fetchrow(
        "SELECT * FROM cycle WHERE trading_day = $1 AND first_day IS NULL AND tasks @> $2 "
        "ORDER BY cycle_id DESC LIMIT 1",
        trading_day,
        list(tasks),
    )
    return None if row is None else cycle_from(row)


async def unended_cycles(connection: Connection | Pool) -> list[Cycle]:
    """Return the running cycle, if any, and the waiting ones, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM cycle WHERE state IN ('running', 'waiting') ORDER BY state = 'running' DESC, cycle_id DESC"
    )
    return [cycle_from(row) for row in rows]


async def last_ended(connection: Connection | Pool) -> Cycle | None:
    """Return the cycle that ended last, of those that no newer one took over."""
    row = await connection.fetchrow(
        "SELECT * FROM cycle WHERE finished_at IS NOT NULL AND state <> 'superseded' ORDER BY finished_at DESC LIMIT 1"
    )
    return None if row is None else cycle_from(row)


async def lock_cycle(connection: Connection, cycle_id: int) -> Cycle:
    """Lock the cycle until the transaction ends. Raises FenceLost when it was called off.

    Without it two parts that end together would each still see the other one running, and neither would release what
    waits for both. The order is always: one's own part, then the cycle, then other parts of it.
    """
    row = await connection.fetchrow("SELECT * FROM cycle WHERE cycle_id = $1 FOR UPDATE", cycle_id)
    if row is None or row["state"] in CALLED_OFF:
        raise FenceLost(f"cycle {cycle_id} is {'gone' if row is None else row['state']}")
    return cycle_from(row)
