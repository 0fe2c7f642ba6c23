"""A service killed with -9 leaves nothing that the next one stumbles over."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import asyncpg
import pytest
from redis.asyncio import Redis

from consumer.embedded.data_dir import DataDirLock
from consumer.embedded.errors import DataDirInUse
from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.embedded.conftest import Service

pytestmark = pytest.mark.crash


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_servers_end_with_the_service(start_service: Callable[[], Service]) -> None:
    service = start_service()
    service.kill()
    assert service.servers_end_within(seconds=10)


async def test_the_next_start_finds_all_that_was_written(data_dir: Path, start_service: Callable[[], Service]) -> None:
    service = start_service()
    redis, postgres = EmbeddedRedis(data_dir), EmbeddedPostgres(data_dir)
    await write(service)
    service.kill()  # and start at once, while its servers are still ending
    with DataDirLock(data_dir):
        await asyncio.gather(redis.start(), postgres.start())
    try:
        assert await read(redis.url, postgres.dsn) == ("yes", "yes")
    finally:
        await asyncio.gather(redis.stop(), postgres.stop())


async def write(service: Service) -> None:
    client = Redis.from_url(service.redis_url)
    await client.set("kept", "yes")
    await client.aclose()
    connection = await asyncpg.connect(service.postgres_dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 'yes' AS answer")
    await connection.close()


async def read(redis_url: str, postgres_dsn: str) -> tuple[str, str]:
    client = Redis.from_url(redis_url, decode_responses=True)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        return await client.get("kept"), await connection.fetchval("SELECT answer FROM kept")
    finally:
        await client.aclose()
        await connection.close()


def test_a_second_service_is_refused_and_told_of_the_first(
    data_dir: Path, start_service: Callable[[], Service]
) -> None:
    service = start_service()
    with pytest.raises(DataDirInUse, match=rf"process {service.process.pid}\).*DATA_DIR"), DataDirLock(data_dir):
        pass


def test_a_killed_service_does_not_keep_the_directory(data_dir: Path, start_service: Callable[[], Service]) -> None:
    start_service().kill()
    with DataDirLock(data_dir):
        pass


def test_a_service_that_ends_in_order_leaves_no_server(start_service: Callable[[], Service]) -> None:
    service = start_service()
    service.process.communicate(timeout=20)  # its end of input
    assert service.process.returncode == 0
    assert service.servers_end_within(seconds=0)
