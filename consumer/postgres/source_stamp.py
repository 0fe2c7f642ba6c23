"""Reads and writes whose data the database holds, and what tells it in a database from before the stamp."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.schemas import find_former, has_table, schemas_of
from market.data_source import DataSource, SourceKind

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool


class LoadsHeld(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger's loads say: how many brought rows, and the request ids of sessions of bars.

    *replayed*: loads say so, or a company is named as the replays of releases before the stamp invented its name.
    """

    loads: int = 0
    request_ids: tuple[tuple[dt.date, str], ...] = ()
    replayed: bool = False


class _Tables(msgspec.Struct, frozen=True, kw_only=True):
    """What the tables are called that are read here."""

    source: str = "data_source"
    loads: str = "data_load"
    coverage: str = "coverage"
    bars: str = "daily_bar"
    profiles: str = "ticker_profile"


async def _tables(connection: Connection | Pool, *, wanted: str) -> _Tables | None:
    """Where *wanted* stands: also in a release without a schema of its own, which is not moved before this has been
    read, so that a run of another source leaves it as it was. None where there is no such table yet."""
    if await has_table(connection, (await schemas_of(connection)).tables, wanted):
        return _Tables()
    former = await find_former(connection)
    if former is None or not await has_table(connection, former, wanted):
        return None
    return _Tables(
        source=f'"{former}".data_source',
        loads=f'"{former}".data_load',
        coverage=f'"{former}".coverage',
        bars=f'"{former}".market_data_daily',
        profiles=f'"{former}".ticker_metadata',
    )


async def read_stamp(connection: Connection | Pool) -> DataSource | None:
    """Return the stamp; None where there is none yet, also in a schema from before it."""
    tables = await _tables(connection, wanted="data_source")
    if tables is None:
        return None
    row = await connection.fetchrow(f"SELECT kind, identity, name FROM {tables.source}")
    return None if row is None else DataSource(kind=SourceKind(row[0]), identity=row[1], name=row[2])


async def read_loads(connection: Connection | Pool) -> LoadsHeld:
    """Return what the loads say; nothing where the schema is not there yet."""
    tables = await _tables(connection, wanted="data_load")
    if tables is None:
        return LoadsHeld()
    loads = await connection.fetchval(
        f"SELECT count(*) FROM {tables.loads} WHERE source <> 'computed' AND row_count > 0"
    )
    rows = await connection.fetch(
        f"SELECT DISTINCT substr(part, 6) AS day, request_id FROM {tables.loads} "
        "WHERE part ~ '^bars:[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND request_id IS NOT NULL AND row_count > 0"
    )
    found = tuple((dt.date.fromisoformat(row["day"]), row["request_id"]) for row in rows)
    replayed = await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {tables.loads} WHERE source LIKE 'replay:%') "
        f"OR EXISTS (SELECT FROM {tables.profiles} WHERE company_name = symbol || ' (replayed)')"
    )
    return LoadsHeld(loads=loads, request_ids=found, replayed=replayed)


async def read_oldest_session(connection: Connection | Pool) -> tuple[dt.date, dict[str, float]] | None:
    """Return the oldest session of bars: its day, and the closes by symbol. The oldest is over beyond doubt."""
    tables = await _tables(connection, wanted="data_load") or _Tables()
    rows = await connection.fetch(
        f"SELECT trading_date, symbol, close FROM {tables.bars} "
        f"WHERE trading_date = (SELECT min(trading_date) FROM {tables.bars})"
    )
    return (rows[0]["trading_date"], {row["symbol"]: row["close"] for row in rows}) if rows else None


async def cache_tokens(connection: Connection | Pool) -> dict[str, int]:
    """Return the fence token under which each cache was last written, by its name in the ledger."""
    tables = await _tables(connection, wanted="coverage")
    if tables is None:
        return {}
    rows = await connection.fetch(
        f"SELECT DISTINCT ON (data_set) data_set, (detail->>'fence')::bigint AS fence FROM {tables.coverage} "
        "WHERE data_set LIKE 'cache:%' AND detail ? 'fence' ORDER BY data_set, fetched_at DESC, load_id DESC"
    )
    return {row["data_set"]: row["fence"] for row in rows}


async def write_stamp(pool: Pool, source: DataSource, *, now: dt.datetime, by: str, replace: bool = False) -> None:
    """Write the stamp where there is none; with *replace* in the place of another. Any number may try together."""
    then = (
        "UPDATE SET kind = excluded.kind, identity = excluded.identity, name = excluded.name, "
        "stamped_at = excluded.stamped_at, stamped_by = excluded.stamped_by"
        if replace
        else "NOTHING"
    )
    # The key allows one row: of all that write at once one does, and the others read what it wrote.
    await pool.execute(
        "INSERT INTO data_source (kind, identity, name, stamped_at, stamped_by) VALUES ($1, $2, $3, $4, $5) "
        f"ON CONFLICT (only_row) DO {then}",
        source.kind.value,
        source.identity,
        source.name,
        now,
        by,
    )
