"""Brings the database schema to this version: plain SQL files, each once, in order.

An advisory lock, held until the transaction ends, lets any number of processes start together. A file that changed
after it was applied is refused, because two databases would then differ without anyone knowing. What a newer program
has added is left alone, as long as the tables serve this one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from consumer.postgres import packaged
from consumer.postgres.adoption import Adoption, CannotAdopt, take_over
from consumer.postgres.moving_in import TablesElsewhere, move_in
from consumer.postgres.packaged import Half, Migration
from consumer.postgres.reader_view import Prices
from consumer.postgres.readers import NameTaken, clear_taken_names, publish
from consumer.postgres.schemas import schemas_of
from consumer.postgres.session import allow_long_statements
from consumer.postgres.versions import Waiting, read_versions, refuse_unserved, wait_for_older

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.postgres.schemas import Schemas

_LOCK = 0x6D61696E74  # "maint"
OLDER_STOP_WITHIN_S = 60.0  # a running program looks every few seconds, and then hands back what it holds
LOOKED_EVERY_S = 0.5
TABLE_WITHIN_MS = 5_000


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """What a start may do to the tables: bring them up to date, and have SQL readers see *prices* (None: as before)."""

    at_start: bool = True
    prices: Prices | None = None


BY_ITSELF = Upgrade()


class SchemaMismatch(Exception):
    """The database was made by other migrations. Cure: run the version that made it, or use a new database."""


async def migrate(
    pool: asyncpg.Pool[asyncpg.Record],
    *,
    prices: Prices | None = None,
    finish: bool = False,
    adoption: Adoption | None = None,
) -> list[str]:
    """Apply what is missing, all or nothing, and return the names applied; halves *after* only in a new database, or to
    *finish*. What SQL readers read shows *prices*; None: as before. The earlier service's tables are in the way unless
    there is an *adoption*. Raises SchemaMismatch, Waiting, NotServed."""
    try:
        return await _migrate(pool, prices=prices, finish=finish, adoption=adoption)
    except asyncpg.LockNotAvailableError as error:
        reason = f"somebody has held a table that is to be changed for {TABLE_WITHIN_MS / 1000:g} s: it is tried again"
        raise Waiting(reason) from error


async def _migrate(
    pool: asyncpg.Pool[asyncpg.Record], *, prices: Prices | None, finish: bool, adoption: Adoption | None
) -> list[str]:
    async with pool.acquire() as connection, connection.transaction():
        await allow_long_statements(connection)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # Who waits for a table has everybody else who wants it wait behind: rather again later than for long.
        await connection.execute(f"SET LOCAL lock_timeout = {TABLE_WITHIN_MS}")
        schemas = await schemas_of(connection)
        try:
            await move_in(connection, schemas)
            set_apart = await clear_taken_names(connection, schemas, adopting=adoption is not None)
        except (TablesElsewhere, NameTaken, CannotAdopt) as error:
            raise SchemaMismatch(str(error)) from error
        applied = await _apply(connection, schemas, finish=finish)
        await _settle_versions(connection, schemas, applied)
        await _publish(connection, schemas, prices)
        if adoption is not None:
            await take_over(connection, schemas, set_apart, adoption)
    return [migration.name for migration in applied]


async def finish(pool: asyncpg.Pool[asyncpg.Record], *, patience_s: float = OLDER_STOP_WITHIN_S) -> list[str]:
    """Serve older programs no more: have those at work stop, and apply what takes away what only they read.

    Raises Waiting where one does not stop in time; SchemaMismatch, NotServed.
    """
    await migrate(pool)
    oldest = max((one.serves or 0 for one in await pending(pool)), default=0)
    schemas = await schemas_of(pool)
    await pool.execute("UPDATE schema_version SET oldest_served = greatest(oldest_served, $1)", oldest)
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + patience_s
    while True:
        try:
            await wait_for_older(pool, schemas, oldest=oldest)
        except Waiting:
            if loop.time() > ends_at:
                raise
            await asyncio.sleep(LOOKED_EVERY_S)
        else:
            return await migrate(pool, finish=True)


async def pending(pool: asyncpg.Pool[asyncpg.Record]) -> list[Migration]:
    """Return what of this program's migrations is not applied."""
    rows = await pool.fetch("SELECT name FROM schema_migration")
    known = {row["name"] for row in rows}
    return [one for one in packaged.migrations() if one.name not in known]


async def _apply(connection: Connection, schemas: Schemas, *, finish: bool) -> list[Migration]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration "
        "(name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await connection.fetch("SELECT name, checksum FROM schema_migration")
    known = {row["name"]: row["checksum"] for row in rows}
    refuse_unserved(await read_versions(connection, schemas))
    ours = packaged.migrations()
    _refuse_another(known, ours)
    wanted = [one for one in ours if one.name not in known and (one.half is Half.BEFORE or finish or not known)]
    if known:
        await wait_for_older(connection, schemas, oldest=max((one.serves or 0 for one in wanted), default=0))
    await _find_extensions(connection, schemas)
    for migration in wanted:
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
        )
    return wanted


def _refuse_another(known: dict[str, str], ours: list[Migration]) -> None:
    """Raise SchemaMismatch where the database has another line of migrations than this program, and not just more."""
    names = {migration.name for migration in ours}
    for name in sorted(known.keys() - names):
        if packaged.number_of(name) <= packaged.version():
            raise SchemaMismatch(f"migration {name} of this database is none of this program's, which is no older")
    for migration in ours:
        if known.get(migration.name, migration.checksum) != migration.checksum:
            raise SchemaMismatch(f"migration {migration.name} of this database differs from this program's")


async def _settle_versions(connection: Connection, schemas: Schemas, applied: list[Migration]) -> None:
    """Say who made the tables, and whom they serve."""
    versions = await read_versions(connection, schemas)
    if versions is not None:
        await connection.execute(
            "UPDATE schema_version SET version = greatest(version, $1), oldest_served = greatest(oldest_served, $2) "
            "WHERE version < $1 OR oldest_served < $2",
            packaged.version(),
            max((one.serves or 0 for one in applied), default=0),
        )


async def _publish(connection: Connection, schemas: Schemas, prices: Prices | None) -> None:
    """The readers' views are the newest program's that was here: an older one beside it leaves them as they are."""
    versions = await read_versions(connection, schemas)
    if versions is None or versions.version <= packaged.version():
        await publish(connection, schemas, prices)


async def _find_extensions(connection: Connection, schemas: Schemas) -> None:
    """Until this transaction ends, look for functions where TimescaleDB has its own; what is made is made in ours."""
    where = await connection.fetchval(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'timescaledb'"
    )
    if where is not None:
        await connection.execute(f'SET LOCAL search_path = "{schemas.tables}", {where}')
