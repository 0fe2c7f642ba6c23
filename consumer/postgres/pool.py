"""Opens the connection pool whose sessions cannot block their successors.

A worker that is frozen inside a transaction would hold its row locks for ever: the server ends such a transaction
(`idle_in_transaction_session_timeout`) and never lets a statement wait long for a lock (`lock_timeout`).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from loguru import logger

if TYPE_CHECKING:
    import datetime as dt


Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# What a dropped, restarting, overloaded or demoted server raises: worth another try, and never the data's fault.
CONNECTION_ERRORS = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver lost step with a connection that broke between two messages
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)


async def prepare_connection(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let jsonb columns take and give Python values."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def open_pool(dsn: str, *, lease: dt.timedelta, size: int = 8, name: str = "maintenance") -> Pool:
    """Return a pool on *dsn* as soon as the server answers; waits (and says so) while it starts or recovers."""
    milliseconds = str(int(max(lease.total_seconds(), 2.0) * 1000))
    delay = 0.1
    while True:
        try:
            return await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                init=prepare_connection,
                timeout=10,
                server_settings={
                    "application_name": name,
                    "lock_timeout": milliseconds,
                    "idle_in_transaction_session_timeout": milliseconds,
                    "jit": "off",
                },
            )
        except CONNECTION_ERRORS as error:
            logger.warning("postgres_not_reachable", reason=str(error), retry_in_s=round(delay, 1))
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
