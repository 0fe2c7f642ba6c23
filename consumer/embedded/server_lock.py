"""Holds one server per directory, and ends a server that an earlier run has left behind.

The lock is a `flock` whose descriptor the server inherits and never closes: it is held exactly as long as
the server or one of its own children lives, whatever became of the process that started it. A process id in
a file can name a stranger after a reboot; this cannot. Whoever gets the lock knows no server of ours is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from consumer.embedded.child_process import GLANCE_S, command_name
from consumer.embedded.errors import ServerFailed

if TYPE_CHECKING:
    from consumer.embedded.child_process import Steps


async def take_server_lock(path: Path, *, end_leftover: Steps) -> int:
    """Return a locked descriptor for the new server; a leftover server is sent *end_leftover* first."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not locked(lock):
            await end_holder(path, lock, end_leftover)
    except BaseException:
        os.close(lock)
        raise
    return lock


def locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def end_holder(path: Path, lock: int, steps: Steps) -> None:
    logger.bind(lock=str(path), pid=holder(lock)).warning("ending an embedded server that an earlier run left")
    for number, patience in steps:
        if (pid := holder(lock)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(lock_freed(lock), patience.total_seconds())
            return
    raise ServerFailed(f"a server of an earlier run still holds {path} and does not end: `fuser -k {path}`")


async def lock_freed(lock: int) -> None:
    while not locked(lock):  # noqa: ASYNC110 - the kernel sends no event for this
        await asyncio.sleep(GLANCE_S)


def holder(lock: int) -> int | None:
    """The process that wrote its id into the lock file, if it is still that process."""
    with contextlib.suppress(ValueError, OSError):
        pid = int(os.pread(lock, 20, 0))
        return pid if pid > 1 and holds(pid, lock) else None
    return None


def holds(pid: int, lock: int) -> bool:
    """Whether *pid* has the lock file open; elsewhere than on Linux, whether it is a server at all."""
    if sys.platform != "linux":
        return command_name(pid) in {"valkey-server", "postgres", "initdb"}
    ours = os.fstat(lock)
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(descriptor.stat(), ours):
                return True
    return False
