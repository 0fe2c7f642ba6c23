"""Keeps the ledger of parts: what is planned, who runs it under which fence, what is done.

Every write of a part goes through `fenced_write`: one transaction that holds the data, the part's end and the fence
check together. A worker that lost its lease finds another fence there and writes nothing.
"""

from __future__ import annotations

import contextlib
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.fence import FenceLost

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Mapping, Sequence

    from consumer.postgres.pool import Connection, Pool


class FenceBehind(Exception):
    """The ledger has seen this token or a later one: Redis lost its counter. *seen* is the highest."""

    def __init__(self, seen: int) -> None:
        super().__init__(f"the ledger has seen fence {seen}")
        self.seen = seen


class PartGone(Exception):
    """The part is not to be run (any more): done, superseded, or of a cycle that ended. *state* says which."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the part is {state}")
        self.state = state


class PartId(msgspec.Struct, frozen=True, kw_only=True):
    """A part's name in the ledger and, as *key*, on the wire."""

    cycle_id: int
    task: str
    part: str

    @property
    def key(self) -> str:
        return f"{self.cycle_id}/{self.task}/{self.part}"


class PartPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A part to be done. *stage* is what others wait for in their *needs*; *why* is for people."""

    task: str
    part: str
    stage: str
    needs: tuple[str, ...] = ()
    payload: dict[str, Any] = {}


class PartReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a part has done, recorded with it.

    *unfinished*: why the rest of the part is still to be done; what was done is committed all the same.
    """

    rows: int = 0
    warnings: tuple[str, ...] = ()
    spawned: tuple[PartPlan, ...] = ()
    unfinished: Exception | None = None


async def insert_parts(connection: Connection, cycle_id: int, run_pass: int, parts: Sequence[PartPlan]) -> None:
    """Plan *parts*; one that an earlier pass knew begins anew, keeping its fence and what it has cost so far."""
    await connection.executemany(
        """
        INSERT INTO part (cycle_id, task, part, stage, needs, state, pass, payload)
        VALUES ($1, $2, $3, $4, $5, 'blocked', $6, $7)
        ON CONFLICT (cycle_id, task, part) DO UPDATE
            SET stage = excluded.stage, needs = excluded.needs, state = 'blocked', pass = excluded.pass,
                payload = excluded.payload, attempt = 0, row_count = 0, holder = NULL,
                started_at = NULL, ended_at = NULL,
                retryable = false, reason = NULL, warnings = '{}'
            WHERE part.pass < excluded.pass
        """,
        [(cycle_id, p.task, p.part, p.stage, list(p.needs), run_pass, p.payload) for p in parts],
    )


async def unblock(connection: Connection, cycle_id: int) -> list[PartId]:
    """Make ready, and return, every blocked part whose needed stages have no open part left ('*': all others)."""
    rows = await connection.fetch(
        """
        UPDATE part AS waiting SET state = 'ready'
        WHERE cycle_id = $1 AND state = 'blocked' AND NOT EXISTS (
            SELECT FROM part AS other
            WHERE other.cycle_id = $1 AND other.state IN ('blocked', 'ready', 'running', 'retrying')
              AND (other.stage = ANY (waiting.needs)
                   OR ('*' = ANY (waiting.needs) AND other.stage <> waiting.stage)))
        RETURNING task, part
        """,
        cycle_id,
    )
    return [PartId(cycle_id=cycle_id, task=row["task"], part=row["part"]) for row in rows]


async def dispatchable(connection: Connection | Pool, cycle_id: int, *, all_open: bool = False) -> list[PartId]:
    """Return the ready parts of a running cycle; with *all_open* also those being run: their message may be lost.

    None of a cycle that was called off, whatever its parts still say: each would be sent, refused and sent again.
    """
    states = ["ready", "running", "retrying"] if all_open else ["ready"]
    rows = await connection.fetch(
        "SELECT task, part FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 AND part.state = ANY ($2) "
        "AND cycle.state = 'running' ORDER BY task, part",
        cycle_id,
        states,
    )
    return [PartId(cycle_id=cycle_id, task=row["task"], part=row["part"]) for row in rows]


async def take_part(
    pool: Pool, part: PartId, *, fence: int, holder: str, attempt: int, now: dt.datetime
) -> dict[str, Any]:
    """Put *fence* on the part and return its row. Raises PartGone, FenceBehind."""
    row = await pool.fetchrow(
        """
        UPDATE part SET fence = $4, holder = $5, attempt = $6, state = 'running', started_at = $7, ended_at = NULL
        WHERE cycle_id = $1 AND task = $2 AND part = $3 AND fence < $4
          AND state IN ('ready', 'running', 'retrying')
          AND EXISTS (SELECT FROM cycle WHERE cycle_id = $1 AND state = 'running')
        RETURNING *
        """,
        part.cycle_id,
        part.task,
        part.part,
        fence,
        holder,
        attempt,
        now,
    )
    if row is not None:
        return dict(row)
    known = await pool.fetchrow(
        "SELECT part.state, part.fence, cycle.state AS cycle_state FROM part JOIN cycle USING (cycle_id) "
        "WHERE cycle_id = $1 AND task = $2 AND part = $3",
        part.cycle_id,
        part.task,
        part.part,
    )
    if known is None:
        raise PartGone("unknown")
    if known["cycle_state"] != "running":
        raise PartGone(f"of a cycle that is {known['cycle_state']}")
    if known["state"] in ("ready", "running", "retrying"):
        raise FenceBehind(known["fence"])
    raise PartGone(known["state"])


