"""Holds the declared tables to the database: every table is declared, with its columns and their types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.catalogue.registry import TABLES

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool


async def test_every_table_of_the_database_is_declared_with_its_columns(pool: Pool) -> None:
    rows = await pool.fetch(
        "SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type "
        "FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
        "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 "
        "AND NOT a.attisdropped ORDER BY 1, a.attnum"
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["table"], {})[row["column"]] = row["type"]
    declared = {name: {column: one.type for column, one in table.columns.items()} for name, table in TABLES.items()}
    assert found == declared
