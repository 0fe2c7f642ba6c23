"""Keeps the ledger of parts: what is planned, who runs it under which fence, what is done.

Every write of a part goes through `fenced_write`: one transaction that holds the data, the part's end and the fence
check together. A worker that lost its lease finds another fence there and writes nothing. Parts that end without being
run are the business of `part_ends`; what a pass has come to is read in `part_outcomes`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.fence import FenceLost
from consumer.postgres.states import OPEN_STATES, PartState
from contract.failures import FailureClass
from contract.reports import CycleState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

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
    """A part to be done.

    *after* names what goes first: data sets, or stages as "task/stage"; None: as the part's kind declares it. *stage*,
    which others wait for in their *needs*, and the needs themselves follow from the declarations (`registry.placed`).
    """

    task: str
    part: str
    payload: dict[str, Any] = {}
    after: tuple[str, ...] | None = None
    stage: str = ""
    needs: tuple[str, ...] = ()


class Taker(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes a part: a consumer, by name, with the token of its delivery."""

    name: str
    fence: int
    attempt: int = 1


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run of a part, and in which pass of its cycle it stands now."""

    run_pass: int
    payload: dict[str, Any]


class PartReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a part has done, recorded with it.

    *unfinished*: why the rest of the part is still to be done; what was done is committed all the same.
    """

    rows: int = 0
    warnings: tuple[str, ...] = ()
    spawned: tuple[PartPlan, ...] = ()
    unfinished: Exception | None = None


class PartEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a part ended. *failure_class*: why without its data, for programs; *reason*: the same for people."""

    state: PartState
    at: dt.datetime
    report: PartReport = PartReport()
    requests: Mapping[str, int] = {}
    reason: str | None = None
    failure_class: FailureClass | None = None


def _named(part: PartId) -> tuple[int, str, str]:
    return part.cycle_id, part.task, part.part


async def insert_parts(connection: Connection, cycle_id: int, run_pass: int, parts: Sequence[PartPlan]) -> None:
    """Plan *parts*; one that an earlier pass knew begins anew, keeping its fence and what it has cost so far."""
    # A plan that is delivered again finds the parts of its own pass, and leaves them: they may be at work.
    await connection.executemany(
        """
        INSERT INTO part (cycle_id, task, part, stage, needs, state, pass, payload)
        VALUES ($1, $2, $3, $4, $5, 'blocked', $6, $7)
        ON CONFLICT (cycle_id, task, part) DO UPDATE
            SET stage = excluded.stage, needs = excluded.needs, state = 'blocked', pass = excluded.pass,
                payload = excluded.payload, attempt = 0, row_count = 0, holder = NULL,
                started_at = NULL, ended_at = NULL,
                failure_class = NULL, reason = NULL, warnings = '{}'
            WHERE part.pass < excluded.pass
        """,
        [(cycle_id, p.task, p.part, p.stage, list(p.needs), run_pass, p.payload) for p in parts],
    )


async def unblock(connection: Connection, cycle_id: int) -> list[PartId]:
    """Make ready, and return, every blocked part whose needed stages have no open part left ('*': all others)."""
    # Another part's end is seen once it is committed: whoever ends one holds the cycle's lock first (`lock_cycle`).
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
    states = [PartState.READY, PartState.RUNNING, PartState.RETRYING] if all_open else [PartState.READY]
    rows = await connection.fetch(
        "SELECT task, part FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 AND part.state = ANY ($2) "
        "AND cycle.state = 'running' ORDER BY task, part",
        cycle_id,
        states,
    )
    return [PartId(cycle_id=cycle_id, task=row["task"], part=row["part"]) for row in rows]


async def take_part(pool: Pool, part: PartId, taker: Taker, *, now: dt.datetime) -> Taken:
    """Put the taker's fence on the part and return what to run. Raises PartGone, FenceBehind."""
    # One statement: a row that another changes is waited for, and the conditions are held against what that leaves
    # (READ COMMITTED). Of two deliveries the one with the later token has the part, whichever comes first.
    row = await pool.fetchrow(
        """
        UPDATE part SET fence = $4, holder = $5, attempt = $6, state = 'running', started_at = $7, ended_at = NULL
        WHERE cycle_id = $1 AND task = $2 AND part = $3 AND fence < $4
          AND state IN ('ready', 'running', 'retrying')
          AND EXISTS (SELECT FROM cycle WHERE cycle_id = $1 AND state = 'running')
        RETURNING pass AS run_pass, payload
        """,
        *_named(part),
        taker.fence,
        taker.name,
        taker.attempt,
        now,
    )
    if row is None:
        raise await _why_not_taken(pool, part)
    return Taken(**dict(row))


