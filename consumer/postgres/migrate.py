"""Brings the database schema to this version: plain SQL files, each once, in order.

An advisory lock, held until the transaction ends, lets any number of processes start together. A file that changed
after it was applied is refused, because two databases would then differ without anyone knowing; so is a database that
a newer version has already changed.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.moving_in import TablesElsewhere, move_in
from consumer.postgres.readers import NameTaken, publish, refuse_taken_names
from consumer.postgres.schemas import schemas_of
from consumer.postgres.session import allow_long_statements

if TYPE_CHECKING:
    import asyncpg

    from consumer.postgres.pool import Connection
    from consumer.postgres.schemas import Schemas

_LOCK = 0x6D61696E74  # "maint"


class SchemaMismatch(Exception):
    """The database was made by other migrations. Cure: run the version that made it, or use a new database."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One SQL file; *checksum* is the SHA-256 of its text."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return the packaged migrations in order of their number."""
    folder = files("consumer.postgres") / "migrations"
    found = [Migration(name=f.name, sql=f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")]
    return sorted(found, key=lambda migration: migration.name)


async def migrate(pool: asyncpg.Pool[asyncpg.Record]) -> list[str]:
    """Apply what is missing, all or nothing, and return the names applied. Raises SchemaMismatch."""
    async with pool.acquire() as connection, connection.transaction():
        await allow_long_statements(connection)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        schemas = await schemas_of(connection)
        try:
            await move_in(connection, schemas)
            await refuse_taken_names(connection, schemas)
        except (TablesElsewhere, NameTaken) as error:
            raise SchemaMismatch(str(error)) from error
        applied = await _apply(connection, schemas)
        await publish(connection, schemas)
    return applied


async def _apply(connection: Connection, schemas: Schemas) -> list[str]:
    applied: list[str] = []
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migration "
        "(name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await connection.fetch("SELECT name, checksum FROM schema_migration")
    known = {row["name"]: row["checksum"] for row in rows}
    ours = migrations()
    if foreign := sorted(known.keys() - {migration.name for migration in ours}):
        raise SchemaMismatch(f"this program does not know migration {foreign[0]} of this database: it is too old")
    await _find_extensions(connection, schemas)
    for migration in ours:
        if migration.name not in known:
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
            )
            applied.append(migration.name)
        elif known[migration.name] != migration.checksum:
            raise SchemaMismatch(f"migration {migration.name} of this database differs from this program's")
    return applied


async def _find_extensions(connection: Connection, schemas: Schemas) -> None:
    """Until this transaction ends, look for functions where TimescaleDB has its own; what is made is made in ours."""
    where = await connection.fetchval(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'timescaledb'"
    )
    if where is not None:
        await connection.execute(f'SET LOCAL search_path = "{schemas.tables}", {where}')
