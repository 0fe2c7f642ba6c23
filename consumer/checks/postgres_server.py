"""Checks the PostgreSQL server: a tested version, takes writes and tables, keeps commits, has room; and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.checks.finding import Finding, ok, refused, warning
from consumer.postgres import packaged
from consumer.postgres.readers import read_taken
from consumer.postgres.schema import Schema, read_schema
from consumer.postgres.schemas import schemas_of

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

POOL_NAME = "maintenance"  # the default of open_pool
OLDEST_TESTED, NEWEST_TESTED = 15, 18
CONNECTIONS_NEEDED = 10


async def check_postgres(pool: Pool) -> list[Finding]:
    """Ask the server and judge. Raises one of CONNECTION_ERRORS where it does not answer."""
    schemas = await schemas_of(pool)
    row = await pool.fetchrow(
        """
        SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS words,
               pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS read_only,
               current_setting('server_encoding') AS encoding,
               current_setting('session_replication_role') AS replication_role,
               current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
               current_setting('max_connections')::int AS connections,
               (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connected,
               current_user AS by, current_database() AS database,
               ARRAY(SELECT s FROM unnest($1::text[]) AS s WHERE NOT CASE
                         WHEN to_regnamespace(quote_ident(s)) IS NULL
                         THEN has_database_privilege(current_database(), 'CREATE')
                         ELSE has_schema_privilege(quote_ident(s)::regnamespace, 'CREATE') END) AS forbidden,
               pg_database_size(current_database()) AS bytes,
               (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb
        """,
        [schemas.tables, schemas.readers],
    )
    assert row is not None, "a SELECT without FROM has a row"
    return [_version(row), _writable(row), _encoding(row), _rights(row), _durable(row), _room(row)]


def _version(row: Any) -> Finding:
    seen = row["words"] + (f", TimescaleDB {row['timescaledb']}" if row["timescaledb"] else "")
    if row["version"] < OLDEST_TESTED * 10_000:
        return warning(
            "postgresql version", seen, f"this service is tested on PostgreSQL {OLDEST_TESTED} to {NEWEST_TESTED}"
        )
    return ok("postgresql version", f"{seen}, database of {row['bytes'] / 2**20:,.0f} MB")


def _writable(row: Any) -> Finding:
    if row["read_only"]:
        return refused("postgresql role", "read-only", "a standby takes no writes: set DATABASE_URL to the primary")
    return ok("postgresql role", "takes writes")


def _encoding(row: Any) -> Finding:
    """Names of companies hold any character; and with triggers off nothing keeps a part to its cycle."""
    check = "postgresql encoding"
    if row["encoding"] != "UTF8":
        cure = "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and set DATABASE_URL to it"
        return refused(check, f"{row['encoding']}: it cannot hold all names", cure)
    if row["replication_role"] != "origin":
        seen = f"session_replication_role is {row['replication_role']}: foreign keys are not kept"
        return refused("postgresql integrity", seen, f"ALTER ROLE {row['by']} RESET session_replication_role")
    return ok(check, "UTF8")


def _rights(row: Any) -> Finding:
    """PostgreSQL 15 and newer let only the owner of a database make schemas, and tables in its schema public."""
    check = "postgresql rights"
    if forbidden := row["forbidden"]:
        seen = f"{row['by']} may make nothing in schema {' and '.join(forbidden)} of database {row['database']}"
        made = [f"CREATE SCHEMA IF NOT EXISTS {name}" for name in forbidden if name != "public"]
        cure = "; ".join([*made, f"GRANT USAGE, CREATE ON SCHEMA {', '.join(forbidden)} TO {row['by']}"])
        return refused(check, seen, f"as its owner: {cure}; or name others in DATABASE_SCHEMA and READERS_SCHEMA")
    return ok(check, f"{row['by']} may make tables and views")


def _durable(row: Any) -> Finding:
    check = "postgresql durability"
    off = [name for name in ("fsync", "synchronous_commit") if row[name] == "off"]
    if off:
        seen = " and ".join(f"{name} off" for name in off)
        return warning(check, seen, "a power loss takes back what was acknowledged: set them to on")
    return ok(check, "commits are written through")


def _room(row: Any) -> Finding:
    check, free = "postgresql connections", row["connections"] - row["connected"]
    seen = f"{row['connected']} of {row['connections']} in use"
    if free < CONNECTIONS_NEEDED:
        return warning(check, seen, "a worker takes MAINTENANCE_PARTS_AT_ONCE + 4: raise max_connections or end others")
    return ok(check, seen)


async def check_consumers(pool: Pool) -> Finding:
    """Whether a consumer is up, by the name of its sessions. Raises one of CONNECTION_ERRORS."""
    sessions = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE $1 || '/%@' || $2",
        POOL_NAME,
        (await schemas_of(pool)).tables,
    )
    if not sessions:
        return warning("consumers", "none is connected", "nothing is worked on: start one, or look at its log")
    return ok("consumers", f"up, with {sessions} sessions in PostgreSQL")


async def check_schema(pool: Pool) -> Finding:
    """Whether the migrations applied are those of this version. Raises one of CONNECTION_ERRORS."""
    check = "postgresql schema"
    schema = await read_schema(pool)
    if not schema.made:
        schemas = await schemas_of(pool)
        if (taken := await read_taken(pool, schemas)) is not None:
            seen, cure = (
                f"cannot be made: {', '.join(taken.names)} in schema {schemas.readers} is another's",
                taken.told,
            )
            return refused(check, seen, cure)
        return warning(check, "not made yet", "the first consumer makes it: start one")
    if schema.foreign or schema.altered:
        seen = f"{', '.join((*schema.foreign, *schema.altered))} is not this program's"
        return refused(check, seen, "run the version that made it, or another database")
    if schema.missing:
        cure = "the next start of a consumer brings it up to date, or `maintenance migrate`"
        return warning(check, f"lacks {', '.join(schema.missing)}", cure)
    if schema.unfinished:
        cure = "`maintenance migrate --finish`, once nobody wants to go back to the release before"
        return ok(check, f"{_versions(schema)}; still to be applied: {', '.join(schema.unfinished)} ({cure})")
    return ok(check, _versions(schema))


def _versions(schema: Schema) -> str:
    ours = f"this program is of version {packaged.version()}"
    if schema.versions is None:
        return ours
    return f"of version {schema.versions.version}, serves programs from {schema.versions.oldest_served} on; {ours}"
