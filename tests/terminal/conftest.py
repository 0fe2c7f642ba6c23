"""Runs the commands as a person at a terminal does: as processes of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.forked_module import Forks, forks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Run = Callable[..., Awaitable[tuple[int, str, str]]]


def environment_without_key() -> dict[str, str]:
    """That of whoever runs the tests, without a key of the vendor's."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}


@pytest.fixture(scope="session")
def forked() -> Iterator[Forks]:
    with forks() as found:
        yield found


@pytest.fixture
def run(forked: Forks, postgres_dsn: str, redis_url: str) -> Run:
    """Runs a module of ours; returns exit code, output and errors."""
    ours = {"DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url}

    async def run_module(module: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
        return await forked.run(module, *arguments, environment={**environment_without_key(), **ours, **environment})

    return run_module
