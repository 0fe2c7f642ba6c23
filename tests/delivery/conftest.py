"""Gives the tests of the scripts every server that is here: the embedded one and, where installed, Redis 7.0."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import redis as redis_client
from redis.asyncio import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

INSTALLED = shutil.which("redis-server")


@pytest.fixture(scope="session")
def installed_redis(servers_dir: Path) -> Iterator[str]:
    """The URL of the machine's own redis-server, started for the tests."""
    if INSTALLED is None:
        pytest.skip("no redis-server is installed here")
    socket = servers_dir / "installed.sock"
    process = subprocess.Popen(
        [INSTALLED, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(servers_dir)],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for_answer(socket)
        yield f"unix://{socket}"
    finally:
        process.kill()
        process.wait()


def _wait_for_answer(socket: Path) -> None:
    patience = time.monotonic() + 10
    while time.monotonic() < patience:
        with contextlib.suppress(redis_client.ConnectionError), redis_client.Redis(unix_socket_path=str(socket)) as it:
            it.ping()
            return
        time.sleep(0.01)
    raise AssertionError("the installed redis-server did not start")


@pytest.fixture(params=["embedded", "installed"])
def each_url(request: pytest.FixtureRequest) -> str:
    """The URL of each server in turn, without a key or script in it."""
    if request.param == "embedded":
        return str(request.getfixturevalue("redis_url"))
    url = str(request.getfixturevalue("installed_redis"))
    with redis_client.Redis.from_url(url) as connection:
        connection.flushall()
        connection.script_flush()
    return url


@pytest.fixture
async def each_redis(each_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(each_url, decode_responses=True)
    yield client
    await client.aclose()
