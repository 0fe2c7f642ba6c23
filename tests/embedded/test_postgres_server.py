"""The embedded PostgreSQL keeps what was committed, starts whatever an earlier run left, and ends quickly."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.embedded.errors import EmbeddedUnavailable, ServerFailed
from consumer.embedded.postgres_server import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from asyncpg import Connection


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[tuple[EmbeddedPostgres, Connection]]:
    server = EmbeddedPostgres(data_dir)
    await server.start()
    connection = await asyncpg.connect(server.dsn)
    try:
        yield server, connection
    finally:
        connection.terminate()
        await server.stop()


async def write_a_row(connection: Connection) -> None:
    await connection.execute("CREATE TABLE kept AS SELECT 'yes' AS answer")


async def the_row(connection: Connection) -> str:
    return str(await connection.fetchval("SELECT answer FROM kept"))


async def test_rows_survive_stop_and_start(data_dir: Path) -> None:
    async with running(data_dir) as (_, connection):
        await write_a_row(connection)
    async with running(data_dir) as (_, connection):
        assert await the_row(connection) == "yes"


async def test_committed_rows_survive_kill_9_of_the_server(data_dir: Path) -> None:
    async with running(data_dir) as (server, connection):
        await write_a_row(connection)
        os.kill(server.pid, signal.SIGKILL)
        await server.start()  # at once: its backends and its pid file are still there
        reconnected = await asyncpg.connect(server.dsn)
        assert await the_row(reconnected) == "yes"
        await reconnected.close()


async def test_a_server_that_was_left_behind_is_ended_first(data_dir: Path) -> None:
    async with running(data_dir) as (leftover, connection):
        await write_a_row(connection)
        async with running(data_dir) as (_, connection_to_next):
            assert await leftover.ended() == 0
            assert await the_row(connection_to_next) == "yes"


@pytest.mark.parametrize("stranger_is", ["alive", "a zombie"])
async def test_pid_files_that_name_a_stranger_do_not_stop_the_start(data_dir: Path, stranger_is: str) -> None:
    async with running(data_dir) as (server, _):
        os.kill(server.pid, signal.SIGKILL)
        await server.ended()
        owner = (data_dir / "postgres" / "cluster").stat().st_uid
        stranger = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
        if stranger_is == "a zombie":
            stranger.kill()
            os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
        try:
            home = data_dir / "postgres"
            for pid_file in (home / "cluster" / "postmaster.pid", home / ".s.PGSQL.5432.lock"):
                pid_file.write_text("\n".join([str(stranger.pid), *pid_file.read_text().split("\n")[1:]]))
            await server.start()
        finally:
            stranger.kill()
            stranger.wait()


async def test_a_cluster_cut_short_in_the_making_is_made_again(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    cluster = data_dir / "postgres" / "cluster"
    (cluster / "PG_VERSION").unlink()
    cluster.rename(cluster.with_name("cluster.unfinished"))
    async with running(data_dir) as (_, connection):
        assert await connection.fetchval("SELECT 1") == 1


async def test_text_is_utf_8_and_sorts_alike_everywhere(data_dir: Path) -> None:
    async with running(data_dir) as (_, connection):
        row = await connection.fetchrow("SELECT pg_encoding_to_char(encoding), datlocale FROM pg_database")
        assert row is not None
        assert tuple(row) == ("UTF8", "C.UTF-8")
        ordered = "SELECT array_agg(s ORDER BY s) FROM unnest(ARRAY['a', 'BRK.A', 'B']) s"
        assert await connection.fetchval(ordered) == ["B", "BRK.A", "a"]


async def test_a_commit_waits_for_the_disk_and_nothing_listens_on_a_network(data_dir: Path) -> None:
    async with running(data_dir) as (_, connection):
        names = ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "TimeZone"]
        found = [await connection.fetchval("SELECT current_setting($1)", name) for name in names]
        assert found == ["on", "on", "on", "", "UTC"]


async def test_no_other_user_gets_near_the_socket(data_dir: Path) -> None:
    async with running(data_dir) as (server, _):
        assert (server.socket_dir / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        assert (data_dir / "postgres" / "cluster").stat().st_mode & 0o777 == 0o700


async def test_the_callers_postgresql_environment_changes_nothing(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGUSER": "nobody", "PGHOST": "example"}.items():
        monkeypatch.setenv(name, value)
    async with running(data_dir) as (_, connection):
        assert await connection.fetchval("SELECT current_user") == "postgres"


async def test_a_failed_start_shows_what_the_server_said(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, {"wal_level": "whatever"})
    with pytest.raises(ServerFailed, match="wal_level"):
        await server.start()


async def test_without_the_wheel_both_cures_are_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedUnavailable, match=r"data-maintenance\[embedded\].*DATABASE_URL"):
        await EmbeddedPostgres(data_dir).start()
    assert not data_dir.exists()
