"""A look starts what belongs to the folder that it holds, and leaves every other server and address as it is."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from redis.asyncio import Redis

from consumer.embedded.data_dir import DataDirLock
from consumer.embedded.redis_server import EmbeddedRedis
from consumer.settings import read_settings
from consumer.terminal import stopped_servers
from consumer.terminal.refused import CommandRefused
from consumer.terminal.servers import Servers, addresses, announce
from consumer.terminal.stopped_servers import looked_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.settings import Settings

THEIRS = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, in which sockets lie beside their data."""
    made = Path(tempfile.mkdtemp(prefix="dm-look-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def settings_of(data_dir: Path, **environment: str) -> Settings:
    return read_settings({"DATA_DIR": str(data_dir), **environment})


async def _said(url: str, *, note: str | None = None) -> str | None:
    async with Redis.from_url(url, decode_responses=True) as redis:
        if note is not None:
            await redis.set("note", note)
        return await redis.get("note")


async def test_a_look_into_a_copied_folder_leaves_the_servers_of_the_one_that_runs_alone(folder: Path) -> None:
    live, copy = folder / "live", folder / "copy"
    settings = settings_of(live, DATABASE_URL=THEIRS)
    server = EmbeddedRedis(live / "simulated")
    with DataDirLock(live):
        await server.start()
        try:
            announce(settings, addresses(settings, [server], live / "simulated"))
            assert await _said(server.url, note="live") == "live"
            copy.mkdir()
            shutil.copy(live / "servers.json", copy)
            with pytest.raises(CommandRefused, match=rf"{copy}/simulated/redis is gone"):
                async with looked_at(settings_of(copy)):
                    pass
            shutil.copytree(live / "simulated/redis/appendonlydir", copy / "simulated/redis/appendonlydir")
            async with looked_at(settings_of(copy)) as found:
                assert found.redis_socket == str(copy / "simulated/redis/redis.sock")
                assert await _said(found.redis_url, note="copy") == "copy"
            assert await _said(server.url) == "live"
        finally:
            await server.stop()


async def test_a_look_keeps_the_address_of_the_operators_own_server_that_its_shell_does_not_know(folder: Path) -> None:
    (folder / "simulated/redis").mkdir(parents=True)
    stopped = Servers(
        redis_url="unix:///gone", database_url=THEIRS, redis_socket="/gone", home="/somewhere/else/simulated"
    )
    announce(settings_of(folder), stopped)
    async with looked_at(settings_of(folder)) as found:
        socket = str(folder / "simulated/redis/redis.sock")
        own = msgspec.structs.replace(
            stopped, redis_url=f"unix://{socket}", redis_socket=socket, home=str(folder / "simulated")
        )
        assert found == own


async def test_who_asks_redis_alone_starts_no_postgresql(folder: Path) -> None:
    theirs = Servers(
        redis_url="redis://127.0.0.1:1/0", database_url="", postgres_socket_dir="/gone", home=str(folder / "simulated")
    )
    announce(settings_of(folder), theirs)
    async with looked_at(settings_of(folder), redis_alone=True) as found:
        assert found == theirs
    with pytest.raises(CommandRefused, match="postgres is gone"):
        async with asyncio.timeout(30), looked_at(settings_of(folder)):
            pass


async def test_a_look_waits_half_a_minute_for_another_and_then_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(settings_of(folder), Servers(redis_url="", database_url="", redis_socket="/gone", home="simulated"))
    monkeypatch.setattr(stopped_servers, "LOOKS_WAITED_FOR", 2)
    with (
        DataDirLock(folder, look=True),
        pytest.raises(CommandRefused, match=rf"\(process {os.getpid()}\) is looking into it: wait until it has ended"),
    ):
        async with looked_at(settings_of(folder)):
            pass
