"""A killed server comes back on its old socket; a stopped one stays stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from consumer.embedded.keep_alive import keep_alive
from consumer.embedded.redis_server import EmbeddedRedis

if TYPE_CHECKING:
    from pathlib import Path


class ObservedRedis(EmbeddedRedis):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.started = asyncio.Event()

    async def start(self) -> None:
        await super().start()
        self.started.set()


async def test_a_killed_server_is_started_again(data_dir: Path) -> None:
    server = ObservedRedis(data_dir)
    await server.start()
    server.started.clear()
    watch = asyncio.create_task(keep_alive(server))
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    await asyncio.wait_for(server.started.wait(), 20)
    async with Redis.from_url(server.url) as client:
        assert await client.ping()
    assert server.pid != killed
    await server.stop()
    await asyncio.wait_for(watch, 5)


async def test_the_watch_ends_when_its_server_is_stopped(data_dir: Path) -> None:
    server = EmbeddedRedis(data_dir)
    await server.start()
    watch = asyncio.create_task(keep_alive(server))
    await asyncio.sleep(0)
    await server.stop()
    await asyncio.wait_for(watch, 5)
    assert server.stopped
