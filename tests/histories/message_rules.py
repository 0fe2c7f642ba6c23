"""Rules of messages: who may end one, and what has to be true before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.histories.records import OPEN, Asked, Buried, CycleTurned, Gone, PartTurned, Taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.histories.checker import Found, Terms
    from tests.histories.records import History


def holder_ends(history: History, _: Terms) -> Iterator[Found]:
    """Nobody acknowledges what somebody else holds."""
    for record in history:
        if isinstance(record, Gone) and not record.withdrawn and record.holder not in (None, record.by):
            yield f"{record.by} ended {record.entry}, which {record.holder} held", (record,)


def goes_after_its_end(history: History, _: Terms) -> Iterator[Found]:
    """A part's message goes only when the part has ended, its cycle does not run, or another message leads to it.

    A message names the part and not the pass: from the second pass on it may be the last pass's, acknowledged late.
    """
    parts: dict[tuple[int, str], PartTurned] = {}
    cycles: dict[int, CycleTurned] = {}
    for record in history:
        match record:
            case PartTurned():
                parts[record.cycle, record.part] = record
            case CycleTurned():
                cycles[record.cycle] = record
            case Gone(cycle=int(), part=str()) if not (record.leads or record.withdrawn):
                part, cycle = parts.get((record.cycle, record.part)), cycles.get(record.cycle)
                if part is None or cycle is None or cycle.state != "running" or part.run_pass > 1:
                    continue
                if part.state in OPEN:
                    yield f"{record.by} ended the message of {record.cycle}/{record.part}, {part.state}", (part, record)


def request_is_served(history: History, _: Terms) -> Iterator[Found]:
    """A request goes only when there is a cycle that serves it, or a dead letter that says why not."""
    asked: dict[str, Asked] = {}
    buried: set[str] = set()
    served: set[str] = set()
    for record in history:
        match record:
            case Asked():
                asked[record.entry] = record
            case Buried():
                buried.add(record.entry)
            case CycleTurned():
                served.add(record.day)
            case Gone() if record.part is None and not record.leads and record.entry in asked:
                day = asked[record.entry].day
                by_a_cycle = day in served if day is not None else bool(served)
                if not by_a_cycle and record.entry not in buried:
                    yield f"{record.by} ended a request that nobody has served", (asked[record.entry], record)


def requests_end(history: History, terms: Terms) -> Iterator[Found]:
    """At rest no request is left, and none has two ends; one that a fault brings back may have another."""
    asked: dict[str, Asked] = {}
    ended: dict[str, Gone] = {}
    taken: set[str] = set()
    for record in history:
        match record:
            case Asked():
                asked[record.entry] = record
                ended.pop(record.entry, None)
            case Taken():
                taken.add(record.entry)
            case Gone() if record.entry in asked:
                if record.entry in ended:
                    yield f"{record.entry} left the stream twice", (ended[record.entry], record)
                ended[record.entry] = record
    if terms.at_rest:
        for entry in sorted(asked.keys() - ended.keys() - taken):
            yield f"{entry} was never ended", (asked[entry],)
