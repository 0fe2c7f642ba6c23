"""Reads what people have decided, with who and why, from where each kind of decision is kept."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision on *what*: how it was *settled*, *by* whom, and for which *reason*."""

    what: str
    about: str
    settled: str
    at: dt.datetime
    by: str
    reason: str | None


# Letters of one cause that were settled at once are one decision.
_DECIDED = """
SELECT what, about, settled, at, by, reason FROM (
    SELECT 'dead letters' AS what, count(*) || ' of ' || fingerprint AS about, state AS settled, settled_at AS at,
           settled_by AS by, settled_reason AS reason
    FROM dead_letter WHERE state <> 'open' AND settled_at >= $1 AND settled_by IS NOT NULL
    GROUP BY fingerprint, state, settled_at, settled_by, settled_reason
    UNION ALL
    SELECT 'boundary', symbol || ' ' || boundary_day, state, decided_at, decided_by, decided_reason
    FROM series_boundary WHERE state <> 'proposed' AND decided_at >= $1 AND decided_by IS NOT NULL
    UNION ALL
    SELECT 'finding', data_set || ' ' || trading_day || ': ' || kind, state, settled_at, settled_by, settled_reason
    FROM session_finding WHERE state = 'accepted' AND settled_at >= $1 AND settled_by IS NOT NULL
) AS each ORDER BY at DESC, about LIMIT $2
"""


async def read_decided(connection: Connection | Pool, *, since: dt.datetime, most: int) -> list[Decided]:
    """Return the newest decisions since then, newest first."""
    rows = await connection.fetch(_DECIDED, since, most)
    return [msgspec.convert(dict(row), Decided) for row in rows]
