"""Keeps exported files in a folder: written beside their place, synced, read back, then renamed.

Readers see a file as it was or as it is. One export at a time writes to a folder, which a lock tells that ends with its
process; so what is unfinished at a start is a killed run's, and is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
from typing import TYPE_CHECKING

from consumer import this_machine
from consumer.export.place import PlaceRefused, Spoilt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

UNFINISHED = ".unfinished"
LOCK = ".maintenance-export.lock"


class Folder:
    """A folder of this machine, or one that is mounted here."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock: int | None = None

    @property
    def name(self) -> str:
        return str(self._root)

    async def open(self, folders: Iterable[str]) -> None:
        await asyncio.to_thread(self._open, list(folders))

    def _open(self, folders: list[str]) -> None:
        with self._in_words():
            self._root.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PlaceRefused(f"another export writes to {self._root}: wait for its end, or stop it") from error
            for folder in folders:
                for left in (self._root / folder).rglob(f".*{UNFINISHED}"):
                    left.unlink(missing_ok=True)

    async def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def tail(self, key: str, size: int) -> bytes | None:
        return await asyncio.to_thread(self._tail, self._root / key, size)

    def _tail(self, path: Path, size: int) -> bytes | None:
        with self._in_words(), contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            return file.read()
        return None

    async def put(self, key: str, body: bytes, check: Callable[[bytes], None]) -> None:
        await asyncio.to_thread(self._put, self._root / key, body, check)

    def _put(self, path: Path, body: bytes, check: Callable[[bytes], None]) -> None:
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}{UNFINISHED}")
        with self._in_words():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_synced(unfinished, body)
                if (kept := read_back(unfinished)) != body:
                    raise Spoilt(
                        f"{unfinished} gave back {len(kept)} bytes other than the {len(body)} that were written"
                    )
                check(kept)
                put_in_place(unfinished, path)
            finally:
                unfinished.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self._root)  # a write that fails names no file
            said = this_machine.in_words(error)
            raise PlaceRefused(f"nothing can be exported to {self._root}: {said}; or name another --to-dir") from error


def write_synced(path: Path, body: bytes) -> None:
    """Write a new file, down to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        sync(file.fileno())


def sync(handle: int) -> None:
    """Down to the disk."""
    os.fsync(handle)


def read_back(path: Path) -> bytes:
    """What stands there now."""
    return path.read_bytes()


def put_in_place(unfinished: Path, path: Path) -> None:
    """Give it its name, for good."""
    unfinished.replace(path)
    for folder in (path.parent, path.parent.parent):  # the session's own folder may be new
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync(handle)
        finally:
            os.close(handle)
