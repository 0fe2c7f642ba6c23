"""Weighs an answer about a session against what stands of it: it is taken, taken in part, or not.

What stands outranks one answer.  An answer that denies it, or that is not plausible where what stands is, is kept
aside and asked for again; when another one, fetched INDEPENDENT_AFTER or more after it, says the same, two outrank one.
Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from consumer.massive.rows import DailyRow
from consumer.postgres.findings import Contested, KeptFinding, State
from market.contradiction import (
    AGREEING,
    agreement,
    alike_symbols,
    denied,
    objection,
)
from market.findings import ABOUT_AN_ANSWER, Finding, Kind
from market.session_bars import SessionBars, session_bars

if TYPE_CHECKING:
    from collections.abc import Iterable

# A vendor's caches outlive minutes, and our own attempts follow each other within them: that is one answer twice.
INDEPENDENT_AFTER = dt.timedelta(hours=1)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of a session: its bars, whether they were final, what is open and what was settled for them.

    `aside` are the answers that were not taken, by finding.
    """

    bars: SessionBars
    final: bool
    fetched_at: dt.datetime
    findings: Sequence[KeptFinding]
    aside: dict[int, Contested]

    def open(self, *kinds: Kind) -> list[KeptFinding]:
        return [one for one in self.findings if one.state is State.OPEN and one.kind in kinds]

    @property
    def open_about_prices(self) -> list[KeptFinding]:
        """The findings that make what stands suspect, but for that of the slots, which is settled beside them."""
        kinds = ABOUT_AN_ANSWER | {Kind.SLOTS}
        return [one for one in self.findings if one.state is State.OPEN and one.kind not in kinds]

    @property
    def settled_kinds(self) -> frozenset[Kind]:
        return frozenset(one.kind for one in self.findings if one.state is not State.OPEN)

    def accepted(self, kind: Kind) -> list[Contested]:
        """The answers of which a person said that what stands is right."""
        kept = [one for one in self.findings if one.state is State.ACCEPTED and one.kind is kind]
        return [self.aside[one.finding_id] for one in kept if one.finding_id in self.aside]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor says now, and what its neighbours say against it."""

    rows: Sequence[DailyRow]
    bars: SessionBars
    found: list[Finding]
    fetched_at: dt.datetime
    may_lack: bool = False  # a person has said that there are fewer rows


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that are settled by this answer, and why."""

    ids: tuple[int, ...]
    reason: str


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """The answer is stored, but for the rows of *keep*; *aside* are its rows for those."""

    cleared: tuple[Cleared, ...] = ()
    keep: frozenset[str] = frozenset()
    finding: Finding | None = None
    aside: Contested | None = None
    other_rows: bool = False  # it denies what stood: what was settled for that is settled no more
    vouched: bool = False  # two answers say it: its neighbours have no say


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """What stands is kept; *finding* is None where the same answer is aside already."""

    reason: str
    finding: Finding | None = None


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """A person has said that what stands is right, and not this very answer."""


def bars_of(rows: Iterable[DailyRow]) -> SessionBars:
    """Lay out the vendor's rows."""
    return session_bars({row.T: (row.o, row.h, row.l, row.c, row.v) for row in rows})


def weigh(standing: Standing, answer: Answer) -> Take | Refuse | Leave:
    """Say what becomes of *answer*."""
    if standing.open_about_prices and not answer.found:
        reason = "another answer came, and its neighbours say nothing against it"
        return Take(cleared=(Cleared(ids=_ids(standing.findings), reason=reason),), other_rows=True)
    contradicted = denied(standing.bars, answer.bars, final=standing.final, may_lack=answer.may_lack)
    found = [one for one in answer.found if one.kind not in standing.settled_kinds]
    # Two symbols that changed places are two rows; a finding about the market is about the answer as a whole.
    pairs = {symbol for one in found if one.kind is Kind.SWAPPED for symbol in one.symbols}
    beyond_belief = [symbol for symbol in contradicted.symbols if standing.final or symbol in pairs]
    if _agree(standing.bars, answer.bars, standing):
        return _taken_with(standing, answer, beyond_belief, _clear_agreeing(standing, answer))
    found = [one for one in found if one.kind is not Kind.SWAPPED]
    if contradicted.is_of_the_market or found:
        return _objected(standing, answer, objection(contradicted, found))
    ids = _ids(standing.open(Kind.CONTRADICTED))
    cleared = Cleared(ids=ids, reason="the next answer does not deny what stands")
    return _taken_with(standing, answer, beyond_belief, (cleared,) if ids else ())


def _ids(found: Iterable[KeptFinding]) -> tuple[int, ...]:
    return tuple(one.finding_id for one in found if one.state is State.OPEN)


def _clear_agreeing(standing: Standing, answer: Answer) -> tuple[Cleared, ...]:
    """What an answer settles that says what stands once more."""
    agreed = standing.open(Kind.CONTRADICTED)
    if answer.fetched_at - standing.fetched_at >= INDEPENDENT_AFTER:
        agreed += standing.open_about_prices
    ids = _ids(agreed)
    return (Cleared(ids=ids, reason="the next answer agrees with what stands"),) if ids else ()


