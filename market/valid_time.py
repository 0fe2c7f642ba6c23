"""Carries the history of one symbol on: from which day to which something was so, as it is known now.  Pure.

A span holds from its first day up to the day before `until`; a symbol's spans never overlap. What is learned late
replaces what was believed of those days. Which company had a symbol when follows `since`, its company's first session:
where that moves, the spans move along.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The end of what is so at present; PostgreSQL's 'infinity'.
OPEN = dt.date.max


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is so of a symbol: its company's *codes* and first session, and all that is told of it beside.

    *noted* is kept with them and opens no span by itself: on which day a number was first given, for example.
    """

    codes: tuple[str | None, ...] = ()
    since: dt.date | None = None
    told: tuple[Any, ...] = ()
    noted: tuple[Any, ...] = ()

    def same_as(self, other: Facts) -> bool:
        """Whether nothing has changed between the two."""
        return (self.codes, self.since, self.told) == (other.codes, other.since, other.told)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """*facts* were so from *first* on, up to the day before *until*; *known* says which load brought them, and when."""

    first: dt.date
    until: dt.date = OPEN
    facts: Facts
    known: tuple[int | None, dt.datetime]


def carry(spans: Sequence[Span], now: Span, *, begins: dt.date) -> list[Span]:
    """Return *spans*, ascending, brought to what is so by *now*, whose first day is that of the change.

    *begins* is the first day of all history: nothing is said of a day before it.
    """
    own = list(spans)
    first = now.first
    if own and own[-1].until == OPEN and own[-1].facts.since != now.facts.since:
        own, first = _of_its_company(own, now, begins=begins)
    first = max(first, begins)
    if own and own[-1].until == OPEN and own[-1].facts.same_as(now.facts):
        return merged(own)
    return merged([*cut(own, first), msgspec.structs.replace(now, first=first, until=OPEN)])


def cut(spans: Sequence[Span], day: dt.date) -> list[Span]:
    """Return *spans* without anything from *day* on."""
    return [msgspec.structs.replace(one, until=min(one.until, day)) for one in spans if one.first < day]


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return *spans* with those that say the same one after the other as one."""
    found: list[Span] = []
    for one in spans:
        if found and found[-1].until == one.first and found[-1].facts.same_as(one.facts):
            found[-1] = msgspec.structs.replace(found[-1], until=one.until)
        else:
            found.append(one)
    return found


def _of_its_company(spans: list[Span], now: Span, *, begins: dt.date) -> tuple[list[Span], dt.date]:
    """Where the company of *now* has the symbol since another day than was believed: that, and when *now* begins."""
    believed = spans[-1].facts
    since = now.facts.since
    if believed.codes == now.facts.codes:
        return _dated(spans, since, begins=begins), now.first
    former = [one for one in spans if (one.facts.since, one.facts.codes) == (since, now.facts.codes)]
    if former:  # another company was a slip: the days in between are its own again
        upto = former[-1]
        return [*(one for one in spans if one.first < upto.first), msgspec.structs.replace(upto, until=OPEN)], now.first
    return spans, now.first if since is None else since


def _dated(spans: list[Span], since: dt.date | None, *, begins: dt.date) -> list[Span]:
    """The same company, whose first session is *since* by now: what is before it is its predecessor's."""
    at = len(spans)
    while at and spans[at - 1].facts.since == spans[-1].facts.since:
        at -= 1
    before, own = spans[:at], [_since(one, since) for one in spans[at:]]
    if since is None:
        return [*before, *own]
    start = max(since, begins)
    if start <= own[0].first:
        return [*cut(before, start), msgspec.structs.replace(own[0], first=start), *own[1:]]
    own = [msgspec.structs.replace(one, first=max(one.first, start)) for one in own if one.until > start]
    if before and before[-1].until == spans[at].first:
        before[-1] = msgspec.structs.replace(before[-1], until=start)
    return [*before, *own]


def _since(span: Span, since: dt.date | None) -> Span:
    return msgspec.structs.replace(span, facts=msgspec.structs.replace(span.facts, since=since))
