"""Keeps the last verdict on each session where SQL readers find it: one row a session, in their four words."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from consumer.postgres.pool import Connection, Pool

#: Data sets whose coverage says that a session's data were touched.
_TOUCHED_BY = ["daily_bars", "slot_proof", "volume_slots"]


class SessionCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `session_condition`."""

    trading_day: dt.date
    condition: str
    state: str
    reason: str
    state_since: dt.datetime
    last_modified_at: dt.datetime | None
    judged_at: dt.datetime
    data_sets: dict[str, Any]


_TURN_TO_TELL = 0x7465_6C6C  # "tell"

_COLUMNS = ", ".join(SessionCondition.__struct_fields__)


async def read_conditions(connection: Connection | Pool, days: Sequence[dt.date]) -> dict[dt.date, SessionCondition]:
    """Return the stored rows of *days*."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM session_condition WHERE trading_day = ANY ($1)", list(days))
    return {row["trading_day"]: SessionCondition(**dict(row)) for row in rows}


@contextlib.asynccontextmanager
async def read_in_turn(pool: Pool, days: Sequence[dt.date]) -> AsyncIterator[dict[dt.date, SessionCondition]]:
    """Give the same to one at a time: what is said of them then is never older than what was said before.

    Raises asyncpg.LockNotAvailableError where another one does not come to an end.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _TURN_TO_TELL)
        yield await read_conditions(connection, days)


async def store_conditions(connection: Connection, rows: Sequence[SessionCondition]) -> None:
    """Put *rows* in place of what stood there; `state_since` stays where the state does."""
    await connection.executemany(
        """
        INSERT INTO session_condition AS known (trading_day, condition, state, reason, state_since, last_modified_at,
                                                judged_at, data_sets)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (trading_day) DO UPDATE
            SET condition = excluded.condition, state = excluded.state, reason = excluded.reason,
                state_since = CASE WHEN known.state = excluded.state THEN known.state_since
                                   ELSE excluded.state_since END,
                last_modified_at = excluded.last_modified_at, judged_at = excluded.judged_at,
                data_sets = excluded.data_sets
        """,
        [
            (
                row.trading_day,
                row.condition,
                row.state,
                row.reason,
                row.state_since,
                row.last_modified_at,
                row.judged_at,
                row.data_sets,
            )
            for row in rows
        ],
    )


async def touched_before(
    connection: Connection, first: dt.date, *, looked_at: dt.datetime | None = None
) -> list[dt.date]:
    """Return the sessions before *first* whose data, findings or retirement are newer than their verdict.

    So a backfill leaves them. Ten minutes more, since what was fetched before a verdict may have been committed after.
    Where it was asked at *looked_at*, only what has changed since is gone over; without, every session ever covered.
    """
    # A day more: what came since may have been fetched as long before as a part lasts.
    since = None if looked_at is None else looked_at - dt.timedelta(days=1)
    rows = await connection.fetch(_touched(few=since is not None), _TOUCHED_BY, first, since)
    return [row["trading_day"] for row in rows]


def _touched(*, few: bool) -> str:
    # Of few their verdicts by the key, day by day, since there is a row a session; of all of them both relations once.
    verdict = (
        "LEFT JOIN LATERAL (SELECT judged_at FROM session_condition AS c WHERE c.trading_day = t.trading_day LIMIT 1) "
        "AS s ON true"
        if few
        else "LEFT JOIN session_condition AS s USING (trading_day)"
    )
    return f"""
        SELECT DISTINCT t.trading_day FROM (
            SELECT trading_day, fetched_at AS at FROM coverage
            WHERE data_set = ANY ($1) AND fetched_at >= coalesce($3::timestamptz, '-infinity')
            UNION ALL
            SELECT trading_day, retired_at FROM coverage
            WHERE data_set = ANY ($1) AND retired_at >= coalesce($3::timestamptz, '-infinity')
            UNION ALL
            SELECT trading_day, greatest(found_at, settled_at) FROM session_finding
            WHERE greatest(found_at, settled_at) >= coalesce($3::timestamptz, '-infinity')
        ) AS t {verdict}
        WHERE t.trading_day < $2 AND (s.judged_at IS NULL OR s.judged_at < t.at + interval '10 minutes')
        """
