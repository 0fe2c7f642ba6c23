"""Reads how the parts of a pass have ended, for those who decide by it what is asked, planned or judged next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.states import PartState
from contract.failures import FailureClass

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.ledger import PartId
    from consumer.postgres.pool import Connection, Pool


class EndedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a part that ended."""

    task: str
    part: str
    state: PartState
    failure_class: FailureClass | None
    reason: str | None
    warnings: list[str]
    symbols: int = 0  # how many it was to ask for one by one


async def ended_parts(pool: Pool, cycle: Cycle, *, but_stage: str) -> list[EndedPart]:
    """Return the parts of the cycle's present pass, without those of stage *but_stage*, which asks."""
    rows = await pool.fetch(
        "SELECT task, part, state, failure_class, reason, warnings, "
        "coalesce(jsonb_array_length(payload->'symbols'), 0) AS symbols FROM part WHERE cycle_id = $1 AND pass = $2 "
        "AND stage <> $3 ORDER BY task, part",
        cycle.cycle_id,
        cycle.run_pass,
        but_stage,
    )
    return [_ended(dict(row)) for row in rows]


def _ended(row: dict[str, Any]) -> EndedPart:
    return EndedPart(**{**row, "state": PartState(row["state"]), "failure_class": _known_class(row["failure_class"])})


def _known_class(text: str | None) -> FailureClass | None:
    """What a newer release may have written is a failure like one that nobody knows."""
    known = {one.value for one in FailureClass}
    return None if text is None else FailureClass(text) if text in known else FailureClass.UNKNOWN


async def has_failed_part(connection: Connection, cycle: Cycle) -> bool:
    """Whether the cycle's present pass has given a part up."""
    failed: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM part WHERE cycle_id = $1 AND pass = $2 AND state = 'failed')",
        cycle.cycle_id,
        cycle.run_pass,
    )
    return failed


async def gave_up_on_vendor(pool: Pool, cycle: Cycle, *, but_kinds: Sequence[str]) -> int:
    """Count the parts of the present pass for which the vendor was away, without those of *but_kinds*."""
    return int(
        await pool.fetchval(
            "SELECT count(*) FROM part WHERE cycle_id = $1 AND pass = $2 AND state = 'failed' "
            "AND failure_class = ANY ($3) AND split_part(part, ':', 1) <> ALL ($4)",
            cycle.cycle_id,
            cycle.run_pass,
            [one for one in FailureClass if one.means_the_vendor_is_away],
            list(but_kinds),
        )
    )


async def is_kind_answered(pool: Pool, part: PartId) -> bool:
    """Whether a part of the same kind has brought rows in its cycle's present pass."""
    answered: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM part JOIN cycle USING (cycle_id) WHERE cycle_id = $1 "
        "AND part.pass = cycle.pass AND task = $2 AND split_part(part, ':', 1) = $3 AND row_count > 0)",
        part.cycle_id,
        part.task,
        part.part.partition(":")[0],
    )
    return answered


async def why_not_published(pool: Pool, cycle: Cycle, *, task: str, part: str) -> str | None:
    """Return what a part of *task*, or one called *part*, was told that is not published; None where none was."""
    reason: str | None = await pool.fetchval(
        "SELECT reason FROM part WHERE cycle_id = $1 AND pass = $2 AND state = 'not_yet' "
        "AND (part = $3 OR task = $4) LIMIT 1",
        cycle.cycle_id,
        cycle.run_pass,
        part,
        task,
    )
    return reason


async def done_without_rows(pool: Pool | Connection, cycle: Cycle, *, task: str, kind: str) -> dict[str, bool]:
    """Return the parts of a kind that were done in any pass and brought nothing; the value: whether with a warning."""
    rows = await pool.fetch(
        "SELECT part, warnings <> '{}' AS warned FROM part WHERE cycle_id = $1 AND task = $2 "
        "AND split_part(part, ':', 1) = $3 AND state = 'done' AND row_count = 0",
        cycle.cycle_id,
        task,
        kind,
    )
    return {row["part"]: row["warned"] for row in rows}


async def reasons_of_days(
    connection: Connection, days: Sequence[dt.date], *, tasks: Sequence[str]
) -> dict[tuple[dt.date, str], str]:
    """Why the newest cycle of *tasks* for each of the days did not bring a part, by (day, "task/kind of part")."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (c.trading_day, what)
               c.trading_day, p.task || '/' || split_part(p.part, ':', 1) AS what, p.reason
        FROM (SELECT DISTINCT ON (trading_day) trading_day, cycle_id FROM cycle
              WHERE trading_day = ANY ($1) AND tasks @> $2 ORDER BY trading_day, cycle_id DESC) AS c
        JOIN part AS p USING (cycle_id)
        WHERE p.reason IS NOT NULL AND p.state IN ('failed', 'not_yet', 'retrying')
        ORDER BY c.trading_day, what, p.ended_at DESC NULLS LAST
        """,
        list(days),
        list(tasks),
    )
    return {(row["trading_day"], row["what"]): row["reason"] for row in rows}
