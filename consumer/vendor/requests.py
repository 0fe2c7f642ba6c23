"""Counts the requests that one piece of work makes, however many pieces run side by side."""

from __future__ import annotations

import contextlib
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_counting: ContextVar[Counter[str] | None] = ContextVar("counting", default=None)


@contextlib.contextmanager
def counted_requests(into: Counter[str] | None = None) -> Iterator[Counter[str]]:
    """Count into the returned Counter, by endpoint, what this task and the tasks it starts send."""
    counts: Counter[str] = Counter() if into is None else into
    token = _counting.set(counts)
    try:
        yield counts
    finally:
        _counting.reset(token)


def note_request(endpoint: str) -> None:
    """Called once for every request that goes out."""
    counts = _counting.get()
    if counts is not None:
        counts[endpoint] += 1
