"""Tells every /health, whichever process serves it, that a worker's sessions with PostgreSQL fell silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loguru import logger
from redis.exceptions import RedisError, ResponseError

from contract import keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from consumer.postgres.silence import Silence


def silence_publisher(redis: Redis, consumer: str) -> Callable[[Silence], Awaitable[None]]:
    """Return what a pool calls when it closed sessions; it is remembered until its key expires."""

    async def publish(silence: Silence) -> None:
        words = (
            f"{silence.sessions} sessions of {consumer} did not answer for up to {silence.longest_s:.0f} s "
            f"and were closed: {silence.reason}"
        )
        try:
            await redis.set(keys.SILENT.pattern, words, ex=keys.SILENT.ttl)
        except RedisError as error:
            logger.debug("silence_not_told", reason=str(error))

    return publish


async def read_silence(redis: Redis) -> str | None:
    """Return what was told last, while it is new. Raises RedisError where Redis is away."""
    try:
        text: Any = await redis.get(keys.SILENT.pattern)
    except ResponseError:
        return None  # somebody put something else there
    return None if text is None else str(text)
