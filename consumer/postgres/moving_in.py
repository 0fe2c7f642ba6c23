"""Brings the tables of a release that had no schema of its own into ours. Moves nothing else, and writes no row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres.schemas import find_former, has_table

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.postgres.schemas import Schemas

#: Everything that migrations 0001 to 0013 made, and nothing of a neighbour's: both may share a schema.
TABLES = (
    "schema_migration",
    "cycle",
    "part",
    "data_load",
    "coverage",
    "market_data_daily",
    "volume_slots_daily",
    "ticker_universe",
    "ticker_metadata",
    "stock_split",
    "ticker_atr",
    "dead_letter",
    "set_aside",
    "restatement",
    "ticker_change",
    "session_condition",
    "vendor_capability",
    "data_source",
    "session_finding",
    "dead_letter_cause",
)
_VIEWS = (
    "volume_slots",
    "daily_history",
    "slot_history",
    "market_data_daily_adjusted",
    "volume_slots_adjusted",
    "company_span",
)


class TablesElsewhere(Exception):
    """An earlier release's tables stand where this program does not look. The text names the setting that cures it."""


async def move_in(connection: Connection, schemas: Schemas) -> None:
    """Make both schemas, and move into ours what an earlier release left in the readers'. Raises TablesElsewhere.

    Privileges go along with what is moved, and so do sequences, indexes and the views of others that read it.
    """
    # IF NOT EXISTS asks for the right to make schemas also where there is nothing to make.
    for name in (schemas.tables, schemas.readers):
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", name):
            await connection.execute(f'CREATE SCHEMA "{name}"')
    if await has_table(connection, schemas.tables, "market_data_daily"):
        told = (
            f"an earlier release's tables stand in schema {schemas.tables} itself: set READERS_SCHEMA={schemas.tables} "
            "(there their SQL readers look), and DATABASE_SCHEMA to another name"
        )
        raise TablesElsewhere(told)
    former = await find_former(connection)
    if former is None:
        return
    if former != schemas.readers:
        told = (
            f"an earlier release's tables stand in schema {former}: set READERS_SCHEMA={former}, where SQL readers look"
        )
        raise TablesElsewhere(told)
    for kind, names in (("TABLE", TABLES), ("VIEW", _VIEWS)):
        for name in names:
            await connection.execute(f'ALTER {kind} IF EXISTS "{former}".{name} SET SCHEMA "{schemas.tables}"')
