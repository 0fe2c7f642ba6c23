"""Lends each test a database of a server: one that is emptied between tests, since making one takes 0.3 s.

Migrated ones keep their tables, which take twenty times as long to make as their rows to delete.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from typing import TYPE_CHECKING

import asyncpg

from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.embedded.postgres_server import EmbeddedPostgres

# As template0 has it.  What a test may leave beyond its tables (settings, schemas) is asked for afterwards.
_EMPTY = """
    DROP SCHEMA IF EXISTS maintenance CASCADE;
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
_LEFT_OVER = """
    SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = (
               SELECT oid FROM pg_database WHERE datname = current_database()))
        OR EXISTS (SELECT FROM pg_namespace WHERE nspname NOT IN ('public', 'maintenance', 'information_schema')
               AND nspname NOT LIKE 'pg\\_%')
        OR EXISTS (SELECT FROM pg_default_acl)
"""
# Which transactions last touched what the catalogue says of the tables: any change leaves another number there. But
# for sequences, whose restart is one.
_SCHEMA = """
    WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'maintenance'))
    SELECT md5(string_agg(DISTINCT row, ' ' ORDER BY row)) FROM (
        SELECT concat('c', oid, ':', xmin) AS row FROM pg_class
        WHERE relnamespace IN (SELECT oid FROM ours) AND relkind <> 'S'
        UNION ALL SELECT concat('a', attrelid, '.', attnum, ':', a.xmin) FROM pg_attribute a
        JOIN pg_class c ON c.oid = attrelid WHERE relnamespace IN (SELECT oid FROM ours) AND relkind <> 'S'
        UNION ALL SELECT concat('k', oid, ':', xmin) FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT concat('t', oid, ':', xmin) FROM pg_trigger
        UNION ALL SELECT concat('p', oid, ':', xmin) FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
        UNION ALL SELECT concat('m', name, ':', xmin) FROM maintenance.schema_migration
        UNION ALL SELECT concat('r', xmin) FROM maintenance.schema_version
        UNION ALL SELECT concat('w', xmin) FROM maintenance.reader_prices
        UNION ALL SELECT concat('v', name, ':', xmin) FROM maintenance.reader_view
    ) AS rows
"""
ENDS_WITHIN_MS = 10_000


class Databases:
    """The databases of *server*: the one that is lent, and none once a test spoilt it."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._name: str | None = None

    async def lend(self) -> str:
        """Return the DSN of a database as every test may expect it."""
        if self._name is None:
            self._name = await self._made()
        return self._dsn_of(self._name)

    def _dsn_of(self, name: str) -> str:
        return self._server.dsn.replace("/postgres?", f"/{name}?", 1)

    async def _made(self, *, template: str = "template0") -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        connection = await asyncpg.connect(self._server.dsn)
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        finally:
            await connection.close()
        return name

    async def take_back(self) -> None:
        """Empty the database, whoever is still connected; drop it if it kept anything, or is no more."""
        name, self._name = self._name, None
        administrator = await asyncpg.connect(self._server.dsn)
        try:
            await administrator.execute(
                "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE datname = $1", name, ENDS_WITHIN_MS
            )
            if await administrator.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
                if await self._emptied(self._dsn_of(name)):
                    self._name = name
                else:
                    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await administrator.close()

    async def _emptied(self, dsn: str) -> bool:
        try:
            connection = await asyncpg.connect(dsn)
        except asyncpg.PostgresError:
            return False
        try:
            return not await connection.fetchval(_LEFT_OVER) and await self._empties(connection)
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()

    async def _empties(self, connection: asyncpg.Connection[asyncpg.Record]) -> bool:
        """Make the database of *connection* as good as new; False if that cannot be."""
        await connection.execute(_EMPTY)
        return True


class MigratedDatabases(Databases):
    """Those with all tables, and no row but what migrations write."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        super().__init__(server)
        self._template: str | None = None
        self._schema: str | None = None
        self._empty = ""

    async def _made(self, *, template: str = "template0") -> str:
        await self.ready()
        return await super()._made(template=self._template or template)

    async def ready(self) -> None:
        """Make the template; for who then wants several at once."""
        if self._template is None:
            name = await super()._made()
            await self._learn(self._dsn_of(name))
            self._template = name

    @contextlib.asynccontextmanager
    async def another(self) -> AsyncIterator[str]:
        """The DSN of one for the block alone, whatever else is lent: dropped at its end, whoever is still connected."""
        name = await self._made()
        try:
            yield self._dsn_of(name)
        finally:
            administrator = await asyncpg.connect(self._server.dsn)
            try:
                await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
            finally:
                await administrator.close()

    async def _learn(self, dsn: str) -> None:
        pool = await open_pool(dsn, lease=dt.timedelta(seconds=10), size=1)
        try:
            await migrate(pool)
            self._schema = await pool.fetchval(_SCHEMA)
            tables = [
                row["tablename"]
                for row in await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'maintenance'")
                if not await pool.fetchval(f"SELECT EXISTS (SELECT FROM {row['tablename']})")
            ]
            sequences = await pool.fetch("SELECT sequencename FROM pg_sequences WHERE schemaname = 'maintenance'")
        finally:
            await pool.close()
        # Without triggers, those of foreign keys among them, in any order.
        self._empty = "; ".join([
            "SET session_replication_role = replica", *(f"DELETE FROM maintenance.{name}" for name in tables),
            *(f"ALTER SEQUENCE maintenance.{row['sequencename']} RESTART" for row in sequences),
        ])  # fmt: skip

    async def _empties(self, connection: asyncpg.Connection[asyncpg.Record]) -> bool:
        if await connection.fetchval(_SCHEMA) != self._schema:
            return False
        await connection.execute(self._empty)
        return True
