"""Holds what a file says of itself, beside its rows: of what they are, how sound, and since when.

It stands as JSON under one key of the Parquet file's own metadata, so that rows and what is said of them are one file:
neither can be there without the other. docs/export.md has the table of its fields.
"""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec

#: Under which key of the file's metadata it stands.
KEY = "maintenance"
FORMAT = 1
_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds.

    *state* and *condition* are those of the data set, None where it has no verdict of its own; *session_state* and
    *session_condition* those of the session in all, None of a table that describes the present. *sha256* is that of the
    rows (see frames.digest), *stamp* changes with whatever makes the file another one.
    """

    data_set: str
    table: str
    trading_day: dt.date | None
    state: str | None
    condition: str | None
    session_state: str | None
    session_condition: str | None
    final: bool
    rows: int
    loads: tuple[int, ...]
    covered_by: int | None
    fetched_at: dt.datetime | None
    source: str
    columns: dict[str, str]
    schema_version: int
    exported_at: dt.datetime
    sha256: str = ""
    stamp: str = ""
    format: int = FORMAT

    def stamped(self, content: str) -> Described:
        """The same with its stamp; *content* is what the database's own hash of the rows is."""
        # Neither the moment nor the program's version: the same rows under a newer release are the same file.
        same = msgspec.structs.replace(self, exported_at=_NEVER, schema_version=0, sha256="", stamp=content)
        return msgspec.structs.replace(self, stamp=hashlib.sha256(msgspec.json.encode(same)).hexdigest())


def described(text: str | bytes | None) -> Described | None:
    """What a file's metadata says; None where it is not by us, or of another format."""
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text, type=Described)
    except msgspec.DecodeError:
        return None
    return found if found.format == FORMAT else None
