"""Reads for an export what stands of a table: how many rows, by which loads, a hash of them, and the rows themselves.

Wants a repeatable-read transaction, so that all of it is of one instant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.copy_columns import copied, element_of, expression

if TYPE_CHECKING:
    from collections import deque

    from consumer.postgres.pool import Connection


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of *table*: those whose *day_column* is *day*, or where it has none, all of them.

    *types* has PostgreSQL's type by column, *order* the columns by which rows are sorted.
    """

    table: str
    types: Mapping[str, str]
    order: tuple[str, ...]
    day_column: str | None
    day: dt.date | None

    @property
    def where(self) -> str:
        """A condition of one parameter, the day."""
        return "$1::date IS NULL" if self.day_column is None else f't."{self.day_column}" = $1::date'


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of a piece: *content* is PostgreSQL's own hash of its rows, *loads* the loads that brought them."""

    rows: int
    content: str
    loads: tuple[int, ...]


class CoveredBy(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a data set: the load that stands, and when it was fetched or confirmed last."""

    load_id: int
    fetched_at: dt.datetime


async def standing(connection: Connection, piece: Piece) -> Standing:
    """Count and hash the rows on the server: nothing of an unchanged session is sent."""
    # json has no hash of its own; a sum does not depend on the order in which rows lie.
    hashed = ", ".join(f't."{name}"::text' if one == "json" else f't."{name}"' for name, one in piece.types.items())
    loads = 'array_agg(DISTINCT t."load_id")' if "load_id" in piece.types else "NULL::bigint[]"
    row = await connection.fetchrow(
        f"SELECT count(*) AS rows, coalesce(sum(hash_record_extended(ROW({hashed}), 0)::numeric), 0)::text AS content, "
        f"{loads} AS loads FROM {piece.table} AS t WHERE {piece.where}",
        piece.day,
    )
    assert row is not None, "an aggregate has one row"
    return Standing(rows=row["rows"], content=row["content"], loads=tuple(sorted(row["loads"] or ())))


async def covered_by(connection: Connection, data_set: str, day: dt.date | None) -> CoveredBy | None:
    """Return the coverage of *data_set* on *day*, where no day is given its newest; None where there is none."""
    row = await connection.fetchrow(
        "SELECT load_id, fetched_at FROM coverage WHERE data_set = $1 AND ($2::date IS NULL OR trading_day = $2) "
        "AND retired_at IS NULL ORDER BY fetched_at DESC, load_id DESC LIMIT 1",
        data_set,
        day,
    )
    return None if row is None else CoveredBy(**dict(row))


async def read_rows(connection: Connection, piece: Piece) -> deque[bytes]:
    """Return the rows in their order as `take_columns` wants them."""
    columns = ", ".join(f"t.{expression(name, one)}" for name, one in piece.types.items())
    order = ", ".join(f't."{name}"{_collated(piece.types[name])}' for name in piece.order)
    query = f"SELECT {columns} FROM {piece.table} AS t WHERE {piece.where} ORDER BY {order}"
    return await copied(connection, query, piece.day)


def _collated(type_: str) -> str:
    """As bytes, whatever the database's own collation is: Parquet's readers compare them so."""
    return ' COLLATE "C"' if type_ == "text" and element_of(type_) is None else ""


# Materialized, so that each table is gone over once, and not once a session. Coverage tells nothing of slots that the
# weekly sample restates: the load that restated them last does.
_CHANGES = """
    WITH covered AS MATERIALIZED (
        SELECT trading_day, string_agg(concat_ws('/', data_set, load_id, fetched_at, row_count, retired_at),
                                       ' ' ORDER BY data_set) AS mark
        FROM coverage WHERE trading_day = ANY ($1::date[]) AND data_set NOT LIKE 'cache:%' GROUP BY trading_day
    ), restated AS MATERIALIZED (
        SELECT trading_day, max(load_id) AS load_id
        FROM restatement WHERE trading_day = ANY ($1::date[]) GROUP BY trading_day
    )
    SELECT w.day, concat_ws(E'\n', coalesce(c.mark, ''), coalesce(r.load_id::text, ''),
                            concat_ws('/', s.state, s.condition, s.last_modified_at, s.data_sets::text)) AS mark
    FROM unnest($1::date[]) AS w (day)
    LEFT JOIN covered AS c ON c.trading_day = w.day
    LEFT JOIN restated AS r ON r.trading_day = w.day
    LEFT JOIN session_condition AS s ON s.trading_day = w.day
"""


async def marks(connection: Connection, days: tuple[dt.date, ...]) -> dict[dt.date, str]:
    """Return of each of *days* what changes with its coverage, its restatements and its published verdict."""
    return {row["day"]: row["mark"] for row in await connection.fetch(_CHANGES, list(days))}
