"""Publishes our tables under the names that SQL readers and neighbours know, as views in a schema of theirs.

They are declared in reader_views.py, the functions beside them in reader_functions.py. One is made again only where its
definition has changed: that locks out its readers. The views run with their owner's rights, so that whoever reads them
needs none on our schema; who might read a table may read the view that stands for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import msgspec
from loguru import logger

from consumer.postgres.adoption import is_adoptable, set_apart
from consumer.postgres.reader_functions import FUNCTIONS
from consumer.postgres.reader_view import Prices, ReaderView
from consumer.postgres.reader_views import views
from consumer.postgres.schemas import has_table

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.postgres.schemas import Asked, Schemas


class NameTaken(Exception):
    """A relation that is not ours has a name that readers know. The text names the setting that cures it."""


_TAKEN = """
    SELECT c.relname, pg_get_userbyid(c.relowner) AS owner FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace(quote_ident($1)) AND c.relname = ANY ($2) AND NOT
          (c.relkind = 'v' AND c.relname = ANY ($3))
    UNION ALL
    SELECT p.proname, pg_get_userbyid(p.proowner) FROM pg_proc AS p
    WHERE p.pronamespace = to_regnamespace(quote_ident($1)) AND p.proname = ANY ($4) AND p.proname <> ALL ($3)
    ORDER BY 1
"""
_MAY = """
    SELECT CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p.grantee)) END AS role,
           p.privilege_type AS privilege, p.is_grantable AS grantable, NULL AS column
    FROM pg_class AS c, aclexplode(c.relacl) AS p WHERE c.oid = $1::text::regclass AND p.grantee <> c.relowner
    UNION ALL
    SELECT CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p.grantee)) END,
           p.privilege_type, p.is_grantable, a.attname
    FROM pg_attribute AS a, aclexplode(a.attacl) AS p WHERE a.attrelid = $1::text::regclass AND a.attnum > 0
"""


class Taken(msgspec.Struct, frozen=True):
    """The names of ours that others have in the readers' schema, whether the earlier service does, and what to do."""

    names: tuple[str, ...]
    adoptable: bool
    told: str


async def read_taken(asked: Asked, schemas: Schemas) -> Taken | None:
    """Return what relations and functions in the readers' schema have a name of theirs and are not ours, if any."""
    made = await _made(asked)
    names = [view.name for view in views()]
    functions = [function.name for function in FUNCTIONS]
    taken = await asked.fetch(_TAKEN, schemas.readers, names, list(made), functions)
    if not taken:
        return None
    found = tuple(row["relname"] for row in taken)
    theirs = await is_adoptable(asked, schemas, found)
    owned = ", ".join(f"{schemas.readers}.{row['relname']} (owner {row['owner']})" for row in taken)
    cure = (
        "set READERS_SCHEMA to another schema, where its SQL readers will find their views "
        "(and DATABASE_SCHEMA too, if another deployment in this database made these)"
    )
    if theirs:
        cure += "; or have this service take the place of the one that made them: `maintenance migrate --adopt`"
    return Taken(names=found, adoptable=theirs, told=f"not made by this service: {owned}: {cure}")


async def clear_taken_names(connection: Connection, schemas: Schemas, *, adopting: bool) -> tuple[str, ...]:
    """See to it that nobody else has a name of theirs in the readers' schema.

    Where *adopting*, the earlier service's relations are set apart, and their names returned. Raises NameTaken,
    CannotAdopt.
    """
    taken = await read_taken(connection, schemas)
    if taken is None:
        return ()
    if not (adopting and taken.adoptable):
        raise NameTaken(taken.told)
    await set_apart(connection, schemas, taken.names)
    return taken.names


