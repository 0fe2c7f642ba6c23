"""Counts the evidence of a span of time: what was restated, settled, given up and sampled within it.

Each statement finds its rows by the index on the column by which they age, whatever years stand beside them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection
    from consumer.postgres.run_figures import Within

_DAY = "AT TIME ZONE 'America/New_York')::date"


class RestatedOn(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a session that the vendor gave otherwise, as found on the New York day *found_on*."""

    data_set: str
    trading_day: dt.date
    found_on: dt.date
    rows: int


class SettledBy(msgspec.Struct, frozen=True, kw_only=True):
    """How many findings were settled in which way by whom."""

    state: str
    by: str
    findings: int


class SettledFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that was settled, and why."""

    trading_day: dt.date
    data_set: str
    kind: str
    state: str
    by: str
    reason: str
    settled_at: dt.datetime


class LettersOf(msgspec.Struct, frozen=True, kw_only=True):
    """What became, until now, of the letters that were given up within a span; *state*: open, replayed or dropped."""

    state: str
    letters: int


class SampledOn(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample of a session came to that was fetched again on the New York day *checked_on*."""

    data_set: str
    trading_day: dt.date
    checked_on: dt.date
    compared: int
    differed: int


async def restated_within(connection: Connection, span: Within) -> list[RestatedOn]:
    """Count the restatements that were found within *span*, by data set, session and day."""
    rows = await connection.fetch(
        f"SELECT data_set, trading_day, (found_at {_DAY} AS found_on, count(*) AS rows FROM restatement "
        "WHERE found_at >= $1 AND found_at < $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        span.since,
        span.until,
    )
    return [RestatedOn(**dict(row)) for row in rows]


async def settled_within(connection: Connection, span: Within) -> list[SettledBy]:
    """Count the findings that were settled within *span*, by state and by whom."""
    rows = await connection.fetch(
        "SELECT state, coalesce(settled_by, '') AS by, count(*) AS findings FROM session_finding "
        "WHERE settled_at >= $1 AND settled_at < $2 GROUP BY 1, 2 ORDER BY 1, 2",
        span.since,
        span.until,
    )
    return [SettledBy(**dict(row)) for row in rows]


async def last_settled_within(connection: Connection, span: Within, *, most: int) -> list[SettledFinding]:
    """Return the *most* findings that were settled last within *span*, the last one first."""
    rows = await connection.fetch(
        "SELECT trading_day, data_set, kind, state, coalesce(settled_by, '') AS by, "
        "coalesce(settled_reason, '') AS reason, settled_at FROM session_finding "
        "WHERE settled_at >= $1 AND settled_at < $2 ORDER BY settled_at DESC, finding_id DESC LIMIT $3",
        span.since,
        span.until,
        most,
    )
    return [SettledFinding(**dict(row)) for row in rows]


async def settled_last(connection: Connection, days: Sequence[dt.date]) -> dict[dt.date, dt.datetime]:
    """Return when the last finding against each of these sessions was settled, where any was."""
    rows = await connection.fetch(
        "SELECT trading_day, max(settled_at) AS settled_at FROM session_finding "
        "WHERE trading_day = ANY ($1) AND settled_at IS NOT NULL GROUP BY trading_day",
        list(days),
    )
    return {row["trading_day"]: row["settled_at"] for row in rows}


async def letters_within(connection: Connection, span: Within) -> list[LettersOf]:
    """Count the letters that were given up within *span*, by what has become of them."""
    rows = await connection.fetch(
        "SELECT state, count(*) AS letters FROM dead_letter WHERE dead_at >= $1 AND dead_at < $2 "
        "GROUP BY state ORDER BY state",
        span.since,
        span.until,
    )
    return [LettersOf(**dict(row)) for row in rows]


async def sampled_within(connection: Connection, span: Within) -> list[SampledOn]:
    """Return what was sampled and compared within *span*, a row a data set, session and day."""
    rows = await connection.fetch(
        f"SELECT data_set, trading_day, (checked_at {_DAY} AS checked_on, sum(compared)::bigint AS compared, "
        "sum(differed)::bigint AS differed FROM sampled_recheck WHERE checked_at >= $1 AND checked_at < $2 "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        span.since,
        span.until,
    )
    return [SampledOn(**dict(row)) for row in rows]
