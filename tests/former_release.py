"""Leaves a database as a release without a schema of its own left it: its tables where the role's search_path led."""

from __future__ import annotations

import asyncpg

from consumer.postgres.packaged import migrations


async def leave_tables(dsn: str, *statements: str, before: str = "0014", schema: str = "public") -> None:
    """Apply the migrations *before* that one as such a release did, and then *statements*."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    try:
        await connection.execute(
            "CREATE TABLE schema_migration "
            "(name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for migration in migrations():
            if migration.name < before:
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
                )
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