async def publish(connection: Connection, schemas: Schemas, prices: Prices | None = None) -> None:
    """Make the views that are missing or have another definition by now; *prices* None: as they are."""
    made = await _made(connection)
    standing = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind = 'v'",
        schemas.readers,
    )
    there = {row["relname"] for row in standing}
    for view in views(await _prices(connection, schemas, prices)):
        if view.name not in there or made.get(view.name) != view.as_made:
            await _make(connection, schemas, view, new=view.name not in there)
    for function in FUNCTIONS:
        statements = function.as_made(schemas.readers)
        if made.get(function.name) != statements or not await _is_there(connection, schemas, function.name):
            await connection.execute(statements)
            await _note_made(connection, function.name, statements)


async def _is_there(connection: Connection, schemas: Schemas, function: str) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = $2 AND pronamespace = to_regnamespace(quote_ident($1)))",
        schemas.readers,
        function,
    )
    return found


async def _prices(connection: Connection, schemas: Schemas, wanted: Prices | None) -> Prices:
    """What was last wanted of the names that show prices: kept in the database, so that all processes agree."""
    if not await has_table(connection, schemas.tables, "reader_prices"):
        return Prices.RAW
    stored = Prices(await connection.fetchval("SELECT prices FROM reader_prices"))
    if wanted is None or wanted is stored:
        return stored
    await connection.execute("UPDATE reader_prices SET prices = $1", wanted.value)
    logger.info("reader_prices_changed", prices=wanted.value, before=stored.value)
    return wanted


async def _made(asked: Asked) -> dict[str, str]:
    if await asked.fetchval("SELECT to_regclass('reader_view') IS NULL"):
        return {}
    return {row["name"]: row["definition"] for row in await asked.fetch("SELECT name, definition FROM reader_view")}


async def _make(connection: Connection, schemas: Schemas, view: ReaderView, *, new: bool) -> None:
    name, meaning = f'"{schemas.readers}".{view.name}', view.meaning.replace("'", "''")
    try:
        async with connection.transaction():
            await connection.execute(f"CREATE OR REPLACE VIEW {name} AS {view.definition}")
    except asyncpg.InvalidTableDefinitionError:
        if not await _make_anew(connection, name, view):
            return
    await connection.execute(f"COMMENT ON VIEW {name} IS '{meaning}'")
    if new:
        await _let_read(connection, name, view.source.split()[0])
    await connection.execute(f"DROP TRIGGER IF EXISTS refuse_write ON {name}")
    if not view.writable:
        await connection.execute(
            f"CREATE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {name} "
            f'FOR EACH ROW EXECUTE FUNCTION "{schemas.tables}".refuse_write()'
        )
    await _note_made(connection, view.name, view.as_made)


async def _make_anew(connection: Connection, name: str, view: ReaderView) -> bool:
    """Put a view whose columns have other types by now in the place of *name*; not where others have built on that."""
    may = await connection.fetch(_MAY, name)
    try:
        async with connection.transaction():
            await connection.execute(f"DROP VIEW {name}")
    except asyncpg.DependentObjectsStillExistError as error:
        logger.warning("reader_view_kept_as_it_was", view=view.name, built_on_it=error.detail)
        return False
    await connection.execute(f"CREATE VIEW {name} AS {view.definition}")
    for one in may:
        of = "" if one["column"] is None else f' ("{one["column"]}")'
        onwards = " WITH GRANT OPTION" if one["grantable"] else ""
        await connection.execute(f"GRANT {one['privilege']}{of} ON {name} TO {one['role']}{onwards}")
    return True


async def _note_made(connection: Connection, name: str, definition: str) -> None:
    await connection.execute(
        "INSERT INTO reader_view (name, definition) VALUES ($1, $2) "
        "ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
        name,
        definition,
    )


async def _let_read(connection: Connection, name: str, source: str) -> None:
    """Let whoever may read *source* read the view in its place."""
    for may in await connection.fetch(_MAY, source):
        if may["privilege"] == "SELECT":
            of = "" if may["column"] is None else f' ("{may["column"]}")'
            onwards = " WITH GRANT OPTION" if may["grantable"] else ""
            await connection.execute(f"GRANT SELECT{of} ON {name} TO {may['role']}{onwards}")
