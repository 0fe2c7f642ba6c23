"""Finds where a chain of sessions is unbroken: no figure that carries on from day to day reads across a hole.

A hole is a session of the calendar that nothing proves to be there. A symbol without a row in a proven session has no
hole: it did not trade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence


def unbroken_since(sessions: Sequence[dt.date], proven: Collection[dt.date]) -> dt.date:
    """Return the first of the proven *sessions* (ascending) that lead to the last one without a hole.

    ValueError where the last one itself is not proven.
    """
    first = None
    for day in reversed(sessions):
        if day not in proven:
            break
        first = day
    if first is None:
        raise ValueError(f"{sessions[-1] if sessions else 'no session'} is not proven")
    return first
