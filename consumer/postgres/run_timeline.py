"""Reads when the parts of a cycle began and ended, who has them, and what they wait for: a run as a line of time.

Bounded: a first load has thousands of parts, of which those are told that somebody may have to see to.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.cycles import COLUMNS, cycle_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection


class OpenWork(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts are open of a task of a cycle that has not ended: *running* ones are held, or tried again.

    *about*: the session that the parts name; None for those of the whole span.
    """

    cycle_id: int
    trading_day: dt.date
    first_day: dt.date | None
    task: str
    about: dt.date | None
    running: int
    open: int


class TaskSpan(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when a task's parts of the present pass ran, and in which state how many are."""

    task: str
    began_at: dt.datetime | None
    ended_at: dt.datetime | None
    done: int
    failed: int
    open: int
    attempts: int


class PartLine(msgspec.Struct, frozen=True, kw_only=True):
    """A part as it stands. *attempt* counts those of the present pass; *needs* the stages that it waits for."""

    task: str
    part: str
    state: str
    run_pass: int
    attempt: int
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    holder: str | None
    row_count: int
    reason: str | None
    failure_class: str | None
    needs: list[str]


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """How many parts of a task wait for *stage*, of which *left* parts are still open."""

    task: str
    stage: str
    parts: int
    left: int


_OPEN = "('blocked', 'ready', 'running', 'retrying')"


async def open_work(connection: Connection) -> list[OpenWork]:
    """Count the open parts of the cycles that have not ended, by task and by the session that a part names."""
    rows = await connection.fetch(
        f"""
        SELECT cycle_id, trading_day, first_day, task,
               CASE WHEN part ~ ':[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN split_part(part, ':', 2)::date END AS about,
               count(*) FILTER (WHERE p.state IN ('running', 'retrying')) AS running, count(*) AS open
        FROM cycle AS c JOIN part AS p USING (cycle_id)
        WHERE c.state IN ('running', 'waiting') AND p.state IN {_OPEN} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 4, 5
        """
    )
    return [OpenWork(**dict(row)) for row in rows]


async def cycles_about(connection: Connection, day: dt.date, *, also: Sequence[int], most: int) -> list[Cycle]:
    """Return the newest *most* cycles of the day, backfills that reach over it and *also*, newest first."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM cycle WHERE trading_day = $1 OR (trading_day > $1 AND first_day <= $1) "
        "OR cycle_id = ANY ($3) ORDER BY cycle_id DESC LIMIT $2",
        day,
        most,
        list(also),
    )
    return [cycle_from(row) for row in rows]


async def spans_of(connection: Connection, cycle: Cycle) -> list[TaskSpan]:
    """Return a span for each task of the cycle's present pass, in the order in which they began."""
    rows = await connection.fetch(
        f"""
        SELECT task, min(started_at) AS began_at,
               CASE WHEN bool_or(state IN {_OPEN}) THEN NULL ELSE max(ended_at) END AS ended_at,
               count(*) FILTER (WHERE state = 'done') AS done,
               count(*) FILTER (WHERE state IN ('failed', 'not_yet', 'superseded', 'cancelled')) AS failed,
               count(*) FILTER (WHERE state IN {_OPEN}) AS open, coalesce(sum(attempt), 0)::bigint AS attempts
        FROM part WHERE cycle_id = $1 AND pass = $2 GROUP BY task ORDER BY min(started_at) NULLS LAST, task
        """,
        cycle.cycle_id,
        cycle.run_pass,
    )
    return [TaskSpan(**dict(row)) for row in rows]


async def parts_to_tell(connection: Connection, cycle: Cycle, *, most: int) -> list[PartLine]:
    """Return the *most* parts that say most: those that failed, those at work, then the others as they began."""
    rows = await connection.fetch(
        """
        SELECT task, part, state, pass AS run_pass, attempt, started_at, ended_at, holder, row_count, reason,
               failure_class, needs
        FROM part WHERE cycle_id = $1
        ORDER BY CASE WHEN state IN ('failed', 'not_yet', 'retrying') THEN 0 WHEN state = 'running' THEN 1
                      WHEN state IN ('ready', 'blocked') THEN 2 ELSE 3 END, started_at NULLS LAST,
                 cardinality(needs), task, part  -- what failed for another's sake comes after that one
        LIMIT $2
        """,
        cycle.cycle_id,
        most,
    )
    return [PartLine(**dict(row)) for row in rows]


async def blocked_of(connection: Connection, cycle: Cycle) -> list[Blocked]:
    """Say which stages with open parts keep the cycle's blocked parts waiting."""
    rows = await connection.fetch(
        f"""
        WITH waiting AS (
            SELECT task, need, count(*) AS parts FROM part, unnest(needs) AS need
            WHERE cycle_id = $1 AND state = 'blocked' GROUP BY task, need
        ), left_open AS (
            SELECT stage, count(*) AS parts FROM part WHERE cycle_id = $1 AND state IN {_OPEN} GROUP BY stage
        )
        SELECT w.task, l.stage, w.parts, l.parts AS left FROM waiting AS w JOIN left_open AS l ON l.stage = w.need
        ORDER BY w.task, l.stage LIMIT 50
        """,
        cycle.cycle_id,
    )
    return [Blocked(**dict(row)) for row in rows]
