"""Gives many who ask at the same moment one answer, made once: its bytes and their tag."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Whoever asks within this time of another gets the same answer.
SAME_ANSWER_S = 1.0


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
        self._last: tuple[float, Answer] | None = None

    async def get(self) -> Answer:
        """Return it; whoever asks while it is made waits for it. Raises what *make* raises."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._last is None or now - self._last[0] >= SAME_ANSWER_S:
                self._last = (now, answer_of(await self._make()))
            return self._last[1]

    def forget(self) -> None:
        """Have the next one who asks get a new answer."""
        self._last = None
