"""A data directory serves one service, and its sockets have short paths that only their owner can use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import asyncpg
import pytest
from redis.asyncio import Redis

from consumer.embedded import data_dir as data_dir_room
from consumer.embedded.data_dir import DataDirLock, socket_directory
from consumer.embedded.errors import DataDirInUse, EmbeddedUnavailable
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deep(data_dir: Path) -> Path:
    """Deeper than a socket's path may be, with the characters that URLs and settings trip over."""
    data_dir.mkdir(mode=0o711)
    return data_dir / ("a dir, 100% \"déep\" & 'far' #1 " * 4) / "data"


def test_a_second_lock_is_refused_until_the_first_is_released(data_dir: Path) -> None:
    with DataDirLock(data_dir):
        with pytest.raises(DataDirInUse, match=f"process {os.getpid()}"):
            DataDirLock(data_dir).acquire()
    DataDirLock(data_dir).acquire()


async def test_redis_starts_in_a_deep_directory(deep: Path) -> None:
    server = EmbeddedRedis(deep)
    await server.start()
    client = Redis.from_url(server.url)
    try:
        assert await client.ping()
        assert len(os.fsencode(server.socket_path)) < 100
        assert server.socket_path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        await client.aclose()
        await server.stop()
        server.socket_path.parent.rmdir()


async def test_postgres_starts_in_a_deep_directory(deep: Path) -> None:
    server = EmbeddedPostgres(deep, {"fsync": "off"})
    await server.start()
    try:
        connection = await asyncpg.connect(server.dsn)
        await connection.close()
        assert len(os.fsencode(server.socket_dir / ".s.PGSQL.5432")) < 100
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    finally:
        await server.stop()
        server.socket_dir.rmdir()


async def test_both_start_where_a_name_needs_quoting(data_dir: Path) -> None:
    odd = data_dir.with_name("50% a \"b\" 'c' #d?&é")
    redis, postgres = EmbeddedRedis(odd), EmbeddedPostgres(odd, {"fsync": "off"})
    await redis.start()
    client = Redis.from_url(redis.url)
    await postgres.start()
    try:
        assert await client.ping()
        await (await asyncpg.connect(postgres.dsn)).close()
        assert redis.socket_path.is_relative_to(odd)
        assert postgres.socket_dir.is_relative_to(odd)
    finally:
        await client.aclose()
        await redis.stop()
        await postgres.stop()


def test_a_comma_which_clients_take_for_two_hosts_moves_the_socket(data_dir: Path, cleaned: list[Path]) -> None:
    cleaned.append(socket_directory(data_dir / "a,b", ".s.PGSQL.5432"))
    assert "," not in str(cleaned[0])


def test_two_deep_directories_do_not_share_a_socket(deep: Path, cleaned: list[Path]) -> None:
    cleaned += [socket_directory(deep / name, "redis.sock") for name in ("one", "two")]
    assert cleaned[0] != cleaned[1]
    assert socket_directory(deep / "one", "redis.sock") == cleaned[0]


def test_a_socket_directory_that_others_could_enter_is_closed(deep: Path, cleaned: list[Path]) -> None:
    cleaned.append(socket_directory(deep, "redis.sock"))
    cleaned[0].chmod(0o777)
    assert socket_directory(deep, "redis.sock").stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_place_of_the_socket_directory_is_refused(
    deep: Path, data_dir: Path, cleaned: list[Path]
) -> None:
    trap = socket_directory(deep, "redis.sock")
    trap.rmdir()
    trap.symlink_to(data_dir)
    try:
        with pytest.raises(EmbeddedUnavailable, match="DATA_DIR"):
            socket_directory(deep, "redis.sock")
    finally:
        trap.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_socket_directory_of_another_user_is_refused(deep: Path, cleaned: list[Path]) -> None:
    cleaned.append(socket_directory(deep, "redis.sock"))
    os.chown(cleaned[0], 12345, 12345)
    with pytest.raises(EmbeddedUnavailable, match="belongs to user 12345"):
        socket_directory(deep, "redis.sock")


def test_whoever_finds_a_look_is_told_to_wait_for_it_or_to_end_it(data_dir: Path) -> None:
    with DataDirLock(data_dir, look=True), pytest.raises(DataDirInUse) as refused:
        DataDirLock(data_dir).acquire()
    assert f"a command (process {os.getpid()}) is looking into it: wait until it has ended, or end it" in str(
        refused.value
    )
    assert refused.value.by_a_look


@pytest.mark.parametrize("before", ["", "123\n"])
def test_a_look_that_has_only_just_begun_is_known_as_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    with DataDirLock(data_dir, look=True):
        (data_dir / "lock").write_text(before)  # as between its taking the lock and its writing who it is
        monkeypatch.setattr(data_dir_room.time, "sleep", lambda _: (data_dir / "lock").write_text("456 look\n"))
        with pytest.raises(DataDirInUse, match=r"\(process 456\) is looking"):
            DataDirLock(data_dir).acquire()
