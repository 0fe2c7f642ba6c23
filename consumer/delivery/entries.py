"""What is sent to the task stream and what is read from it."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Self

import msgspec
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.delivery.channel import Channel

# A message of ours has ten fields and some hundred bytes.
MOST_FIELDS = 100
MOST_BYTES = 16_384
ADDED_BYTES = 1_024  # of the channel's own fields, beside that: an unreadable one of them could be of any size
# Of an entry that is no message for its size alone.
FIELDS_KEPT = 20
#: The field that says so, last of those that are kept: it marks them as what is left, wherever they are found.
LEFT_OUT = "…"


#: A key that begins so is no work's: only what has to wait under some name. Known to prelude.lua.
NAMELESS = "nameless:"


class CutShort(RedisError):
    """A reply has left out something of an entry that is no larger than a message; it has to be read again, alone."""


class Unread(bytes):
    """The beginning of a text of *size* bytes that no reply brings, with that in words behind it."""

    size: int
    texts = 1

    def __new__(cls, beginning: bytes, *, size: int) -> Self:
        made = super().__new__(cls, beginning + f"… ({size:,} bytes, too many to be read)".encode())
        made.size = size
        return made


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
    entry_id: str,
    fields: Mapping[bytes, bytes],
    channel: Channel,
    *,
    size: int | None = None,
    count: int | None = None,
) -> Entry:
    """Return the entry as text; of one that is larger than any message the beginning.

    *size* and *count*, of bytes and fields, where the server has left something out already. Raises CutShort: what
    is left of a message must not pass for the message.
    """
    size = sum(_size(*field) for field in fields.items()) if size is None else size
    count = sum(_count(name) for name in fields) if count is None else count
    added = [_size(*field) for field in fields.items() if field[0] in channel.added]
    if size - min(sum(added), ADDED_BYTES) <= MOST_BYTES and count - len(added) <= MOST_FIELDS:
        if any(_is_cut(text) for text in itertools.chain(fields, fields.values())):
            raise CutShort(f"{entry_id} came cut short: the reply was too long in all")
        return Entry(entry_id=entry_id, fields={_text(name): _text(value) for name, value in fields.items()})
    kept = {channel.shown(name): channel.shown(value) for name, value in itertools.islice(fields.items(), FIELDS_KEPT)}
    kept[LEFT_OUT] = f"{max(0, count - FIELDS_KEPT):,} more fields"
    why = f"{count:,} fields of {size:,} bytes: a message has at most {MOST_FIELDS} fields and {MOST_BYTES:,} bytes"
    return Entry(entry_id=entry_id, fields=kept, oversize=why)


def _is_cut(text: bytes) -> bool:
    """A client that reads in bounded memory gives what was too long as bytes of a kind of its own, with the *size* that
    it had, and as *texts* of how many texts it stands, where a list was too long."""
    return type(text) is not bytes


def _size_of(text: bytes) -> int:
    return int(getattr(text, "size", len(text)))


def _size(name: bytes, value: bytes) -> int:
    return _size_of(name) if _count(name) > 1 else _size_of(name) + _size_of(value)


def _count(name: bytes) -> int:
    """How many fields stand for: more than one where the reader has passed over the rest of a list."""
    texts: int = getattr(name, "texts", 1)
    return texts // 2 if texts > 1 else 1


def _text(text: bytes) -> str:
    """A byte that is no UTF-8 stays visible as \\xNN."""
    return text.decode("utf-8", "backslashreplace")


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken over, and whether a suspect was left that has to run alone."""

    entries: list[Entry]
    suspect_waits: bool


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry asks for, read once by the handler: all that delivery needs to know of it, and its *message*.

    *key*: the identity of the work, which is never twice under way; without one it is always new work. *refusal*: why
    it is no message, where that can be said without asking anybody. *newer*: its version, in words, where only a newer
    worker knows that one; *lost*: how often it was handed out without an end before it was put off for that.
    """

    key: str = ""
    attempt: int = 1
    waits: int = 0
    refusal: str = ""
    newer: str = ""
    lost: int = 0
    message: object = None


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An entry and the work that it asks for."""

    entry: Entry
    work: Work


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that this consumer owns: *token* is the fence, *deliveries* counts the times it was handed out."""

    entry: Entry
    token: int
    deliveries: int
    work: Work = Work()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is given up: why, when, and its own fields as they were; the handler makes its dead letter."""

    stream: str
    entry_id: str
    reason: str
    deliveries: int
    at: dt.datetime
    fields: dict[str, str] = {}

    @classmethod
    def of(cls, entry: Entry, stream: str, reason: str, *, at: dt.datetime, deliveries: int | None = None) -> Self:
        fields = dict(itertools.islice(entry.fields.items(), MOST_FIELDS))
        count = entry.deliveries if deliveries is None else deliveries
        return cls(stream=stream, entry_id=entry.entry_id, reason=reason, deliveries=count, at=at, fields=fields)


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that goes without a delivery, the key that it may stand for, and the fields of its dead letter."""

    entry_id: str
    key: str = ""
    letter: dict[str, str] | None = None


def flatten(fields: dict[str, str]) -> list[str]:
    """Return name, value, name, value, …"""
    return [text for pair in fields.items() for text in pair]
