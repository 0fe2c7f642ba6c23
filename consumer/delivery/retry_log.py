"""Tells that deliveries are tried again, one line a cause and some seconds, with how many there were.

A server that is away fails every entry of a stream, and a line for each would bury what a person looks for.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

TOLD_EVERY_S = 10.0
MOST_CAUSES = 100
_CAUSE = re.compile(r"[^:']{1,80}")  # the failure's type; or, of a sentence, what comes before the first name in it


class _Told(msgspec.Struct):
    """When a cause was told last, and how often it came since."""

    at: float
    since: int = 0


class RetryLog:
    """The lines of one consumer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, _Told] = {}

    def retried(self, entry_id: str, *, reason: str, delay: dt.timedelta) -> None:
        """Tell it, unless its cause was told a moment ago; then it is counted in that cause's next line."""
        now, cause = self._clock(), _cause_of(reason)
        told = self._told.get(cause)
        if told is not None and now - told.at < TOLD_EVERY_S:
            told.since += 1
            return
        if len(self._told) >= MOST_CAUSES:
            self._told.clear()
        self._told[cause] = _Told(at=now)
        logger.info(
            "delivery_retried_later",
            entry_id=entry_id,
            reason=reason,
            delay_s=round(delay.total_seconds(), 2),
            more_since_the_last_line=0 if told is None else told.since,
        )


def _cause_of(reason: str) -> str:
    found = _CAUSE.match(reason)
    return re.sub(r"\d+", "*", found[0] if found else reason[:80])
