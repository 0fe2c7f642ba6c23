"""Reads what a week's sample can be of, and keeps what it came to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from contract import data_sets
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.coverage import Loaded
    from consumer.postgres.pool import Connection


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of a session were compared, and how many the vendor gives otherwise by now."""

    data_set: str
    day: dt.date
    compared: int
    differed: int


async def taken(connection: Connection, week: dt.date) -> set[str] | None:
    """Return of which data sets the sample of *week* was taken already; None where a later week's was."""
    rows = await connection.fetch("SELECT DISTINCT week, data_set FROM sampled_recheck WHERE week >= $1", week)
    return None if any(row["week"] > week for row in rows) else {row["data_set"] for row in rows}


async def fetched_before(connection: Connection, week: dt.date) -> list[dt.date]:
    """Return the sessions, ascending, whose bars stand as they were fetched before *week* began in New York."""
    rows = await connection.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = $1 AND fetched_at < $2 AND retired_at IS NULL "
        "ORDER BY trading_day",
        data_sets.DAILY_BARS,
        dt.datetime.combine(week, dt.time(), tzinfo=NEW_YORK),
    )
    return [row["trading_day"] for row in rows]


async def with_slots(connection: Connection, *, before: dt.date) -> list[dt.date]:
    """Return the sessions, ascending, before that day whose slots were held against their bars."""
    rows = await connection.fetch(
        "SELECT trading_day FROM coverage WHERE data_set = $1 AND trading_day < $2 AND retired_at IS NULL "
        "ORDER BY trading_day",
        data_sets.SLOT_PROOF,
        before,
    )
    return [row["trading_day"] for row in rows]


async def listed(connection: Connection) -> list[str]:
    """Return the symbols that are listed at present, in order."""
    rows = await connection.fetch("SELECT symbol FROM listed_ticker WHERE is_active ORDER BY symbol")
    return [row["symbol"] for row in rows]


async def keep(connection: Connection, week: dt.date, found: Sequence[Compared], loaded: Loaded) -> None:
    """Keep what the sample of *week* came to, in place of what an earlier try of it did."""
    await connection.executemany(
        "INSERT INTO sampled_recheck (week, data_set, trading_day, checked_at, compared, differed, load_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (week, data_set, trading_day) DO UPDATE "
        "SET checked_at = excluded.checked_at, compared = excluded.compared, differed = excluded.differed, "
        "load_id = excluded.load_id",
        [(week, one.data_set, one.day, loaded.fetched_at, one.compared, one.differed, loaded.load_id) for one in found],
    )
