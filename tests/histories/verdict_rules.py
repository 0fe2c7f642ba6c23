"""Rules of the verdict: not before its rows, not whole beside an open finding, not older than it was."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.histories.records import CLEAN, WHOLE, FindingTurned, Held, Published

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.histories.checker import Found, Terms
    from tests.histories.records import History

NEVER = float("inf")


def never_precedes_its_rows(history: History, _: Terms) -> Iterator[Found]:
    """Whatever a whole verdict vouches for has been committed when it is published."""
    most: dict[tuple[str, str], Held] = {}
    for record in history:
        match record:
            case Held():
                before = most.get((record.day, record.data_set))
                if before is None or before.rows < record.rows:
                    most[record.day, record.data_set] = record
            case Published() if record.state in WHOLE:
                for data_set, rows in record.claims.items():
                    held = most.get((record.day, data_set))
                    if rows > (0 if held is None else held.rows):
                        known = () if held is None else (held,)
                        yield (
                            f"{record.day} is {record.state} with {rows} rows of {data_set}, committed are "
                            f"{0 if held is None else held.rows}",
                            (*known, record),
                        )


def never_whole_after_a_finding(history: History, terms: Terms) -> Iterator[Found]:
    """Who reads after something was found publishes it, and what was published before is replaced within the bound."""
    for finding, closed_at in _spans(history):
        for published, replaced_at in _published(history, finding.day):
            if published.state not in CLEAN or published.at >= closed_at or replaced_at <= finding.at:
                continue
            if published.as_of >= finding.at:
                yield f"{finding.day} was published as {published.state} beside a finding", (finding, published)
            elif _stays(max(finding.at, published.at), min(replaced_at, closed_at), history, terms):
                yield f"{finding.day} stays {published.state} after a finding", (finding, published)


def _stays(since: float, until: float, history: History, terms: Terms) -> bool:
    """Whether what is wrong from *since* to *until* is so for longer than it may, or for good."""
    if until == NEVER and terms.at_rest:
        return True
    return terms.bound is not None and min(until, history[-1].at) - since > terms.bound


def _spans(history: History) -> Iterator[tuple[FindingTurned, float]]:
    """Every finding, and when it was settled."""
    opened: dict[int, FindingTurned] = {}
    for record in history:
        if isinstance(record, FindingTurned):
            if record.is_open:
                opened.setdefault(record.number, record)
            elif record.number in opened:
                yield opened.pop(record.number), record.at
    for finding in opened.values():
        yield finding, NEVER


def _published(history: History, day: str) -> Iterator[tuple[Published, float]]:
    """Every publication of the day, and when the next one took its place."""
    own = [record for record in history if isinstance(record, Published) and record.day == day]
    for published, following in itertools.zip_longest(own, own[1:]):
        yield published, NEVER if following is None else following.at


def never_left_older(history: History, terms: Terms) -> Iterator[Found]:
    """A verdict read earlier may come in late, as from a frozen process; it does not stay."""
    for day in sorted({record.day for record in history if isinstance(record, Published)}):
        newest: Published | None = None
        for published, replaced_at in _published(history, day):
            if published.state is None:
                continue  # it went with Redis: nobody read that
            older = newest is not None and published.as_of < newest.as_of and published.state != newest.state
            if older and _stays(published.at, replaced_at, history, terms):
                assert newest is not None
                yield f"{day} is {published.state} again, after {newest.state} was read", (newest, published)
            if newest is None or published.as_of >= newest.as_of:
                newest = published
