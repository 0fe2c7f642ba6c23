"""Names the two schemas of a database: ours, where the tables stand, and the readers', where they find views.

A session looks for unqualified names in ours alone: no view for readers and no table of a neighbour can pass for one of
our tables. Which the two are, the session itself tells (`IN_SESSION`), so that whatever holds a connection knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import asyncpg

    #: Whatever holds a session.
    Asked = (
        asyncpg.Pool[asyncpg.Record]
        | asyncpg.Connection[asyncpg.Record]
        | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

#: Settings of a session under a name of our own: any role may set them, and the server reads nothing out of them.
_TABLES_IN, _READERS_IN = "maintenance.tables_in", "maintenance.readers_in"


class Schemas(msgspec.Struct, frozen=True, kw_only=True):
    """*tables*: ours (DATABASE_SCHEMA); *readers*: where SQL readers look (READERS_SCHEMA)."""

    tables: str = "maintenance"
    readers: str = "public"

    def in_session(self) -> dict[str, str]:
        """What a session is told of them."""
        return {"search_path": self.tables, _TABLES_IN: self.tables, _READERS_IN: self.readers}


BY_DEFAULT = Schemas()


async def schemas_of(asked: Asked) -> Schemas:
    """Return the schemas that a session was opened for."""
    row = await asked.fetchrow(f"SELECT current_setting('{_TABLES_IN}'), current_setting('{_READERS_IN}')")
    assert row is not None, "a SELECT without FROM has a row"
    return Schemas(tables=row[0], readers=row[1])


async def has_table(asked: Asked, schema: str, name: str) -> bool:
    """Whether there is such a table, also one that our role may not look at: that is told apart from none."""
    found: bool = await asked.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $2 AND relkind IN ('r', 'p') "
        "AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1))",
        schema,
        name,
    )
    return found


async def find_former(asked: Asked) -> str | None:
    """Return the schema in which a release without a schema of its own left its tables; None where there is no such.

    Up to migration 0013 they stood wherever the role's search_path led. With a table of ours they are no business of
    ours any more: they were moved, or belong to another deployment in this database.
    """
    schemas = await schemas_of(asked)
    if await has_table(asked, schemas.tables, "schema_migration"):
        return None
    rows = await asked.fetch(
        "SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' "
        "AND c.relname IN ('schema_migration', 'part', 'data_load', 'market_data_daily') "
        "GROUP BY 1 HAVING count(*) = 4 ORDER BY n.nspname = $1 DESC, 1",
        schemas.readers,
    )
    return rows[0][0] if rows else None
