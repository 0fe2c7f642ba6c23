"""Counts what is refused: the first of a minute are told and settled one by one, what comes beyond them all together.

A stream is open to everybody. A hundred thousand entries that are no messages must cost no slots, no hundred thousand
lines, and none of the time of the message behind them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Callable

# Lines a minute that a person still reads, and entries that one reply may hold: the server puts it together in memory.
TOLD_SINGLY = 10
TOLD_EVERY_S = 60.0
MOST_AT_ONCE = 500


class Flood:
    """The refusals of one reader of *stream*."""

    def __init__(self, stream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._since = clock()
        self._met = 0
        self._told_at: float | None = None
        self._together = 0
        self._last = ""
        self.more = 0  # how many entries may be read beyond the free slots: about as many as were junk

    def rises(self, refused: int, *, giants: int = 0) -> bool:
        """Whether with so many more of the entries just read this minute has too many of them for a line each.

        Where *giants* are among them no more are asked for at once: the server puts the whole reply into its memory.
        """
        now = self._clock()
        if now - self._since >= TOLD_EVERY_S:
            self._since, self._met = now, 0
        self._met += refused
        rises = self._met > TOLD_SINGLY
        self.more = min(MOST_AT_ONCE, 2 * refused) if rises and not giants else 0
        return rises and refused > 0

    def read_failed(self) -> None:
        """It may have been too much at once."""
        self.more = 0

    def refused(self, count: int, *, reason: str) -> None:
        """They were, without a line of their own."""
        self._together += count
        self._last = reason
        self.tell()

    def tell(self, *, at_once: bool = False) -> None:
        """How many there were: at the first of them, then once a minute."""
        now = self._clock()
        soon = self._told_at is not None and now - self._told_at < TOLD_EVERY_S
        if not self._together or (soon and not at_once):
            return
        since_s = None if self._told_at is None else round(now - self._told_at, 1)
        logger.error(
            "entries_refused",
            stream=self._stream,
            entries=self._together,
            since_the_last_line_s=since_s,
            reason=self._last,
            runbook="dead-letters",
        )
        self._told_at, self._together = now, 0
