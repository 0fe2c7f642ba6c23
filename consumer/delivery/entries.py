"""What is sent to the task stream and what is read from it."""

from __future__ import annotations

import datetime as dt

import msgspec


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
    lost so many of them that nothing else shall run beside it."""

    entry_id: str
    fields: dict[str, str]
    taken_from: str | None = None
    suspect: bool = False


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
