"""Connects a command to a service's servers, without waiting for one that is not there.

Whatever a server answers instead of what was asked ends as a `CommandRefused`, which names the cure.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis

from consumer.delivery.task_stream import TaskStream
from consumer.maintenance_channel import task_stream
from consumer.postgres.pool import Client, Pool, open_pool
from consumer.postgres.schema import read_schema
from consumer.runtime import connect_redis
from consumer.settings import schemas_set
from consumer.terminal.refused import SERVER_ERRORS, CommandRefused, what_a_server_said
from consumer.terminal.servers import Servers, locate
from consumer.terminal.stopped_servers import looked_at
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.settings import Settings


ANSWERS_WITHIN_S = 3.0


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """The service as a command sees it: both servers, and the task stream (never read by a command)."""

    servers: Servers
    pool: Pool
    redis: Redis
    stream: TaskStream


async def reach_postgres(settings: Settings, dsn: str) -> Pool:
    """Return a small pool of sessions like the service's own. Raises one of CONNECTION_ERRORS when nothing answers."""
    return await open_pool(
        dsn,
        lease=settings.lease,
        size=2,
        client=Client(name="maintenance command", schemas=schemas_set(settings), within_s=ANSWERS_WITHIN_S),
    )


async def reach_tables(settings: Settings, dsn: str) -> Pool:
    """The same, where the tables are this program's. Raises CommandRefused where they are not."""
    pool = await reach_postgres(settings, dsn)
    try:
        await require_tables(pool)
    except BaseException:
        await pool.close()
        raise
    return pool


async def require_tables(pool: Pool) -> None:
    """Raises CommandRefused where there are no tables of ours, or another version's."""
    schema = await read_schema(pool)
    if not schema.made:
        text = (
            "this database has no maintenance tables yet, so nothing was ever loaded into it: start the service "
            "(./start-data-maintenance.sh, or `python -m consumer`), which makes them; or correct DATABASE_URL"
        )
        raise CommandRefused(text, ExitCode.FINDING)
    if schema.foreign or schema.altered:
        first = (*schema.foreign, *schema.altered)[0]
        text = (
            f"another version made the tables of this database (migration {first} is not this program's): use that "
            "version, or another database"
        )
        raise CommandRefused(text, ExitCode.FAILED)
    if schema.missing:
        text = (
            f"the tables of this database are an earlier version's (migration {schema.missing[0]} is not applied): "
            "start the service of this version once, which brings them up to date, or run `maintenance migrate`"
        )
        raise CommandRefused(text, ExitCode.FAILED)


@contextlib.asynccontextmanager
async def reached(settings: Settings, *, any_tables: bool = False) -> AsyncIterator[Reached]:
    """Connect to both servers of a running service until the block ends, for a command that changes something.

    Raises CommandRefused, also when one goes away meanwhile.
    """
    async with _connected(settings, locate(settings), any_tables=any_tables) as found:
        yield found


@contextlib.asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Reached]:
    """The same for a command that only reads: it also reads what a run that has ended left in its embedded servers."""
    async with looked_at(settings) as servers, _connected(settings, servers, any_tables=False) as found:
        yield found


@contextlib.asynccontextmanager
async def _connected(settings: Settings, servers: Servers, *, any_tables: bool) -> AsyncIterator[Reached]:
    reach = reach_postgres if any_tables else reach_tables
    try:
        async with await reach(settings, servers.database_url) as pool, connect_redis(servers.redis_url) as redis:
            stream = task_stream(redis, redis, consumer="maintenance command", lease=settings.lease)
            yield Reached(servers=servers, pool=pool, redis=redis, stream=stream)
    except SERVER_ERRORS as error:
        raise what_a_server_said(error) from error
