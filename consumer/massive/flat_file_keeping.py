"""Keeps what was downloaded: written beside its place, then renamed: no reader sees half a file or two mixed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from consumer import private_files, this_machine
from consumer.vendor.errors import FlatFilesUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def kept_beside(path: Path, kept_in: Path) -> Iterator[Path]:
    """An empty file beside *path*, made before a byte is asked for: a disk that cannot be written is not filled."""
    unfinished: Path | None = None
    try:
        private_files.private_folder(kept_in)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        unfinished = Path(name)
        yield unfinished
    except OSError as error:
        raise _unkept(path, error) from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def append(path: Path, chunk: bytes) -> None:
    """In the middle of a download a disk that is full must not pass for a bucket that is away."""
    try:
        with path.open("ab") as file:
            file.write(chunk)
    except OSError as error:
        raise _unkept(path, error) from error


def _unkept(path: Path, error: OSError) -> FlatFilesUnusable:
    error.filename = error.filename or os.fspath(path)  # a write that fails names no file
    return FlatFilesUnusable(f"no flat file can be kept: {this_machine.in_words(error)}")


def keep(unfinished: Path, path: Path) -> None:
    """Put the file in place at once, and take earlier versions of the same day away."""
    unfinished.replace(path)
    day = path.name.split(".", 1)[0]
    for older in path.parent.glob(f"{day}.*.csv.gz"):
        if older != path:
            older.unlink(missing_ok=True)
