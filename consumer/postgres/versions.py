"""Tells which program's tables a database has, which programs they serve, and which ones are at work on them.

Every session says in its name on the server of which version its program is, and for which schema it was opened: so the
server knows who is at work, and forgets at once who has gone, without anybody's heartbeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import packaged
from consumer.postgres.errors import DatabaseUnreachable
from consumer.postgres.schemas import has_table

if TYPE_CHECKING:
    from consumer.postgres.schemas import Asked, Schemas

CURE = "run the release that made these tables, or a newer one"
# Programs up to 13 name neither version nor schema: they are taken for older, and for ours.
_AT_WORK = r"""
    SELECT pid, application_name AS name, coalesce(client_addr::text, 'this machine') AS address FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND application_name ~ '^maintenance( command|-run)?($|/)'
      AND coalesce(substring(application_name FROM '/([0-9]{1,9})@')::integer, 0) < $1
      AND coalesce(substring(application_name FROM '@(.*)$'), $2) = $2
    ORDER BY backend_start
"""


class NotServed(DatabaseUnreachable):
    """These tables serve newer programs only. To whoever is at work the database is away: nothing of it is lost."""


class Waiting(Exception):
    """The tables cannot be brought up to date, or used, yet. The text says what is waited for, and the cure."""


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """What `schema_version` says; a database from before it was made by program 13, or by 14 on the way to 15."""

    version: int
    oldest_served: int


def session_name(name: str, schemas: Schemas) -> str:
    """What a session of this program is called on the server."""
    return f"{name}/{packaged.version()}@{schemas.tables}"


async def read_versions(asked: Asked, schemas: Schemas) -> Versions | None:
    """Return what the database says of its tables; None where it has no word for it yet."""
    if not await has_table(asked, schemas.tables, "schema_version"):
        return None
    row = await asked.fetchrow(f'SELECT version, oldest_served FROM "{schemas.tables}".schema_version')
    return None if row is None else Versions(version=row[0], oldest_served=row[1])


def refuse_unserved(versions: Versions | None) -> None:
    """Raise NotServed where the tables serve newer programs only."""
    if versions is not None and versions.oldest_served > packaged.version():
        raise NotServed(
            f"the tables of this database serve programs from version {versions.oldest_served} on, and this one is of "
            f"version {packaged.version()}"
        )


async def wait_for_older(asked: Asked, schemas: Schemas, *, oldest: int) -> None:
    """Raise Waiting while a program older than *oldest* has a session: it would fail on what comes next."""
    rows = await asked.fetch(_AT_WORK, oldest, schemas.tables)
    if rows:
        first = rows[0]
        raise Waiting(
            f"a program of a version before {oldest} is at work, with {len(rows)} sessions in PostgreSQL (such as "
            f"{first['name']}, backend {first['pid']}, from {first['address']}): stop it; this goes on by itself then"
        )
