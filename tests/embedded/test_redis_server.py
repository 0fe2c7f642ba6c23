"""The embedded Redis keeps what it was told, keeps to its directory, and says what to do when it cannot run."""

from __future__ import annotations

import importlib.util
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from consumer.embedded.errors import EmbeddedUnavailable, ServerFailed
from consumer.embedded.redis_server import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[tuple[EmbeddedRedis, Redis]]:
    server = EmbeddedRedis(data_dir)
    await server.start()
    client = Redis.from_url(server.url, decode_responses=True)
    try:
        yield server, client
    finally:
        await client.aclose()
        await server.stop()


async def test_streams_and_groups_survive_stop_and_start(data_dir: Path) -> None:
    async with running(data_dir) as (_, client):
        await client.xadd("maintenance:tasks", {"task": "cycle"})
        await client.xgroup_create("maintenance:tasks", "maintenance", id="0")
        await client.xreadgroup("maintenance", "worker-1", {"maintenance:tasks": ">"})
    async with running(data_dir) as (_, client):
        assert (await client.xpending("maintenance:tasks", "maintenance"))["pending"] == 1


async def test_state_survives_kill_9_of_the_server(data_dir: Path) -> None:
    async with running(data_dir) as (server, client):
        await client.set("kept", "yes")
        await client.execute_command("WAITAOF", 1, 0, 5000)
        os.kill(server.pid, signal.SIGKILL)
        assert await server.ended() == -signal.SIGKILL
        await server.start()
        assert await client.get("kept") == "yes"


async def test_a_server_that_was_left_behind_is_ended_first(data_dir: Path) -> None:
    async with running(data_dir) as (leftover, client):
        await client.set("kept", "yes")
        async with running(data_dir) as (server, client_of_next):
            assert await leftover.ended() == 0
            assert server.pid != leftover.pid
            assert await client_of_next.get("kept") == "yes"


async def test_it_never_evicts_and_syncs_its_file_every_second(data_dir: Path) -> None:
    async with running(data_dir) as (_, client):
        found = await client.config_get("append*", "maxmemory-policy", "hash-max-listpack-entries", "save", "port")
        assert (
            found.items()
            >= {
                "appendonly": "yes",
                "appendfsync": "everysec",
                "maxmemory-policy": "noeviction",
                "hash-max-listpack-entries": "256",
                "save": "",
                "port": "0",
            }.items()
        )


async def test_a_profile_of_192_slots_stays_a_listpack(data_dir: Path) -> None:
    async with running(data_dir) as (_, client):
        await client.hset("rvol:hist:avg:SPY:5", mapping={str(slot): "1234.5678" for slot in range(192)})
        assert await client.object("ENCODING", "rvol:hist:avg:SPY:5") == "listpack"


async def test_no_other_user_gets_near_the_socket(data_dir: Path) -> None:
    async with running(data_dir) as (server, _):
        assert server.socket_path.stat().st_mode & 0o777 == 0o700
        assert server.socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert (data_dir / "redis").stat().st_mode & 0o777 == 0o700


async def test_a_failed_start_shows_what_the_server_said(data_dir: Path) -> None:
    server = EmbeddedRedis(data_dir, {"maxmemory-policy": "whatever"})
    with pytest.raises(ServerFailed, match="maxmemory-policy"):
        await server.start()


async def test_without_the_wheel_both_cures_are_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedUnavailable, match=r"data-maintenance\[embedded\].*REDIS_URL"):
        await EmbeddedRedis(data_dir).start()
    assert not data_dir.exists()
