"""Rules of the ledger: one commit a part and pass, under the newest token, and an end for everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.histories.records import OPEN, OVER, Begun, CycleTurned, PartTurned, Written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.histories.checker import Found, Terms
    from tests.histories.records import History

Part = tuple[int, str]


def commits_once(history: History, _: Terms) -> Iterator[Found]:
    """A part is done at most once in each pass."""
    done: dict[tuple[int, str, int], PartTurned] = {}
    for record in history:
        if isinstance(record, PartTurned) and record.state == "done":
            key = (record.cycle, record.part, record.run_pass)
            if key in done:
                yield f"{record.cycle}/{record.part} was done twice in pass {record.run_pass}", (done[key], record)
            done[key] = record


def fences_grow(history: History, _: Terms) -> Iterator[Found]:
    """Each token of a part is greater than those before it."""
    newest: dict[Part, Begun] = {}
    for record in history:
        if isinstance(record, Begun):
            before = newest.get((record.cycle, record.part))
            if before is not None and record.fence <= before.fence:
                yield f"{record.cycle}/{record.part}: {record.fence} after {before.fence}", (before, record)
            newest[record.cycle, record.part] = record


def newest_fence_writes(history: History, _: Terms) -> Iterator[Found]:
    """Whoever was followed commits nothing."""
    newest: dict[Part, Begun] = {}
    for record in history:
        match record:
            case Begun():
                known = newest.get((record.cycle, record.part))
                if known is None or known.fence < record.fence:
                    newest[record.cycle, record.part] = record
            case Written():
                begun = newest.get((record.cycle, record.part))
                if begun is None:
                    yield f"{record.cycle}/{record.part} wrote rows and was never begun", (record,)
                elif begun.fence != record.fence:
                    yield (
                        f"{record.cycle}/{record.part} wrote under {record.fence}, followed by {begun.fence}",
                        (begun, record),
                    )


def ended_stays_ended(history: History, _: Terms) -> Iterator[Found]:
    """What has ended in a pass does not begin again in that pass."""
    ended: dict[tuple[int, str, int], PartTurned] = {}
    for record in history:
        if not isinstance(record, PartTurned):
            continue
        key = (record.cycle, record.part, record.run_pass)
        if record.state not in OPEN:
            ended[key] = record
        elif key in ended:
            yield f"{record.cycle}/{record.part} is {record.state} after its end", (ended[key], record)


def everything_ends(history: History, terms: Terms) -> Iterator[Found]:
    """At rest no part is open and no cycle is under way."""
    if not terms.at_rest:
        return
    last: dict[object, CycleTurned | PartTurned] = {}
    for record in history:
        match record:
            case CycleTurned():
                last[record.cycle] = record
            case PartTurned():
                last[record.cycle, record.part] = record
    for known in last.values():
        match known:
            case PartTurned() if known.state in OPEN:
                yield f"{known.cycle}/{known.part} is left {known.state}", (known,)
            case CycleTurned() if known.state not in OVER:
                yield f"cycle {known.cycle} is left {known.state}", (known,)
