"""Connects a command to a running service's PostgreSQL, without waiting for one that is not there."""

from __future__ import annotations

import asyncpg

from consumer.postgres.pool import prepare_connection


async def reach_postgres(dsn: str) -> asyncpg.Pool[asyncpg.Record]:
    """Return a small pool. Raises one of CONNECTION_ERRORS at once when nothing answers."""
    return await asyncpg.create_pool(dsn, min_size=1, max_size=2, init=prepare_connection, timeout=3)
