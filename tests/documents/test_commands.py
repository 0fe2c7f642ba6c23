"""Every command of every document is tried: read by our own command line, taken by Redis, PostgreSQL and the API."""

from __future__ import annotations

import importlib.util
import os
import re
import tomllib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from consumer.settings import SETTINGS
from consumer.terminal.app import app
from tests.documents.commands import FOLLOWED_ELSEWHERE, NOT_STARTED, Command, commands, exists
from tests.documents.documents import PATHS, ROOT, fences, name_of
from tests.web.conftest import client_, clock, market, postgres_dsn, stack

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from redis.asyncio import Redis

    from tests.cycle.stack import Stack

__all__ = ["client_", "clock", "market", "postgres_dsn", "stack"]
ALL = commands()


def of(*programs: str) -> list[Command]:
    return [command for command in ALL if command.program in programs]


def test_every_program_of_the_documents_is_one_that_is_tried_here() -> None:
    tried = {"maintenance", "redis-cli", "psql", "curl", "python", "pip", "export", "echo", *NOT_STARTED}
    assert [
        str(one) for one in ALL if one.program not in tried and not one.program.startswith(("./", "examples/"))
    ] == []
    assert len(ALL) > 60


@pytest.mark.parametrize("command", of("maintenance"), ids=str)
def test_every_command_of_ours_has_a_verb_flags_and_values_that_are_understood(command: Command) -> None:
    app.parse_args(list(command.words), exit_on_error=False, print_error=False)


def test_every_script_module_and_extra_that_the_documents_start_is_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for command in ALL:
        if command.program.startswith(("./", "examples/")):
            assert os.access(ROOT / command.program, os.X_OK), command
        elif command.program == "python" and command.words[0] == "-m":
            assert importlib.util.find_spec(command.words[1]) is not None, command
        elif command.program == "python":
            assert exists(command.words[0]), command
        elif command.program == "pip":
            for extra in re.findall(r"\[(.*?)\]", " ".join(command.words)):
                assert set(extra.split(",")) <= set(extras), command


def test_every_variable_that_the_documents_set_is_a_setting() -> None:
    known = {name for setting in SETTINGS for name in (setting.name, *setting.aliases)}
    for command in of("export"):
        assert {word.partition("=")[0] for word in command.words} <= known, command


async def test_redis_postgresql_and_the_api_take_every_command_of_the_documents(
    stack: Stack, client: TestClient[Any, Any]
) -> None:
    """One night serves all: none of them needs to be the first."""
    await stack.run_cycle()
    await _typed(stack.redis, of("redis-cli"))
    for query in [*(command.words[-1] for command in of("psql")), *_sql()]:
        async with stack.pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL search_path TO public, maintenance")
            await connection.fetch(query)
    for command in of("curl"):
        answer = await _asked(client, command)
        assert answer < 400, f"{answer}: {command}"


async def _typed(redis: Redis, typed: list[Command]) -> None:
    # Below the client's own reading of the answers, which knows fewer forms of them than redis-cli.
    connection = await redis.connection_pool.get_connection()
    try:
        for command in typed:
            words = " ".join(command.words).replace("BLOCK 0", "BLOCK 1").split(" ")
            await connection.send_command(*words)
            await connection.read_response()  # raises what Redis refuses
    finally:
        await redis.connection_pool.release(connection)


async def _asked(client: TestClient[Any, Any], command: Command) -> int:
    words = list(command.words)
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
    data = words[words.index("-d") + 1] if "-d" in words else None
    (url,) = [word for word in words if word.startswith("http://")]
    assert urlsplit(url).netloc in ("127.0.0.1:8008", "localhost:8008"), command
    parts = urlsplit(url)
    path = parts._replace(scheme="", netloc="").geturl()
    headers = {} if data is None else {"Content-Type": "application/json"}
    async with client.request(method, path, data=data, headers=headers) as answer:
        return answer.status


def _sql() -> list[str]:
    return [
        fence.text
        for path in PATHS
        if name_of(path) not in FOLLOWED_ELSEWHERE
        for fence in fences(path)
        if fence.language == "sql" and "parquet" not in fence.text  # DuckDB's: tests/export/test_examples.py
    ]


def test_the_python_of_the_documents_is_python() -> None:
    for path in PATHS:
        for fence in fences(path):
            if fence.language == "python":
                compile(fence.text, name_of(path), "exec")


def test_every_document_that_is_followed_elsewhere_is_followed_there() -> None:
    for document, test in FOLLOWED_ELSEWHERE.items():
        assert exists(document)
        assert document.rpartition("/")[2] in (ROOT / test).read_text("utf-8")
