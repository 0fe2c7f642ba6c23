"""Connects a command to a running service's servers, without waiting for one that is not there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumer.delivery.task_stream import TaskStream
from consumer.postgres.pool import CONNECTION_ERRORS, Pool, open_pool
from consumer.runtime import connect_redis
from consumer.terminal.servers import NotRunning, locate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.settings import Settings


ANSWERS_WITHIN_S = 3.0


class Unreachable(Exception):
    """A server does not answer; the text names the cure."""


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """The service as a command sees it: both servers, and the task stream (never read by a command)."""

    pool: Pool
    redis: Redis
    stream: TaskStream


async def reach_postgres(settings: Settings, dsn: str) -> Pool:
    """Return a small pool of sessions like the service's own. Raises one of CONNECTION_ERRORS when nothing answers."""
    return await open_pool(dsn, lease=settings.lease, size=2, name="maintenance command", within_s=ANSWERS_WITHIN_S)


@contextlib.asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Reached]:
    """Connect to both servers until the block ends. Raises Unreachable, also when one goes away meanwhile."""
    try:
        servers = locate(settings)
        async with (
            await reach_postgres(settings, servers.database_url) as pool,
            connect_redis(servers.redis_url) as redis,
        ):
            stream = TaskStream(redis, redis, consumer="maintenance command", lease=settings.lease)
            yield Reached(pool=pool, redis=redis, stream=stream)
    except NotRunning as error:
        raise Unreachable(str(error)) from error
    except (RedisError, *CONNECTION_ERRORS) as error:
        raise Unreachable(
            f"the service does not answer ({type(error).__name__}: {error}): is `maintenance run` up, are REDIS_URL "
            "and DATABASE_URL right?"
        ) from error
