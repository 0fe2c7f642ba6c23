"""Gives many who ask one answer, made once: its bytes and their tag.

However many pages ask, no more than a hundredth of the time is spent on making it: one that took a tenth of a second
stands for ten, unless it is forgotten because something was told, or done, since.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Whoever asks within this time of another gets the same answer: at least, and at most.
SAME_ANSWER_S = 1.0
LONGEST_SAME_S = 10.0
#: As long as it stands, an answer took this share of the time to make.
SHARE_OF_TIME = 0.01


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """JSON as it is sent, and what a browser calls it by."""

    body: bytes
    tag: str


def answer_of(value: object) -> Answer:
    """Return *value* as it is sent."""
    body = msgspec.json.encode(value)
    return Answer(body=body, tag=hashlib.sha256(body).hexdigest()[:16])


class Shared:
    """The answer that *make* gives, for all who ask within `SAME_ANSWER_S`."""

    def __init__(self, make: Callable[[], Awaitable[object]]) -> None:
        self._make = make
        self._turn = asyncio.Lock()
        self._last: Answer | None = None
        self._until = 0.0
        self._forgotten = False

    async def get(self) -> Answer:
        """Return it; whoever asks while it is made waits for it. Raises what *make* raises."""
        async with self._turn:
            clock = asyncio.get_running_loop().time
            began = clock()
            if self._last is None or began >= self._until:
                self._forgotten = False
                self._last = answer_of(await self._make())
                self._until = 0.0 if self._forgotten else began + stands_for(clock() - began)
            return self._last

    def forget(self) -> None:
        """Have the next one who asks get a new answer, also where one is being made."""
        self._until, self._forgotten = 0.0, True


def stands_for(took_s: float) -> float:
    """Seconds that an answer stands that took so many to make."""
    return max(SAME_ANSWER_S, min(LONGEST_SAME_S, took_s / SHARE_OF_TIME) if SAME_ANSWER_S else 0.0)
