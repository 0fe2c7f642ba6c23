"""Checks that a session is one of our own from statement to statement: that no pooler deals them out anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumer.checks.finding import Finding, ok, refused
from consumer.checks.refusals import NO_POOLER, SESSIONS

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool

SECOND_WITHIN_S = 5.0
_BACKEND = "SELECT pg_backend_pid()"


async def check_sessions(pool: Pool) -> Finding:
    """Whether settings and prepared statements stay where they were made. Raises one of CONNECTION_ERRORS."""
    async with pool.acquire() as ours:
        backend: int = await ours.fetchval(_BACKEND)
        if backend == ours.get_server_pid():
            return ok(SESSIONS, "with PostgreSQL itself")
        # A pooler makes numbers up. While somebody else's transaction holds a session, does it give us another one?
        try:
            async with asyncio.timeout(SECOND_WITHIN_S), pool.acquire() as other, other.transaction():
                await other.execute(_BACKEND)
                kept = await _keeps(ours, backend)
        except TimeoutError:
            return refused(SESSIONS, "a pooler has no second session for us", NO_POOLER)
    if not kept:
        return refused(SESSIONS, "a pooler deals them out anew for each transaction or statement", NO_POOLER)
    return ok(SESSIONS, "through a pooler that keeps them")


async def _keeps(ours: Connection, backend: int) -> bool:
    """Three times: a pooler that takes turns may give us the first one again."""
    return {await ours.fetchval(_BACKEND) for _ in range(3)} == {backend}
