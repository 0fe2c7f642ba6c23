"""Names what one task stream is made of in Redis: handed in by whoever uses delivery, which knows no name itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

SHOWN = 200


def beginning_of(text: bytes) -> str:
    """What is kept of a text that is too long to be taken in, where nobody says better; always printable."""
    words = text.decode("utf-8", "backslashreplace")
    shown = words if len(words) <= SHOWN or type(text) is not bytes else f"{words[:SHOWN]}… ({len(text):,} bytes)"
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in shown)


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one task stream and its consumer group, and what its messages are allowed.

    *dead_kept*: about how many dead letters stay. *beside*: other streams that have the group. *added*: fields that we
    add ourselves to what is tried again, which must not make a message too large. *shown*: what is kept, printable, of
    a text of an entry that is too large.
    """

    stream: str
    group: str
    later: str
    later_messages: str
    queued: str
    dead: str
    fence: str
    heard: str
    dead_kept: int = 10_000
    beside: tuple[str, ...] = ()
    added: frozenset[bytes] = frozenset()
    shown: Callable[[bytes], str] = beginning_of

    @classmethod
    def under(cls, prefix: str) -> Self:
        """Every key below *prefix*, the group called *prefix* itself."""
        return cls(
            stream=f"{prefix}:stream",
            group=prefix,
            later=f"{prefix}:later",
            later_messages=f"{prefix}:later:messages",
            queued=f"{prefix}:queued",
            dead=f"{prefix}:dead",
            fence=f"{prefix}:fence",
            heard=f"{prefix}:heard",
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """What the scripts get as KEYS: prelude.lua says which is which."""
        return (self.stream, self.later, self.later_messages, self.queued, self.dead, self.fence, self.heard)
