"""Keeps the data directory to one service, and its directories and sockets to one user.

A unix socket's path must fit into about a hundred bytes, however deep the project lies: where the server's
own directory is too deep, its socket lives in a short one named after it, checked to be ours and mode 0700.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from consumer.embedded.errors import DataDirInUse, EmbeddedUnavailable

if TYPE_CHECKING:
    from types import TracebackType

    from consumer.embedded.child_process import Account

LONGEST_SOCKET_PATH = 99
TRAVERSABLE = 0o711
LOOK = "look"
WRITTEN_WITHIN_S = 0.05  # between the lock and the word the file has the last holder's, or none


class DataDirLock:
    """Held by `maintenance run` while it works on a data directory; ends with the process, even by kill -9.

    *look*: held by a command that reads what a run has left, for as long as it takes; whoever wants it may wait.
    """

    def __init__(self, data_dir: Path, *, look: bool = False) -> None:
        self._path = data_dir / "lock"
        self._look = look
        self._descriptor: int | None = None

    def acquire(self) -> None:
        make_data_dir(self._path.parent)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner, word = _holder(descriptor)
            os.close(descriptor)
            raise _in_use(self._path.parent, owner, by_a_look=word == LOOK) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}{f' {LOOK}' if self._look else ''}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        if self._descriptor is None:
            self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _holder(descriptor: int) -> tuple[str, str]:
    """The process that holds the lock, and its word; who has only just taken it is given the time to write them."""
    owner, word = _written(descriptor)
    if word != LOOK:
        time.sleep(WRITTEN_WITHIN_S)
        owner, word = _written(descriptor)
    return owner or "unknown", word


def _written(descriptor: int) -> tuple[str, str]:
    owner, _, word = os.pread(descriptor, 20, 0).decode(errors="replace").strip().partition(" ")
    return owner, word


def _in_use(data_dir: Path, owner: str, *, by_a_look: bool) -> DataDirInUse:
    told = (
        f"{data_dir} is held: a command (process {owner}) is looking into it: wait until it has ended, or end it."
        if by_a_look
        else f"{data_dir} is in use by another data-maintenance service (process {owner}): stop that one, or give this "
        "one its own DATA_DIR."
    )
    return DataDirInUse(told, by_a_look=by_a_look)


def make_data_dir(path: Path) -> None:
    """Create the directory above the servers' own; as root another user's server must get through it."""
    path.mkdir(parents=True, exist_ok=True, mode=TRAVERSABLE if os.geteuid() == 0 else stat.S_IRWXU)


def private_directory(path: Path, account: Account | None = None) -> Path:
    """Create *path* with mode 0700 for us (or *account*); refuse one that is someone else's."""
    uid = account.uid if account else os.geteuid()
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if account:
            os.chown(path, account.uid, account.gid)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise EmbeddedUnavailable(
            f"{path} belongs to user {found.st_uid}, but the server would run as user {uid}: "
            "start the service as the user who made it, or give it another DATA_DIR."
        )
    path.chmod(0o700)
    return path


def socket_directory(home: Path, socket_name: str, account: Account | None = None) -> Path:
    """A private directory in which *socket_name* has a short path: *home* itself where that will do."""
    if fits(home, socket_name):
        return home
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    for parent in short_directories(account):
        directory = parent / f"dm-{digest}"
        if fits(directory, socket_name):
            return private_directory(directory, account)
    raise EmbeddedUnavailable(f"{home} is no place for a unix socket: set TMPDIR to a short path.")


def fits(directory: Path, socket_name: str) -> bool:
    """Short enough; and without a comma, at which PostgreSQL's clients take a host for several."""
    path = os.fsencode(directory / socket_name)
    return len(path) <= LONGEST_SOCKET_PATH and b"," not in path


def short_directories(account: Account | None) -> list[Path]:
    """Where short socket paths may live; another account cannot enter our runtime directory."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    mine = [Path(runtime)] if runtime and account is None and os.access(runtime, os.W_OK) else []
    return [*mine, Path(tempfile.gettempdir()), Path("/tmp")]
