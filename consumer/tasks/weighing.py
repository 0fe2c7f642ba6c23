"""Weighs an answer about a session against what stands of it: it is taken, taken in part, or not.

What stands outranks one answer.  An answer that denies it, or that is not plausible where what stands is, is kept
aside and asked for again; when another one, fetched INDEPENDENT_AFTER or more after it, says the same, two outrank one.
But repetition makes nothing true that the neighbours deny, or that was denied by another way of asking.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.findings import KeptFinding, State
from consumer.tasks.answers import (
    INDEPENDENT_AFTER,
    Answer,
    Cleared,
    Leave,
    Refuse,
    Standing,
    Take,
    bars_of,
    ids_of,
    independent,
    was_denied,
)
from consumer.tasks.single_rows import taken_with
from market.contradiction import AGREEING, AGREEING_SAMPLE, agreement, denied, objection
from market.findings import Finding, Kind
from market.same_finding import exchanges_of, is_about_the_market, rows_of, same_thing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from market.session_bars import SessionBars


def weigh(standing: Standing, answer: Answer) -> Take | Refuse | Leave:
    """Say what becomes of *answer*. Only what an open finding is about may be replaced unweighed."""
    solved = _solved(standing, answer)
    reason = "another answer came, and its neighbours say nothing against it"
    if any(is_about_the_market(one.finding) for one in solved):
        return Take(cleared=(Cleared(ids=ids_of(standing.findings), reason=reason),), other_rows=True)
    # One bad row costs one row, never one that stands.
    spared = answer.spared(standing)
    fate = _weigh_others(standing, answer, apart=_freed(solved, answer) | spared)
    if isinstance(fate, Take):
        fate = msgspec.structs.replace(fate, keep=fate.keep | spared)
    if solved and isinstance(fate, Take):
        cleared = Cleared(ids=ids_of(solved), reason=reason)
        return msgspec.structs.replace(fate, cleared=(*fate.cleared, cleared), other_rows=True)
    return fate


def _solved(standing: Standing, answer: Answer) -> list[KeptFinding]:
    """What is open against what stands, and is not found of an answer that its neighbours do not deny."""
    if any(one.kind is not Kind.SWAPPED for one in answer.found):
        return []
    there = set(answer.bars.symbols)
    return [
        one
        for one in standing.open_about_prices
        if not any(same_thing(one.finding, found) for found in answer.found)
        and (rows_of(one.finding) or there) <= there
    ]


def _freed(solved: Sequence[KeptFinding], answer: Answer) -> frozenset[str]:
    """The symbols whose rows may be replaced unweighed: those of a pair, those of an exchange."""
    exchanges = frozenset[str]().union(*(exchanges_of(one.finding) for one in solved))
    rows = frozenset[str]().union(*(rows_of(one.finding) or () for one in solved))
    return rows | {symbol for symbol in answer.bars.symbols if answer.exchange_of.get(symbol) in exchanges}


def _weigh_others(standing: Standing, answer: Answer, *, apart: frozenset[str]) -> Take | Refuse | Leave:
    stands, said = standing.bars.without(apart), answer.bars.without(apart)
    contradicted = denied(stands, said, final=standing.final, may_lack=answer.may_lack)
    found = [one for one in answer.found if not standing.settles(one)]
    # Two symbols that changed places are two rows; a finding about the market is about the answer as a whole.
    pairs = {symbol for one in found if one.kind is Kind.SWAPPED for symbol in one.symbols}
    beyond_belief = [symbol for symbol in contradicted.symbols if standing.final or symbol in pairs]
    alike = agreement(stands, said, same_volume=standing.final).share
    ids = ids_of(standing.open(Kind.CONTRADICTED))
    if alike >= AGREEING and not contradicted.is_of_the_market:
        agreeing = Cleared(ids=ids, reason="the next answer agrees with what stands")
        return taken_with(standing, answer, beyond_belief, (agreeing,) if ids else (), pairs)
    of_the_market = [one for one in found if one.kind is not Kind.SWAPPED]
    if contradicted.is_of_the_market or of_the_market:
        return _objected(standing, answer, objection(contradicted, of_the_market), doubted=bool(found))
    cleared = Cleared(ids=ids, reason="the next answer does not deny what stands")
    fate = taken_with(standing, answer, beyond_belief, (cleared,) if ids else (), pairs)
    # Rows of a session that went on may be quite other ones; of a final one, few are.
    return msgspec.structs.replace(fate, other_rows=not standing.final and alike < AGREEING_SAMPLE)


def _objected(standing: Standing, answer: Answer, finding: Finding, *, doubted: bool) -> Take | Refuse | Leave:
    """Refuse the answer, unless it was refused before, an hour or more ago, and nothing else speaks against it."""
    for known in standing.accepted(Kind.CONTRADICTED):
        if _agree(bars_of(known.rows), answer.bars, standing):
            return Leave()
    if any(_just_denied(known, answer) for known in _denied_by_another_way(standing, answer)):
        return Refuse(reason=finding.reason)  # to ask the other way again, each few minutes, would say the same
    for kept in standing.open(Kind.CONTRADICTED):
        known_rows = standing.aside[kept.finding_id].rows
        if not _agree(bars_of(known_rows), answer.bars, standing):
            continue
        if independent(answer, kept) and not doubted and not _denied_by_another_way(standing, answer):
            ids = ids_of(standing.findings)
            return Take(cleared=(Cleared(ids=ids, reason="the next answer says the same again"),), other_rows=True)
        return Refuse(reason=finding.reason)
    return Refuse(reason=finding.reason, finding=finding)


def _denied_by_another_way(standing: Standing, answer: Answer) -> list[KeptFinding]:
    """The findings for which this very answer was aside before, and a recheck did not agree with it."""
    return [
        known
        for known in standing.findings
        if known.kind is Kind.CONTRADICTED
        and known.finding_id in standing.aside
        and was_denied(known, fewest=AGREEING_SAMPLE)
        and _agree(bars_of(standing.aside[known.finding_id].rows), answer.bars, standing)
    ]


def _just_denied(known: KeptFinding, answer: Answer) -> bool:
    if known.state is State.OPEN or known.rechecked_at is None:
        return False
    return answer.fetched_at - known.rechecked_at < INDEPENDENT_AFTER


def _agree(first: SessionBars, second: SessionBars, standing: Standing) -> bool:
    return agreement(first, second, same_volume=standing.final).share >= AGREEING
