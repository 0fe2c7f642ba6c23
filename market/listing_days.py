"""Says from which trading day on a symbol stands as it does, by what proves it best.  Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """How a symbol stood from a day on: listed or not, and why."""

    first: dt.date
    is_listed: bool
    state: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a symbol that stands otherwise than it did.

    *day*: the trading day of what showed it. *came_on*: the first session expected of one that came, where that is
    known. *since*: its company's first session. *renamed_on*: its company's first session under another symbol.
    """

    day: dt.date
    is_listed: bool
    state: str
    last_seen: dt.date
    came_on: dt.date | None = None
    since: dt.date | None = None
    delisted_on: dt.date | None = None
    renamed_on: dt.date | None = None
    last_traded: dt.date | None = None


def stands_since(
    seen: Seen, was: Stand | None, *, begins: dt.date, next_session: Callable[[dt.date], dt.date]
) -> dt.date:
    """Return the first day on which it stands as *seen*; *was* is how it stood, *begins* the first day of all history.

    Gone is a symbol from the vendor's day on, never before the session after it was last listed or last traded.
    """
    if seen.is_listed:
        return _listed_since(seen, was, begins=begins)
    match seen.state:
        case "renamed":
            return seen.renamed_on or seen.day
        case "delisted" | "unlisted":
            proven = next_session(max(seen.last_seen, seen.last_traded or dt.date.min))
            return max(proven, seen.delisted_on or dt.date.min)
        case _:
            return seen.day


def _listed_since(seen: Seen, was: Stand | None, *, begins: dt.date) -> dt.date:
    if was is None:
        known = seen.since if seen.since is not None and seen.since >= begins else None
        return known or seen.came_on or seen.day
    if was.state == "renamed" and seen.renamed_on != was.first:
        return was.first  # it never was
    if was.is_listed or seen.came_on is None or seen.came_on < was.first:
        return seen.day
    return seen.came_on