@contextlib.asynccontextmanager
async def fenced_write(pool: Pool, part: PartId, *, fence: int) -> AsyncIterator[Connection]:
    """A transaction that commits only while *fence* is still the part's. Raises FenceLost.

    The row lock makes a new owner's `take_part` wait for a transaction in flight, and see its effect.
    """
    async with pool.acquire() as connection, connection.transaction():
        held = await connection.fetchval(
            "SELECT 1 FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 AND task = $2 AND part = $3 "
            "AND fence = $4 AND part.state = 'running' AND cycle.state = 'running' FOR NO KEY UPDATE OF part",
            part.cycle_id,
            part.task,
            part.part,
            fence,
        )
        if held is None:
            raise FenceLost(f"fence {fence} of {part.key} is not the newest, or its cycle was called off")
        yield connection


async def end_part(
    connection: Connection,
    part: PartId,
    *,
    state: str,
    now: dt.datetime,
    report: PartReport | None = None,
    requests: Mapping[str, int] | None = None,
    reason: str | None = None,
    retryable: bool = False,
) -> None:
    """Record how the part ended, and add what it spawned."""
    report = report or PartReport()
    await connection.execute(
        """
        UPDATE part SET state = $4, ended_at = $5, row_count = row_count + $6, reason = $7, retryable = $8,
               warnings = $9
        WHERE cycle_id = $1 AND task = $2 AND part = $3
        """,
        part.cycle_id,
        part.task,
        part.part,
        state,
        now,
        report.rows,
        reason,
        retryable,
        list(report.warnings),
    )
    await _add_requests(connection, part, requests or {})
    if report.spawned:
        run_pass = await connection.fetchval("SELECT pass FROM cycle WHERE cycle_id = $1", part.cycle_id)
        await insert_parts(connection, part.cycle_id, run_pass, report.spawned)


async def _add_requests(connection: Connection, part: PartId, requests: Mapping[str, int]) -> None:
    """Add to the requests that the part has cost so far, over all its attempts."""
    for endpoint, count in requests.items():
        await connection.execute(
            "UPDATE part SET requests = requests || jsonb_build_object($4::text, "
            "coalesce((requests->>$4)::bigint, 0) + $5::bigint) WHERE cycle_id = $1 AND task = $2 AND part = $3",
            part.cycle_id,
            part.task,
            part.part,
            endpoint,
            count,
        )


async def note_progress(connection: Connection, part: PartId, *, rows: int, requests: Mapping[str, int]) -> None:
    """Record that a part has committed some of its work and is not at its end."""
    await connection.execute(
        "UPDATE part SET row_count = row_count + $4 WHERE cycle_id = $1 AND task = $2 AND part = $3",
        part.cycle_id,
        part.task,
        part.part,
        rows,
    )
    await _add_requests(connection, part, requests)


async def note_retry(pool: Pool, part: PartId, *, fence: int, reason: str, requests: Mapping[str, int]) -> None:
    """Record that the part will be tried again, unless a newer delivery has it."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE part SET state = 'retrying', reason = $5, holder = NULL "
            "WHERE cycle_id = $1 AND task = $2 AND part = $3 AND fence = $4 AND state = 'running'",
            part.cycle_id,
            part.task,
            part.part,
            fence,
            reason,
        )
        await _add_requests(connection, part, requests)


class Standing(Enum):
    """How a part stands towards a delivery that wants to say how it ended."""

    OPEN = "open"  # nobody newer has it: the delivery may end it
    TAKEN = "taken"  # a newer delivery has it
    OVER = "over"  # it has ended, its cycle has, or the ledger never knew it


async def standing_of(connection: Connection, part: PartId, *, fence: int) -> Standing:
    """Return how *part* stands towards the delivery with *fence*; an open one is locked until the transaction ends."""
    row = await connection.fetchrow(
        "SELECT fence FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 AND task = $2 AND part = $3 "
        "AND part.state IN ('ready', 'running', 'retrying') AND cycle.state = 'running' FOR UPDATE OF part",
        part.cycle_id,
        part.task,
        part.part,
    )
    if row is None:
        return Standing.OVER
    return Standing.OPEN if row["fence"] <= fence else Standing.TAKEN


async def cancel_waiting_parts(connection: Connection, cycle_id: int, *, now: dt.datetime, but: str) -> None:
    """End the parts that nobody runs yet, except those of task *but*."""
    await connection.execute(
        "UPDATE part SET state = 'superseded', ended_at = $2 "
        "WHERE cycle_id = $1 AND task <> $3 AND state IN ('blocked', 'ready', 'retrying')",
        cycle_id,
        now,
        but,
    )


async def close_earlier_passes(connection: Connection, cycle_id: int, *, now: dt.datetime) -> None:
    """End what a suspended pass left open: the next pass plans anew what is still missing."""
    await connection.execute(
        "UPDATE part SET state = 'superseded', ended_at = $2 "
        "WHERE cycle_id = $1 AND state IN ('blocked', 'ready', 'running', 'retrying')",
        cycle_id,
        now,
    )


async def fail_cycle(connection: Connection, cycle_id: int, *, now: dt.datetime, reason: str) -> None:
    """End a cycle that cannot be planned or judged."""
    await cancel_waiting_parts(connection, cycle_id, now=now, but="")
    await connection.execute(
        "UPDATE cycle SET state = 'failed', finished_at = $2, reason = $3 WHERE cycle_id = $1", cycle_id, now, reason
    )
