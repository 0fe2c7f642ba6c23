"""Holds a consumer back while what all its work needs is away: one entry finds that out, and not every one in turn.

Pure: seconds of the loop's clock and randomness are arguments. Nothing is lost by it: entries that nobody has read wait
in the stream. It is closed by failures that are not the work's own (`Policy.RETRY_FREELY`), opened by the first work
that gets through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.delivery.settle import backoff

if TYPE_CHECKING:
    from random import Random


class Brake:
    """How many entries may be begun: all that there are slots for, or one after each of its growing pauses."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._closed_at = 0.0
        self._open_at = 0.0

    @property
    def is_closed(self) -> bool:
        return self._failures > 0

    def admits(self, free: int, *, now: float) -> int:
        """Return how many of *free* slots may be filled now."""
        if not self._failures:
            return free
        return min(free, 1) if now >= self._open_at else 0

    def tried(self, *, now: float) -> None:
        """One was begun to see whether it gets through: the next one waits as long again for its answer."""
        if self._failures:
            self._pause(now)

    def failed(self, *, begun_at: float, now: float) -> None:
        """Work begun at *begun_at* did not get through; what was under way at the first such failure tells no more."""
        if self._failures and begun_at < self._closed_at:
            return
        # By the first failure since it was open: what fails all the time must not keep the rest from opening it.
        self._closed_at = self._closed_at if self._failures else now
        self._failures += 1
        self._pause(now)

    def got_through(self, *, begun_at: float) -> None:
        """Work ended, well or by its own fault. What had begun before it was closed proves nothing of now."""
        if begun_at >= self._closed_at:
            self._failures = 0

    def _pause(self, now: float) -> None:
        self._open_at = now + backoff(self._failures, self._random).total_seconds()
