"""A killed server comes back on its old socket; a stopped one stays stopped."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from redis.asyncio import Redis

from consumer.embedded.errors import ServerEnded, ServerFailed
from consumer.embedded.keep_alive import FIRST_STARTS, Supervisor, keep_alive, start
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


class Doomed:
    """A server that ends as soon as it was started, or does not start at all."""

    def __init__(self, *, refuses: Exception | None = None, dies: int = 1_000) -> None:
        self._refuses, self._dies = refuses, dies
        self.starts = 0
        self.stopped = False

    async def start(self) -> None:
        self.starts += 1
        if self._refuses is not None:
            raise self._refuses

    async def ended(self) -> int:
        self.stopped = self.starts >= self._dies
        return 1


class Naps:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (Doomed(), "it ended with exit code 1"),
        (Doomed(refuses=ServerFailed("its log says: PANIC")), "its log says: PANIC"),
        (Doomed(refuses=OSError(errno.ENOSPC, "No space left on device")), "No space left on device; free some disk"),
    ],
)
async def test_a_server_that_does_not_stay_up_is_given_up_after_ever_longer_pauses(server: Doomed, why: str) -> None:
    naps = Naps()
    with pytest.raises(ServerFailed, match=f"started 10 times in a row.*{why}"):
        await Supervisor(server, clock=lambda: 0.0, sleep=naps).run()
    assert naps.taken == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]
    assert server.starts == 10


async def test_a_server_that_lives_between_its_deaths_is_started_at_once_each_time() -> None:
    naps, now = Naps(), itertools.count(step=31.0)
    await Supervisor(Doomed(dies=50), clock=lambda: next(now), sleep=naps).run()
    assert naps.taken == [0.0] * 50


class KilledAsItStarts(EmbeddedRedis):
    """Killed before it is ready, so often."""

    def __init__(self, data_dir: Path, times: int) -> None:
        super().__init__(data_dir)
        self._data_dir = data_dir
        self._left = times

    async def start(self) -> None:
        if not self._left:
            return await super().start()
        self._left -= 1
        starting = asyncio.create_task(super().start())
        while not (own := [one for one in psutil.Process().children() if self._is_mine(one)]):  # noqa: ASYNC110
            await asyncio.sleep(0)
        own[0].kill()
        return await starting

    def _is_mine(self, process: psutil.Process) -> bool:
        return str(self._data_dir) in " ".join(process.cmdline())


async def test_a_server_killed_as_it_starts_is_started_again_and_one_that_always_ends_is_told_soon(
    data_dir: Path,
) -> None:
    server = KilledAsItStarts(data_dir, FIRST_STARTS - 1)
    await start(server)
    async with Redis.from_url(server.url) as client:
        assert await client.ping()
    await server.stop()
    with pytest.raises(ServerEnded, match="ended while starting"):
        await start(KilledAsItStarts(data_dir, FIRST_STARTS))
