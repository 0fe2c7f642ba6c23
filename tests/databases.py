"""Lends each test an empty database of a server: one that is emptied between tests, since making one takes 0.3 s."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from consumer.embedded.postgres_server import EmbeddedPostgres

# As template0 has it.  What a test may leave beyond its tables (settings, schemas) is asked for afterwards.
_EMPTY = """
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
_LEFT_OVER = """
    SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = (
               SELECT oid FROM pg_database WHERE datname = current_database()))
        OR EXISTS (SELECT FROM pg_namespace WHERE nspname NOT IN ('public', 'information_schema')
               AND nspname NOT LIKE 'pg\\_%')
        OR EXISTS (SELECT FROM pg_default_acl)
"""
ENDS_WITHIN_MS = 10_000


class Databases:
    """The databases of *server*: the one that is lent, and none once a test spoilt it."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._name: str | None = None

    async def lend(self) -> str:
        """Return the DSN of a database without a table in it."""
        if self._name is None:
            self._name = f"test_{uuid.uuid4().hex[:12]}"
            connection = await asyncpg.connect(self._server.dsn)
            try:
                await connection.execute(f"CREATE DATABASE {self._name} TEMPLATE template0")
            finally:
                await connection.close()
        return self._server.dsn.replace("/postgres?", f"/{self._name}?", 1)

    async def take_back(self) -> None:
        """Empty the database, whoever is still connected; drop it if it kept anything, or is no more."""
        name, self._name = self._name, None
        administrator = await asyncpg.connect(self._server.dsn)
        try:
            await administrator.execute(
                "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE datname = $1", name, ENDS_WITHIN_MS
            )
            if await administrator.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
                if await self._emptied(self._server.dsn.replace("/postgres?", f"/{name}?", 1)):
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
            if await connection.fetchval(_LEFT_OVER):
                return False
            await connection.execute(_EMPTY)
            return True
        except asyncpg.PostgresError:
            return False
        finally:
            await connection.close()
