"""Holds the migrations that come with this program, each a half of a change, and the version that they give it.

What comes *before* a deployment only adds, so that the release before goes on beside the new one, and can be gone back
to. What comes *after* it takes away what only older programs read, and names the oldest one that it still serves.
"""

from __future__ import annotations

import functools
import hashlib
import re
from enum import Enum
from importlib.resources import files

import msgspec

_NAME = re.compile(r"([0-9]{4})_[a-z0-9_]+(?:\.(before|after))?\.sql")
_SERVES = re.compile(r"^-- Serves programs from ([0-9]+) on\.$", re.MULTILINE)


class Half(Enum):
    """When it is applied: by whichever new program starts first, or once nobody wants to go back."""

    BEFORE = "before"
    AFTER = "after"


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One SQL file; *checksum* is the SHA-256 of its text."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def number(self) -> int:
        """The version of the first program that has it; files up to 0013 are named without a half."""
        return number_of(self.name)

    @property
    def half(self) -> Half:
        match = _NAME.fullmatch(self.name)
        return Half.AFTER if match is not None and match[2] == "after" else Half.BEFORE

    @property
    def serves(self) -> int | None:
        """The oldest program that works once it is applied; None: every one that worked before it."""
        match = _SERVES.search(self.sql)
        return int(match[1]) if match is not None else None


def number_of(name: str) -> int:
    """The number that a migration's *name* begins with; 0 where it has none."""
    match = re.match(r"[0-9]{4}", name)
    return int(match[0]) if match is not None else 0


@functools.cache
def _read() -> tuple[Migration, ...]:
    folder = files("consumer.postgres") / "migrations"
    found = [Migration(name=f.name, sql=f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")]
    # Of one number the half before comes first.
    return tuple(sorted(found, key=lambda one: (one.number, one.half is Half.AFTER, one.name)))


def migrations() -> list[Migration]:
    """Return the packaged migrations in the order in which a new database gets them."""
    return list(_read())


def version() -> int:
    """The version of this program: the number of its newest migration."""
    return migrations()[-1].number
