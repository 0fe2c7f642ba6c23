"""Gives the tests real servers: one Redis and one PostgreSQL per run, a clean state for each test.

Both come from the embedded wheels, on unix sockets in a directory of their own, so any number of runs fits
beside each other. They end with the run, also when it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import json
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import pytest
import redis as redis_client
from loguru import logger
from redis.asyncio import Redis

from consumer.embedded.postgres_server import EmbeddedPostgres
from consumer.embedded.redis_server import EmbeddedRedis
from process.logs import json_line
from tests.databases import Databases, MigratedDatabases
from tests.longest_first import pytest_collection_modifyitems
from tests.simulator import servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

__all__ = ["pytest_collection_modifyitems"]

T = TypeVar("T")

# What `nohup` has set to be ignored every child would ignore too, and a test that sends it would wait for ever.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Leave four thousand tests and all their modules out of what the collector walks: they stay to the end."""
    gc.collect()
    gc.freeze()


# No test pulls the plug: what a commit waits for the disk is time lost.
QUICK_AND_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "autovacuum_naptime": "10min",
}


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* on a loop of its own; `asyncio.run` would take the tests' loop away."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@pytest.fixture(autouse=True)
def _nothing_outlives_an_async_test(request: pytest.FixtureRequest) -> None:
    """Others need no loop."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("no_task_outlives_its_test")


@pytest.fixture
async def no_task_outlives_its_test() -> AsyncIterator[None]:
    """Fail a test that leaves tasks behind: in production they would be work that nobody waits for any more."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    # What was cancelled, or is ending, needs some rounds of the loop for it.
    for _ in range(20):
        left = {task for task in left if not task.done()}
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"left behind: {sorted(str(task.get_coro()) for task in left)}")


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """Every log line of the test that an operator would see."""
    lines: list[dict[str, Any]] = []
    number = logger.add(lambda message: lines.append(json.loads(json_line(message.record))), level="INFO")
    yield lines
    logger.remove(number)


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dm-tests-"))
    path.chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(servers_dir: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(servers_dir)
    finish(server.start())
    yield server
    finish(server.stop())


@pytest.fixture(scope="session")
def postgres_server(servers_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(servers_dir, QUICK_AND_FORGETFUL)
    finish(server.start())
    yield server
    finish(server.stop())


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """A Redis without a key, function or script in it."""
    with redis_client.Redis(unix_socket_path=str(redis_server.socket_path)) as connection:
        connection.flushall()
        connection.script_flush()
    return redis_server.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url, decode_responses=True, encoding_errors="replace")  # as ours are
    yield client
    await client.aclose()


@contextlib.contextmanager
def _other_redis(name: str, folder: Path) -> Iterator[str]:
    try:
        with servers.redis_server(name, folder, use="delivery") as url:
            yield url
    except servers.NoSuchServer as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_7(servers_dir: Path) -> Iterator[str]:
    """The URL of a Redis 7.0, started for the tests."""
    with _other_redis("7.0", servers_dir) as url:
        yield url


@pytest.fixture(scope="session")
def redis_6(servers_dir: Path) -> Iterator[str]:
    """The URL of a Redis 6.2, the oldest that is supported, started for the tests."""
    with _other_redis("6.2", servers_dir) as url:
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


@pytest.fixture(scope="session")
def databases(postgres_server: EmbeddedPostgres) -> Databases:
    return Databases(postgres_server)


@pytest.fixture
def postgres_dsn(databases: Databases) -> Iterator[str]:
    """A database without a table in it, emptied after the test whoever is still connected."""
    yield finish(databases.lend())
    finish(databases.take_back())


@pytest.fixture(scope="session")
def migrated_databases(postgres_server: EmbeddedPostgres) -> MigratedDatabases:
    return MigratedDatabases(postgres_server)


@pytest.fixture
def migrated_dsn(migrated_databases: MigratedDatabases) -> Iterator[str]:
    """A database with all tables and nothing in them, emptied after the test whoever is still connected."""
    yield finish(migrated_databases.lend())
    finish(migrated_databases.take_back())


async def execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
