"""What is sent to the task stream and what is read from it."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

import msgspec
from redis.exceptions import RedisError

from process.shortened import BEGINNING, Cut, printable, shortened, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# A message of ours has ten fields and some hundred bytes.
MOST_FIELDS = 100
MOST_BYTES = 16_384
# What we add ourselves to a message that is tried again, or sent again by a person, must not make it too large.
ADDED = frozenset({b"attempt", b"waits", b"request", b"requested_by", b"refused_entry"})
ADDED_BYTES = 1_024  # an unreadable one of them could be of any size
# Of an entry that is no message for its size alone.
FIELDS_KEPT = 20
#: The field that says so, last of those that are kept: it marks them as what is left, wherever they are found.
LEFT_OUT = "…"


class CutShort(RedisError):
    """A reply has left out something of an entry that is no larger than a message; it has to be read again, alone."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be sent. The same *key* is never twice under way; due_at None = at once.

    *overtakes*: what waits for its time under the same key may do so for that long from now at most, and is due now
    where it would wait longer. None: the one that waits stays as it is.
    """

    fields: dict[str, str]
    key: str = ""
    due_at: dt.datetime | None = None
    overtakes: dt.timedelta | None = None

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError("a message without a field cannot be sent: XADD refuses it")
        if self.due_at is not None and not self.key:
            raise ValueError("what is due later is kept under its key: give it one")

    def as_script_argument(self) -> dict[str, object]:
        due = 0 if self.due_at is None else int(self.due_at.timestamp() * 1000)
        argument: dict[str, object] = {"key": self.key, "due": due, "fields": flatten(self.fields)}
        if self.overtakes is not None:
            argument["overtakes"] = int(self.overtakes.total_seconds() * 1000)
        return argument


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A stream entry as it was read; *taken_from* names the consumer that let its lease run out, and a *suspect* has
    lost so many of them that nothing else shall run beside it.

    *deliveries*: how often it had been handed out by then. *oversize*: why it is no message, whatever it says; its
    fields are only the beginning of what it had.
    """

    entry_id: str
    fields: dict[str, str]
    taken_from: str | None = None
    suspect: bool = False
    deliveries: int = 1
    oversize: str = ""


def entry_of(
    entry_id: str, fields: Mapping[bytes, bytes], *, size: int | None = None, count: int | None = None
) -> Entry:
    """Return the entry as text; of one that is larger than any message the beginning.

    *size* and *count*, of bytes and fields, where the server has left something out already. Raises CutShort: what
    is left of a message must not pass for the message.
    """
    size = sum(_size(*field) for field in fields.items()) if size is None else size
    count = sum(_count(name) for name in fields) if count is None else count
    added = [_size(*field) for field in fields.items() if field[0] in ADDED]
    if size - min(sum(added), ADDED_BYTES) <= MOST_BYTES and count - len(added) <= MOST_FIELDS:
        if any(isinstance(text, Cut) for text in itertools.chain(fields, fields.values())):
            raise CutShort(f"{entry_id} came cut short: the reply was too long in all")
        return Entry(entry_id=entry_id, fields={_text(name): _text(value) for name, value in fields.items()})
    kept = {_short(name): _short(value) for name, value in itertools.islice(fields.items(), FIELDS_KEPT)}
    kept[LEFT_OUT] = f"{max(0, count - FIELDS_KEPT):,} more fields"
    why = f"{count:,} fields of {size:,} bytes: a message has at most {MOST_FIELDS} fields and {MOST_BYTES:,} bytes"
    return Entry(entry_id=entry_id, fields=kept, oversize=why)


def _size(name: bytes, value: bytes) -> int:
    return size_of(name) if _count(name) > 1 else size_of(name) + size_of(value)


def _count(name: bytes) -> int:
    """How many fields stand for: more than one where the reader has passed over the rest of a list."""
    return name.texts // 2 if isinstance(name, Cut) and name.texts > 1 else 1


def _text(text: bytes) -> str:
    """A byte that is no UTF-8 stays visible as \\xNN."""
    return text.decode("utf-8", "backslashreplace")


def _short(text: bytes) -> str:
    return printable(_text(text)) if isinstance(text, Cut) else shortened(_text(text), BEGINNING)


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken over, and whether a suspect was left that has to run alone."""

    entries: list[Entry]
    suspect_waits: bool


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that this consumer owns: *token* is the fence, *deliveries* counts the times it was handed out."""

    entry: Entry
    token: int
    deliveries: int


def flatten(fields: dict[str, str]) -> list[str]:
    """Return name, value, name, value, …"""
    return [text for pair in fields.items() for text in pair]
