"""Refuses a flat file that is no file of bars before anything reads it: it would be unpacked as it is read.

An honest one has two million lines of 64 bytes, 130 MB in some 35 MB of gzip; the bounds are some eight times that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.vendor.errors import AnswerTooLarge, BadAnswer, ProviderUnavailable
from consumer.vendor.gunzip import Gunzip

if TYPE_CHECKING:
    from pathlib import Path

_MB = 1 << 20


class FileBound(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a file may be."""

    packed: int = 256 * _MB
    unpacked: int = 1024 * _MB
    lines: int = 20_000_000
    line: int = 2 * _MB
    members: int = 20_000  # bgzip makes one of every 64 KiB


BOUND = FileBound()


def check_flat_file(path: Path, bound: FileBound | None = None) -> None:
    """Read *path* to its end in pieces. Raises BadAnswer, or OSError; for a thread, half a second for an honest one."""
    bound = bound or BOUND
    unpacked = lines = since_line = 0
    gunzip = Gunzip(f"the flat file {path.name}", piece=_MB, most_members=bound.members)
    with path.open("rb") as file:
        if path.stat().st_size > bound.packed:
            raise AnswerTooLarge(f"the flat file {path.name} is longer than {bound.packed} bytes")
        while chunk := file.read(_MB):
            for piece in gunzip.fed(chunk):
                unpacked += len(piece)
                ended = piece.count(b"\n")
                lines += ended
                since_line = 0 if ended else since_line + len(piece)
                if unpacked > bound.unpacked or lines > bound.lines or since_line > bound.line:
                    raise AnswerTooLarge(f"the flat file {path.name} unpacks to more than a market's bars can be")
    try:
        gunzip.finish()
    except ProviderUnavailable as error:
        raise BadAnswer(str(error)) from error
