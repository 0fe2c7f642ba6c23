"""Tells a server that refuses us, which no waiting cures, from one that is away."""

from __future__ import annotations

import asyncpg
from redis.exceptions import AuthenticationError, NoPermissionError

from consumer.checks.finding import Finding, refused
from consumer.postgres.versions import CURE, NotServed

POSTGRES_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InvalidSQLStatementNameError,
)
SESSIONS = "postgresql sessions"
_OF_POOLERS = ("startup parameter", "pooling mode")  # pgbouncer knows no error code but "protocol violation"
NO_POOLER = (
    "set DATABASE_URL to PostgreSQL itself, or give its pooler pool_mode = session and room for all of our sessions "
    "(MAINTENANCE_PARTS_AT_ONCE + 5 a worker)"
)


def refusal_in(error: BaseException) -> Finding | None:
    """Return what a refusal means, with its cure; None for an error that is none.

    Over a unix socket redis-py hides refused credentials behind a ConnectionError.
    """
    hidden = error.__cause__
    match hidden if isinstance(hidden, AuthenticationError) else error:
        case AuthenticationError():
            seen = "it wants a password, or does not take the one given"
            return refused("redis access", seen, "correct REDIS_URL: redis://user:password@host:port/0")
        case NoPermissionError():
            cure = "give the user of REDIS_URL all commands and keys: ACL SETUSER … +@all ~*"
            return refused("redis access", str(error), cure)
        case _:
            return _refusal_of_postgresql(error)


def _refusal_of_postgresql(error: BaseException) -> Finding | None:
    access = "postgresql access"
    match error:
        case NotServed():
            return refused("postgresql schema", str(error), CURE)
        case asyncpg.InvalidCatalogNameError():
            return refused(access, str(error), "CREATE DATABASE, or correct the name in DATABASE_URL")
        case asyncpg.InsufficientPrivilegeError():
            return refused(access, str(error), "make the user of DATABASE_URL the owner of its database")
        case asyncpg.InvalidAuthorizationSpecificationError():
            return refused(access, str(error), "correct user and password in DATABASE_URL (or pg_hba.conf there)")
        case asyncpg.ClientConfigurationError():
            return refused(access, _first_line(error), "correct DATABASE_URL")
        case asyncpg.DuplicatePreparedStatementError() | asyncpg.InvalidSQLStatementNameError():
            return refused(SESSIONS, f"a pooler mixes up statements: {_first_line(error)}", NO_POOLER)
        case asyncpg.PostgresConnectionError() if any(words in str(error) for words in _OF_POOLERS):
            return refused(SESSIONS, f"a pooler says: {_first_line(error)}", NO_POOLER)
    return None


def _first_line(error: BaseException) -> str:
    """Without the driver's advice, which is for its own users."""
    return str(error).partition("\n")[0]
