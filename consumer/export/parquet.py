"""Writes a frame as a Parquet file's bytes, reads back what was written, and reads only what a file says of itself.

Imported only where polars is installed.  Row groups of ROW_GROUP rows with statistics, zstd: rows sorted by symbol let
a reader of one symbol skip the others.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from consumer.export.described import KEY, Described, described
from consumer.export.frames import digest
from consumer.export.place import Spoilt

if TYPE_CHECKING:
    from collections.abc import Callable

ROW_GROUP = 4096
ZSTD_LEVEL = 1
#: A file ends with the length of its footer, 4 bytes, and a magic word of 4.
_END = b"PAR1"
_AFTER_FOOTER = 8
#: More than what is said of a session takes, but for the few that many loads have brought.
LIKELY_FOOTER = 64 << 10


def encode(frame: pl.DataFrame, about: Described) -> bytes:
    """The file; *about* stands in its metadata."""
    into = io.BytesIO()
    frame.write_parquet(
        into,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        row_group_size=ROW_GROUP,
        statistics=True,
        metadata={KEY: msgspec.json.encode(about).decode()},
    )
    return into.getvalue()


def check_of(about: Described) -> Callable[[bytes], None]:
    """Raises Spoilt for the bytes of a file that are not, row for row, what *about* says."""

    def check(body: bytes) -> None:
        try:
            frame = pl.read_parquet(body, hive_partitioning=False)
            said = described(pl.read_parquet_metadata(body).get(KEY))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise Spoilt(f"it cannot be read back: {str(error)[:200]}") from error
        if said != about:
            raise Spoilt("it says something else of itself than was written")
        if frame.height != about.rows or digest(frame) != about.sha256:
            raise Spoilt(f"it holds other rows than were written ({frame.height} of {about.rows})")

    return check


def is_sound(body: bytes) -> bool:
    """Whether a file is by us and holds, row for row, what it says of itself, whichever export wrote it."""
    about = described_in(body)
    if about is None:
        return False
    try:
        check_of(about)(body)
    except Spoilt:
        return False
    return True


def missing_of_footer(tail: bytes) -> int:
    """How many bytes before *tail*, a file's end, its footer still has; 0 where it is whole, or no Parquet at all."""
    if len(tail) < _AFTER_FOOTER or not tail.endswith(_END):
        return 0
    length = int.from_bytes(tail[-_AFTER_FOOTER:-4], "little") + _AFTER_FOOTER
    return max(0, length - len(tail))


def described_in(tail: bytes) -> Described | None:
    """What a file says of itself, of its end with the whole footer; None where it is not by us, or broken."""
    try:
        return described(pl.read_parquet_metadata(tail).get(KEY))
    except (pl.exceptions.PolarsError, OSError):
        return None
