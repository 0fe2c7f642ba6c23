"""Hurts servers: stops, kills, freezes, starves them and puts back what they knew earlier."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumer.embedded.keep_alive import EmbeddedServer
    from consumer.embedded.redis_server import EmbeddedRedis


async def killed(server: EmbeddedServer) -> None:
    """SIGKILL, and wait for the end."""
    os.kill(server.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    await server.ended()


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """SIGSTOP until the block ends: connections stay open and nobody answers."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def backup_of(server: EmbeddedRedis, folder: Path) -> Path:
    """A copy of what the server would know if it crashed now."""
    copy = folder / "backup"
    shutil.copytree(append_only(server), copy)
    return copy


async def restore(server: EmbeddedRedis, copy: Path) -> None:
    """Kill the server and start it with an earlier state."""
    await killed(server)
    shutil.rmtree(append_only(server))
    shutil.copytree(copy, append_only(server))
    await server.start()


def append_only(server: EmbeddedRedis) -> Path:
    return server.socket_path.parent / "appendonlydir"
