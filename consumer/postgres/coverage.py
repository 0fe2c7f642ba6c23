"""Records and reads what each data set covers, and from which load it came.

A load is the provenance of a group of rows; coverage says that a data set holds what it should for a trading day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.ledger import PartId
    from consumer.postgres.pool import Connection, Pool


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One data set on one trading day."""

    row_count: int
    fetched_at: dt.datetime
    detail: dict[str, Any]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said of a group of rows: the fence they are written under, whose they are, when they came.

    *request_id*: what the vendor calls the answer, or the version of its file. *rejected*: rows dropped, by flaw.
    """

    fence: int
    source: str
    fetched_at: dt.datetime
    rows: int
    request_id: str | None = None
    rejected: Mapping[str, int] = {}


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A load that was recorded, for what is written of it."""

    load_id: int
    fetched_at: dt.datetime
    rows: int

    def counting(self, rows: int) -> Loaded:
        """The same load, of which *rows* are counted: of one data set of several, or of one session."""
        return msgspec.structs.replace(self, rows=rows)


async def covered_on(connection: Connection | Pool, data_set: str, day: dt.date) -> Covered | None:
    """Return the coverage of *data_set* on *day*, however old."""
    row = await connection.fetchrow(
        "SELECT row_count, fetched_at, detail FROM coverage WHERE data_set = $1 AND trading_day = $2", data_set, day
    )
    return None if row is None else Covered(**dict(row))


async def first_covered(connection: Connection | Pool, data_set: str) -> dt.date | None:
    """Return the oldest day that *data_set* covers."""
    day: dt.date | None = await connection.fetchval(
        "SELECT min(trading_day) FROM coverage WHERE data_set = $1", data_set
    )
    return day


async def counts_near(
    connection: Connection | Pool, data_set: str, day: dt.date, *, at_most: int
) -> dict[dt.date, int]:
    """Return the row counts of up to *at_most* covered days on either side of *day*."""
    rows = await connection.fetch(
        """
        (SELECT trading_day, row_count FROM coverage WHERE data_set = $1 AND trading_day < $2
         ORDER BY trading_day DESC LIMIT $3)
        UNION ALL
        (SELECT trading_day, row_count FROM coverage WHERE data_set = $1 AND trading_day > $2
         ORDER BY trading_day LIMIT $3)
        """,
        data_set,
        day,
        at_most,
    )
    return {row["trading_day"]: row["row_count"] for row in rows}


async def newest(connection: Connection | Pool, data_set: str) -> dt.datetime | None:
    """Return when *data_set* was last fetched, for whatever day: for sets that describe the present."""
    value: dt.datetime | None = await connection.fetchval(
        "SELECT max(fetched_at) FROM coverage WHERE data_set = $1", data_set
    )
    return value


async def newest_day(connection: Connection | Pool, data_set: str) -> dt.date | None:
    """Return the latest trading day that *data_set* covers."""
    day: dt.date | None = await connection.fetchval(
        "SELECT max(trading_day) FROM coverage WHERE data_set = $1", data_set
    )
    return day


async def proven_days(connection: Connection | Pool, data_set: str, *, since: dt.date, up_to: dt.date) -> set[dt.date]:
    """Return the trading days of *since*…*up_to* that *data_set* covers."""
    rows = await connection.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = $1 AND trading_day BETWEEN $2 AND $3", data_set, since, up_to
    )
    return {row["trading_day"] for row in rows}


async def days_before(connection: Connection | Pool, data_set: str, day: dt.date, *, most: int) -> list[dt.date]:
    """Return the newest days before *day* that *data_set* covers, at most *most*, ascending."""
    rows = await connection.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = $1 AND trading_day < $2 ORDER BY trading_day DESC LIMIT $3",
        data_set,
        day,
        most,
    )
    return sorted(row["trading_day"] for row in rows)


async def newest_input(
    connection: Connection | Pool, data_sets: tuple[str, ...], *, up_to: dt.date
) -> dt.datetime | None:
    """Return when any of *data_sets* last changed for a day up to *up_to*: what was computed before is stale."""
    # The newest of each by an index: max() over all of them goes over every day ever covered.
    value: dt.datetime | None = await connection.fetchval(
        """
        SELECT max(n.fetched_at) FROM unnest($1::text[]) AS s (data_set) CROSS JOIN LATERAL (
            SELECT c.fetched_at FROM coverage AS c WHERE c.data_set = s.data_set AND c.trading_day <= $2
            ORDER BY c.fetched_at DESC, c.load_id DESC LIMIT 1) AS n
        """,
        list(data_sets),
        up_to,
    )
    return value


async def newest_detail(connection: Connection | Pool, data_set: str) -> dict[str, Any] | None:
    """Return what was noted beside *data_set* when it was loaded last; None where it never was."""
    detail: dict[str, Any] | None = await connection.fetchval(
        "SELECT detail FROM coverage WHERE data_set = $1 ORDER BY fetched_at DESC, load_id DESC LIMIT 1", data_set
    )
    return detail


async def record_load(connection: Connection, part: PartId, load: Load) -> Loaded:
    """Write the provenance of a group of rows; what is written of it refers to what this returns."""
    load_id = await connection.fetchval(
        """
        INSERT INTO data_load (cycle_id, task, part, fence, source, request_id, fetched_at, row_count, rejected)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING load_id
        """,
        part.cycle_id,
        part.task,
        part.part,
        load.fence,
        load.source,
        load.request_id,
        load.fetched_at,
        load.rows,
        dict(load.rejected),
    )
    return Loaded(load_id=int(load_id), fetched_at=load.fetched_at, rows=load.rows)


async def record_coverage(
    connection: Connection,
    data_set: str,
    day: dt.date,
    loaded: Loaded,
    *,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """State that *data_set* holds what it should for *day*: as many rows, fetched when *loaded* says."""
    await connection.execute(
        """
        INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id, detail)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (data_set, trading_day) DO UPDATE
            SET row_count = excluded.row_count, fetched_at = excluded.fetched_at, load_id = excluded.load_id,
                detail = excluded.detail
        """,
        data_set,
        day,
        loaded.rows,
        loaded.fetched_at,
        loaded.load_id,
        dict(detail or {}),
    )


async def confirm(
    connection: Connection, data_set: str, day: dt.date, *, fetched_at: dt.datetime, rows: int | None = None
) -> None:
    """State that what stands was asked for again, at *fetched_at*: the load that stands, and what it lost, stay."""
    # The later of two answers that cross says how fresh it is, whichever is committed last.
    await connection.execute(
        "UPDATE coverage SET fetched_at = greatest(fetched_at, $3), row_count = coalesce($4, row_count) "
        "WHERE data_set = $1 AND trading_day = $2",
        data_set,
        day,
        fetched_at,
        rows,
    )
