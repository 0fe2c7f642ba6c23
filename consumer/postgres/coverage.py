"""Reads what the ledger says is covered."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.postgres.ledger import Connection, Pool


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """One data set on one trading day."""

    row_count: int
    fetched_at: dt.datetime
    detail: dict[str, Any]


async def covered_days(
    connection: Connection | Pool, data_set: str, fresh_since: Mapping[dt.date, dt.datetime]
) -> dict[dt.date, Covered]:
    """Return those of the asked days that *data_set* covers, fetched since the instant given for each."""
    rows = await connection.fetch(
        "SELECT trading_day, row_count, fetched_at, detail FROM coverage "
        "WHERE data_set = $1 AND trading_day = ANY ($2)",
        data_set,
        list(fresh_since),
    )
    return {
        row["trading_day"]: Covered(row_count=row["row_count"], fetched_at=row["fetched_at"], detail=row["detail"])
        for row in rows
        if row["fetched_at"] >= fresh_since[row["trading_day"]]
    }


async def covered_on(connection: Connection | Pool, data_set: str, day: dt.date) -> Covered | None:
    """Return the coverage of *data_set* on *day*, however old."""
    row = await connection.fetchrow(
        "SELECT row_count, fetched_at, detail FROM coverage WHERE data_set = $1 AND trading_day = $2", data_set, day
    )
    return None if row is None else Covered(**dict(row))


async def newest(connection: Connection | Pool, data_set: str) -> dt.datetime | None:
    """Return when *data_set* was last fetched, for whatever day: for sets that describe the present."""
    value: dt.datetime | None = await connection.fetchval(
        "SELECT max(fetched_at) FROM coverage WHERE data_set = $1", data_set
    )
    return value


async def newest_input(
    connection: Connection | Pool, data_sets: tuple[str, ...], *, up_to: dt.date
) -> dt.datetime | None:
    """Return when any of *data_sets* last changed for a day up to *up_to*: what was computed before is stale."""
    value: dt.datetime | None = await connection.fetchval(
        "SELECT max(fetched_at) FROM coverage WHERE data_set = ANY ($1) AND trading_day <= $2", list(data_sets), up_to
    )
    return value
