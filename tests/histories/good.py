"""A history in which everything goes well, and one after the other goes wrong on the way: what the rules begin from."""

from __future__ import annotations

from tests.histories.records import (
    Asked,
    Begun,
    Buried,
    CycleTurned,
    Faulted,
    FindingTurned,
    Gone,
    Held,
    History,
    PartTurned,
    Published,
    Taken,
    Written,
)

DAY = "2025-11-11"


def turned(at: float, part: str, state: str, *, run_pass: int = 1) -> PartTurned:
    return PartTurned(at=at, cycle=1, part=part, state=state, run_pass=run_pass)


def published(at: float, state: str | None, *, rows: int = 0, as_of: float | None = None) -> Published:
    claims = {"bars": rows} if rows else {}
    return Published(at=at, day=DAY, state=state, claims=claims, as_of=at - 0.5 if as_of is None else as_of)


def gone(at: float, entry: str, *, part: str | None = None, by: str = "w1", leads: bool = False) -> Gone:
    return Gone(at=at, entry=entry, by=by, holder=by, cycle=None if part is None else 1, part=part, leads=leads)


def good_history() -> History:
    """A request is served, a part is taken over from a frozen holder, something is found and settled."""
    return [
        Asked(at=1, entry="1-0", day=DAY),
        Asked(at=2, entry="1-1", day="yesterday"),
        CycleTurned(at=3, cycle=1, day=DAY, state="running", run_pass=1),
        turned(4, "bars", "ready"),
        turned(5, "finish", "blocked"),
        gone(6, "1-0"),
        Begun(at=7, cycle=1, part="bars", fence=1, by="w1"),
        turned(8, "bars", "running"),
        published(9, "partial"),
        Faulted(at=10, kind="freeze"),
        Begun(at=11, cycle=1, part="bars", fence=2, by="w2"),
        Buried(at=12, entry="1-1"),
        gone(13, "1-1"),
        Written(at=14, cycle=1, part="bars", fence=2, rows=3),
        Held(at=14, day=DAY, data_set="bars", rows=3),
        turned(14, "bars", "done"),
        turned(14, "finish", "ready"),
        gone(15, "1-2", part="bars", by="w2"),
        published(16, "provisional", rows=3),
        FindingTurned(at=17, number=1, day=DAY, is_open=True),
        published(18, "suspect", rows=3),
        published(19, "provisional", rows=3, as_of=16.5),  # a frozen process wakes
        published(20, "suspect", rows=3),
        Begun(at=21, cycle=1, part="finish", fence=3, by="w1"),
        turned(22, "finish", "done"),
        CycleTurned(at=22, cycle=1, day=DAY, state="complete", run_pass=1),
        Taken(at=23, entry="1-3"),
        FindingTurned(at=24, number=1, day=DAY, is_open=False),
        published(25, "final", rows=3),
    ]