async def _why_not_taken(pool: Pool, part: PartId) -> PartGone | FenceBehind:
    """What keeps the part from being taken now: the statement that was to take it says only that something does."""
    known = await pool.fetchrow(
        "SELECT part.state, part.fence, cycle.state AS cycle_state FROM part JOIN cycle USING (cycle_id) "
        "WHERE cycle_id = $1 AND task = $2 AND part = $3",
        *_named(part),
    )
    if known is None:
        return PartGone("unknown")
    if known["cycle_state"] != CycleState.RUNNING:
        return PartGone(f"of a cycle that is {known['cycle_state']}")
    if known["state"] in OPEN_STATES and known["state"] != PartState.BLOCKED:
        return FenceBehind(known["fence"])
    return PartGone(known["state"])


@contextlib.asynccontextmanager
async def fenced_write(pool: Pool, part: PartId, *, fence: int) -> AsyncIterator[Connection]:
    """A transaction that commits only while *fence* is still the part's. Raises FenceLost.

    The row lock makes a new owner's `take_part` wait for a transaction in flight, and see its effect.
    """
    async with pool.acquire() as connection, connection.transaction():
        # Of the part alone: with the cycle's row free, the parts of one cycle write side by side.
        held = await connection.fetchval(
            "SELECT 1 FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 AND task = $2 AND part = $3 "
            "AND fence = $4 AND part.state = 'running' AND cycle.state = 'running' FOR NO KEY UPDATE OF part",
            *_named(part),
            fence,
        )
        if held is None:
            raise FenceLost(f"fence {fence} of {part.key} is not the newest, or its cycle was called off")
        yield connection


async def end_part(connection: Connection, part: PartId, end: PartEnd) -> None:
    """Record how the part ended, and add what it spawned."""
    # Added to what is there: an attempt before this one may have committed rows (`note_progress`).
    await connection.execute(
        """
        UPDATE part SET state = $4, ended_at = $5, row_count = row_count + $6, reason = $7, failure_class = $8,
               warnings = $9
        WHERE cycle_id = $1 AND task = $2 AND part = $3
        """,
        *_named(part),
        end.state,
        end.at,
        end.report.rows,
        end.reason,
        end.failure_class,
        list(end.report.warnings),
    )
    await _add_requests(connection, part, end.requests)
    if end.report.spawned:
        run_pass = await connection.fetchval("SELECT pass FROM cycle WHERE cycle_id = $1", part.cycle_id)
        await insert_parts(connection, part.cycle_id, run_pass, end.report.spawned)


async def _add_requests(connection: Connection, part: PartId, requests: Mapping[str, int]) -> None:
    """Add to the requests that the part has cost so far, over all its attempts."""
    for endpoint, count in requests.items():
        await connection.execute(
            "UPDATE part SET requests = requests || jsonb_build_object($4::text, "
            "coalesce((requests->>$4)::bigint, 0) + $5::bigint) WHERE cycle_id = $1 AND task = $2 AND part = $3",
            *_named(part),
            endpoint,
            count,
        )


async def note_progress(connection: Connection, part: PartId, *, rows: int, requests: Mapping[str, int]) -> None:
    """Record that a part has committed some of its work and is not at its end."""
    await connection.execute(
        "UPDATE part SET row_count = row_count + $4 WHERE cycle_id = $1 AND task = $2 AND part = $3",
        *_named(part),
        rows,
    )
    await _add_requests(connection, part, requests)


async def note_retry(pool: Pool, part: PartId, *, fence: int, reason: str, requests: Mapping[str, int]) -> None:
    """Record that the part will be tried again, unless a newer delivery has it."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE part SET state = 'retrying', reason = $5, holder = NULL "
            "WHERE cycle_id = $1 AND task = $2 AND part = $3 AND fence = $4 AND state = 'running'",
            *_named(part),
            fence,
            reason,
        )
        # Whoever has the part now: what was asked was asked, and has cost what it did.
        await _add_requests(connection, part, requests)
