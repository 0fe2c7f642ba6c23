"""Gives the tests of the scripts every server that is here: embedded Valkey and, where installed, Redis 7.0 and 6.2."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import redis as redis_client
from redis.asyncio import Redis

from tests.simulator.servers import NoSuchServer, redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@contextlib.contextmanager
def _server(name: str, folder: Path) -> Iterator[str]:
    try:
        with redis_server(name, folder, use="delivery") as url:
            yield url
    except NoSuchServer as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_7(servers_dir: Path) -> Iterator[str]:
    """The URL of a Redis 7.0, started for the tests."""
    with _server("7.0", servers_dir) as url:
        yield url


@pytest.fixture(scope="session")
def redis_6(servers_dir: Path) -> Iterator[str]:
    """The URL of a Redis 6.2, the oldest that is supported, started for the tests."""
    with _server("6.2", servers_dir) as url:
        yield url


@pytest.fixture(params=["embedded", "redis_7", "redis_6"])
def each_url(request: pytest.FixtureRequest) -> str:
    """The URL of each server in turn, without a key or script in it."""
    if request.param == "embedded":
        return str(request.getfixturevalue("redis_url"))
    url = str(request.getfixturevalue(request.param))
    with redis_client.Redis.from_url(url) as connection:
        connection.flushall()
        connection.script_flush()
    return url


@pytest.fixture
async def each_redis(each_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(each_url, decode_responses=True)
    yield client
    await client.aclose()
