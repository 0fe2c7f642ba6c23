"""Writes what nobody but this user may read, and narrows what an earlier release left wider.

A file is made with its mode and put in place whole: there is no moment in which others could open it. A folder that
others may not enter keeps everything in it, whatever its own mode is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from loguru import logger

if TYPE_CHECKING:
    from pathlib import Path

FILE, FOLDER = 0o600, 0o700


def write_private(path: Path, body: bytes) -> None:
    """Put *body* in the place of *path*, whatever was there and however wide it was."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE)
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def private_log(path: Path) -> BinaryIO:
    """Open *path* to write on at its end; where it is not there, it is made for this user alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE), "ab")


def private_folder(path: Path) -> Path:
    """Make *path*, and close it where it is ours and open to others."""
    path.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    narrow(path)
    return path


def narrow(path: Path) -> None:
    """Take from others what they may do with *path*, where it is there; another user's is left to that user."""
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if path.is_symlink() or not found.st_mode & 0o077:
            return
        try:
            path.chmod(found.st_mode & FOLDER)
        except PermissionError:
            logger.warning("file_open_to_others", path=str(path), mode=f"{found.st_mode & 0o777:o}")