def _objected(standing: Standing, answer: Answer, finding: Finding) -> Take | Refuse | Leave:
    for known in standing.accepted(Kind.CONTRADICTED):
        if _agree(bars_of(known.rows), answer.bars, standing):
            return Leave()
    for kept in standing.open(Kind.CONTRADICTED):
        known_rows = standing.aside[kept.finding_id].rows
        if not _agree(bars_of(known_rows), answer.bars, standing):
            continue
        if _independent(answer, kept):
            ids = _ids(standing.findings)
            return Take(cleared=(Cleared(ids=ids, reason="the next answer says the same again"),), other_rows=True,
                        vouched=True)  # fmt: skip
        return Refuse(reason=finding.reason)
    return Refuse(reason=finding.reason, finding=finding)


def _agree(first: SessionBars, second: SessionBars, standing: Standing) -> bool:
    return agreement(first, second, same_volume=standing.final).share >= AGREEING


def _independent(answer: Answer, kept: KeptFinding) -> bool:
    return kept.contested_at is not None and answer.fetched_at - kept.contested_at >= INDEPENDENT_AFTER


def _taken_with(standing: Standing, answer: Answer, beyond_belief: Sequence[str], cleared: tuple[Cleared, ...]) -> Take:
    """Take the answer, but keep the rows that it gives beyond belief."""
    opened = standing.open(Kind.ROWS)
    twice = _said_before(standing, answer, beyond_belief, opened)
    refused = _refused_before(standing, answer, beyond_belief)
    left = [symbol for symbol in beyond_belief if symbol not in twice]
    news = [symbol for symbol in left if symbol not in refused]
    if opened and not news:
        taken = "it says the same again" if twice else "it agrees with what stands"
        cleared = (*cleared, Cleared(ids=_ids(opened), reason=f"the next answer came: {taken}"))
    if not news:
        return Take(cleared=cleared, keep=frozenset(left))
    aside = rows_aside(answer.rows, news)
    if opened and _is_known(standing, opened[0], aside, news):
        return Take(cleared=cleared, keep=frozenset(left))
    return Take(cleared=cleared, keep=frozenset(left), finding=_rows_finding(standing, aside, news), aside=aside)


def rows_aside(rows: Iterable[DailyRow], symbols: Sequence[str]) -> Contested:
    """The rows of *symbols*, and those of them that have none."""
    own = [row for row in rows if row.T in set(symbols)]
    return Contested(rows=own, gone=sorted(set(symbols) - {row.T for row in own}))


def _said_before(
    standing: Standing, answer: Answer, symbols: Sequence[str], opened: Sequence[KeptFinding]
) -> frozenset[str]:
    """Those of *symbols* that an earlier answer, independent of this one, gave as this one does."""
    said: frozenset[str] = frozenset()
    for kept in opened:
        if _independent(answer, kept):
            said |= same_rows(standing.aside[kept.finding_id], answer.bars, symbols)
    return said


def _refused_before(standing: Standing, answer: Answer, symbols: Sequence[str]) -> frozenset[str]:
    refused: frozenset[str] = frozenset()
    for known in standing.accepted(Kind.ROWS):
        refused |= same_rows(known, answer.bars, symbols)
    return refused


def same_rows(known: Contested, bars: SessionBars, symbols: Sequence[str]) -> frozenset[str]:
    """Those of *symbols* for which *known* and *bars* say the same, that there is no row too."""
    alike = alike_symbols(bars_of(known.rows).only(symbols), bars.only(symbols), same_volume=True)
    gone = set(known.gone) & set(symbols) - set(bars.symbols)
    return alike | gone


def _is_known(standing: Standing, kept: KeptFinding, aside: Contested, symbols: Sequence[str]) -> bool:
    """Whether all of this is aside already: then the answer of before stays, with the time at which it came."""
    known = standing.aside[kept.finding_id]
    named = {row.T for row in known.rows} | set(known.gone)
    return named == set(symbols) and same_rows(known, bars_of(aside.rows), symbols) == set(symbols)


def _rows_finding(standing: Standing, aside: Contested, symbols: Sequence[str]) -> Finding:
    before = standing.bars.only(symbols)
    rows = dict(zip(before.symbols, before.figures.tolist(), strict=True))
    after = {row.T: [row.o, row.h, row.l, row.c, row.v] for row in aside.rows}
    told = ", ".join(symbols[:5]) + (" and others" if len(symbols) > 5 else "")
    return Finding(
        kind=Kind.ROWS,
        reason=f"an answer gives {len(symbols)} rows beyond belief, and those that stand were kept: {told}",
        symbols=tuple(symbols),
        evidence={
            "rows": {symbol: {"before": rows.get(symbol), "after": after.get(symbol)} for symbol in symbols[:50]}
        },
    )
