"""Reads the evidence kept of one session: what was restated of it, and what came and was not loaded.

Found by the indexes on the session; counted in whole, and shown by a few examples.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection


class RestatedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a final session that the vendor gave otherwise afterwards; *of* how many of its kind."""

    data_set: str
    change: str
    of: int
    symbol: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    found_at: dt.datetime
    load_id: int


class AsideRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row, or a field of one, that was not loaded for its *flaw*; *of* how many of its kind."""

    data_set: str
    flaw: str
    of: int
    symbol: str | None
    field: str | None
    evidence: str
    load_id: int


async def restated_of(connection: Connection, day: dt.date, *, examples: int) -> list[RestatedRow]:
    """Return up to *examples* rows of each data set and kind of change, the last found first."""
    rows = await connection.fetch(
        """
        SELECT data_set, change, of, symbol, before, after, found_at, load_id FROM (
            SELECT data_set, change, symbol, before, after, found_at, load_id,
                   count(*) OVER kind AS of, row_number() OVER (kind ORDER BY found_at DESC, symbol) AS place
            FROM restatement WHERE trading_day = $1 WINDOW kind AS (PARTITION BY data_set, change)) AS one
        WHERE place <= $2 ORDER BY data_set, change, place
        """,
        day,
        examples,
    )
    return [RestatedRow(**dict(row)) for row in rows]


async def set_aside_of(connection: Connection, day: dt.date, *, examples: int) -> list[AsideRow]:
    """Return up to *examples* rows of each data set and flaw."""
    rows = await connection.fetch(
        """
        SELECT data_set, flaw, of, symbol, field, evidence::text AS evidence, load_id FROM (
            SELECT data_set, flaw, symbol, field, evidence, load_id, count(*) OVER kind AS of,
                   row_number() OVER (kind ORDER BY load_id DESC, symbol) AS place
            FROM set_aside WHERE trading_day = $1 WINDOW kind AS (PARTITION BY data_set, flaw)) AS one
        WHERE place <= $2 ORDER BY data_set, flaw, place
        """,
        day,
        examples,
    )
    return [AsideRow(**dict(row)) for row in rows]
