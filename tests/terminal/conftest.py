"""Runs the commands as a person at a terminal does: as processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Run = Callable[..., Awaitable[tuple[int, str, str]]]


def environment_without_key() -> dict[str, str]:
    """That of whoever runs the tests, without a key of the vendor's."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}


@pytest.fixture
def run(postgres_dsn: str, redis_url: str) -> Run:
    """Runs a module of ours; returns exit code, output and errors."""

    async def run_module(module: str, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
            env={**environment_without_key(), "DATABASE_URL": postgres_dsn, "REDIS_URL": redis_url, **environment},
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    return run_module
