"""Listens on channels as neighbours do, and reads what they read of a message."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Listener:
    """What was heard since the last question."""

    def __init__(self, redis: Redis, pubsub: Any) -> None:
        self._redis, self._pubsub = redis, pubsub

    async def heard(self) -> list[tuple[str, dict[str, Any]]]:
        """Channel and JSON of all that was said up to now: a message of our own tells where that is."""
        await self._redis.publish("the end", "")
        found = []
        async with asyncio.timeout(10):
            while True:
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                if message is not None and message["channel"] == "the end":
                    return found
                if message is not None:
                    found.append((message["channel"], json.loads(message["data"])))


@contextlib.asynccontextmanager
async def listening(url: str, *channels: str) -> AsyncIterator[Listener]:
    """Listen on *channels* until the block ends."""
    redis = Redis.from_url(url, decode_responses=True)
    pubsub = redis.pubsub()
    try:
        await pubsub.subscribe(*channels, "the end")
        for _ in range(len(channels) + 1):
            await pubsub.get_message(timeout=5)
        yield Listener(redis, pubsub)
    finally:
        await pubsub.aclose()  # type: ignore[no-untyped-call]
        await redis.aclose()
