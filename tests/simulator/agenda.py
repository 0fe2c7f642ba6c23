"""Remembers what is still to come of a fault: a lease that runs out, a frozen worker that wakes, a replacement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec


class FollowUp(msgspec.Struct, kw_only=True):
    """*act* is due at step *at*, or *delay* steps after *once* holds, whichever comes first."""

    what: str
    act: Callable[[], Any]
    at: int
    once: Callable[[], bool] | None = None
    delay: int = 0


class Agenda:
    """All that is to come, in the order of its notice."""

    def __init__(self) -> None:
        self._waiting: list[FollowUp] = []

    def note(self, follow_up: FollowUp) -> None:
        self._waiting.append(follow_up)

    def due(self, step: int) -> list[FollowUp]:
        """Take what is due at *step* from the agenda."""
        for one in self._waiting:
            if one.once is not None and one.once():
                one.at, one.once = min(one.at, step + one.delay), None
        due = [one for one in self._waiting if one.at <= step]
        self._waiting = [one for one in self._waiting if one.at > step]
        return due

    def next(self) -> FollowUp | None:
        """Take the one that comes first, however far away."""
        if not self._waiting:
            return None
        first = min(self._waiting, key=lambda one: one.at)
        self._waiting.remove(first)
        return first


Act = Callable[[], Awaitable[object]]
