"""Checks that a session is one of our own from statement to statement: that no pooler deals them out anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from consumer.checks.finding import Finding, ok, refused
from consumer.checks.refusals import NO_POOLER, SESSIONS
from consumer.postgres.pool import DatabaseUnreachable

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

SECOND_WITHIN_S = 5.0
_BACKEND = "SELECT pg_backend_pid()"


async def check_sessions(pool: Pool) -> Finding:
    """Whether settings and prepared statements stay where they were made. Raises one of CONNECTION_ERRORS."""
    async with pool.acquire() as ours:
        seen = [await ours.fetchval(_BACKEND)]
        if seen[0] == ours.get_server_pid():
            return ok(SESSIONS, "with PostgreSQL itself")
        # A pooler makes numbers up. Does it give us another session once there are two of us, or once one is taken?
        try:
            async with asyncio.timeout(SECOND_WITHIN_S), pool.acquire() as other:
                seen += [await ours.fetchval(_BACKEND) for _ in range(2)]
                async with other.transaction():
                    await other.execute(_BACKEND)
                    seen += [await ours.fetchval(_BACKEND) for _ in range(3)]
        except (TimeoutError, DatabaseUnreachable, asyncpg.ConnectionDoesNotExistError):
            await ours.fetchval(_BACKEND)  # raises where it is PostgreSQL itself that has gone: that is waited for
            return refused(SESSIONS, "a pooler has no second session for us", NO_POOLER)
    if seen != [seen[0]] * len(seen):
        return refused(SESSIONS, "a pooler deals them out anew for each transaction or statement", NO_POOLER)
    return ok(SESSIONS, "through a pooler that keeps them")
