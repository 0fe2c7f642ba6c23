"""Opens the connection pool whose sessions cannot block their successors, and of which nothing waits for ever.

A worker that is frozen inside a transaction would hold its row locks for ever: the server ends such a transaction
(`idle_in_transaction_session_timeout`) and never lets a statement wait long for a lock (`lock_timeout`). A session that
does not answer is closed (`silence.py`); a connection is waited for, given back and closed within bounds.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
from loguru import logger

from consumer.postgres.errors import DatabaseUnreachable
from consumer.postgres.session import Client, Session, connect, prepare_connection
from consumer.postgres.silence import SilenceWatch

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Coroutine

    from consumer.postgres.silence import Silence

    _Pool = asyncpg.Pool[asyncpg.Record]
else:
    _Pool = asyncpg.Pool

__all__ = [
    "BUSY_ERRORS",
    "CONNECTION_ERRORS",
    "CONTENTION_ERRORS",
    "POSTGRES_ERRORS",
    "Client",
    "Connection",
    "DatabaseUnreachable",
    "Pool",
    "open_pool",
    "prepare_connection",
]

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

FREE_WITHIN_S = 60.0  # longer than all connections of a pool are ever in use at once; a dead one is closed before
CLOSED_WITHIN_S = 3.0

# What a dropped, restarting, overloaded or demoted server raises: worth another try, and never the data's fault.
# No OSError: one that concerns the server becomes DatabaseUnreachable, and any other is this machine's own.
CONNECTION_ERRORS = (
    DatabaseUnreachable,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver lost step with a connection that broke between two messages
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
# Somebody else was quicker, or holds what we want: the same statement goes through a moment later.
CONTENTION_ERRORS = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
BUSY_ERRORS = (*CONNECTION_ERRORS, *CONTENTION_ERRORS)
# Whatever a server can say: none of it may end a loop that is meant to go on.
POSTGRES_ERRORS = (*BUSY_ERRORS, asyncpg.PostgresError)


class _BoundedPool(_Pool):
    """A pool that is closed in time whether or not the server answers, and that watches over its sessions."""

    watching: asyncio.Task[None] | None = None

    async def _acquire(self, timeout: float | None) -> Any:
        try:
            async with asyncio.timeout(FREE_WITHIN_S if timeout is None else timeout):
                return await super()._acquire(None)  # type: ignore[misc]
        except TimeoutError as error:
            raise DatabaseUnreachable("no connection of the pool came free in time") from error

    async def close(self) -> None:
        """Close what answers, and drop the rest."""
        self._stop_watching()
        try:
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await super().close()
        except TimeoutError:
            self.terminate()

    def terminate(self) -> None:
        self._stop_watching()
        super().terminate()

    def _stop_watching(self) -> None:
        if self.watching is not None:
            self.watching.cancel()


def _report_defect(watching: asyncio.Task[None]) -> None:
    if not watching.cancelled() and (defect := watching.exception()) is not None:
        logger.opt(exception=defect).error("postgres_sessions_not_watched", runbook="postgres-silent")


async def open_pool(
    dsn: str,
    *,
    lease: dt.timedelta,
    size: int = 8,
    client: Client | None = None,
    on_silence: Callable[[Silence], Awaitable[None]] | None = None,
) -> Pool:
    """Return a pool with one session open. Raises one of CONNECTION_ERRORS, or what refuses us.

    *on_silence* is told of sessions that had to be closed because they did not answer.
    """
    opening = functools.partial(connect, dsn, lease=lease, client=client or Client())
    watch = SilenceWatch(opening, lease, on_silence)

    async def connect_watched(*_: object, **__: object) -> Session:
        session = await opening()
        watch.add(session)
        return session

    pool = _pool_of(dsn, size, connect_watched)
    await _open_one(pool)
    pool.watching = asyncio.create_task(watch.run(pool.expire_connections))
    pool.watching.add_done_callback(_report_defect)
    return pool


def _pool_of(dsn: str, size: int, connect_watched: Callable[..., Coroutine[Any, Any, Session]]) -> _BoundedPool:
    """A pool that has opened nothing yet; what asyncpg's own `create_pool` would give as defaults is given here."""
    return _BoundedPool(
        dsn,
        min_size=0,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        connect=connect_watched,
        connection_class=Session,
        record_class=asyncpg.Record,
    )


async def _open_one(pool: _BoundedPool) -> None:
    """With no session at its start a pool would find out only later that nothing answers, or that it is refused."""
    await pool
    try:
        async with pool.acquire():
            pass
    except BaseException:
        pool.terminate()
        raise
