"""Weighs an answer about a session against what stands of it: it is taken, taken in part, or not.

What stands outranks one answer.  An answer that denies it, or that is not plausible where what stands is, is kept
aside and asked for again; when another one, fetched INDEPENDENT_AFTER or more after it, says the same, two outrank one.
But repetition makes nothing true that the neighbours deny, or that was denied by another way of asking.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.tasks.answers import (
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

if TYPE_CHECKING:
    from market.session_bars import SessionBars


def weigh(standing: Standing, answer: Answer) -> Take | Refuse | Leave:
    """Say what becomes of *answer*."""
    if standing.open_about_prices and not answer.found:
        reason = "another answer came, and its neighbours say nothing against it"
        return Take(cleared=(Cleared(ids=ids_of(standing.findings), reason=reason),), other_rows=True)
    contradicted = denied(standing.bars, answer.bars, final=standing.final, may_lack=answer.may_lack)
    found = [one for one in answer.found if one.kind not in standing.settled_kinds]
    # Two symbols that changed places are two rows; a finding about the market is about the answer as a whole.
    pairs = {symbol for one in found if one.kind is Kind.SWAPPED for symbol in one.symbols}
    beyond_belief = [symbol for symbol in contradicted.symbols if standing.final or symbol in pairs]
    if _agree(standing.bars, answer.bars, standing):
        ids = ids_of(standing.open(Kind.CONTRADICTED))
        agreeing = Cleared(ids=ids, reason="the next answer agrees with what stands")
        return taken_with(standing, answer, beyond_belief, (agreeing,) if ids else (), pairs)
    of_the_market = [one for one in found if one.kind is not Kind.SWAPPED]
    if contradicted.is_of_the_market or of_the_market:
        return _objected(standing, answer, objection(contradicted, of_the_market), doubted=bool(found))
    ids = ids_of(standing.open(Kind.CONTRADICTED))
    cleared = Cleared(ids=ids, reason="the next answer does not deny what stands")
    return taken_with(standing, answer, beyond_belief, (cleared,) if ids else (), pairs)


def _objected(standing: Standing, answer: Answer, finding: Finding, *, doubted: bool) -> Take | Refuse | Leave:
    """Refuse the answer, unless it was refused before, an hour or more ago, and nothing else speaks against it."""
    for known in standing.accepted(Kind.CONTRADICTED):
        if _agree(bars_of(known.rows), answer.bars, standing):
            return Leave()
    for kept in standing.open(Kind.CONTRADICTED):
        known_rows = standing.aside[kept.finding_id].rows
        if not _agree(bars_of(known_rows), answer.bars, standing):
            continue
        if independent(answer, kept) and not doubted and not _denied_by_another_way(standing, answer):
            ids = ids_of(standing.findings)
            return Take(cleared=(Cleared(ids=ids, reason="the next answer says the same again"),), other_rows=True)
        return Refuse(reason=finding.reason)
    return Refuse(reason=finding.reason, finding=finding)


def _denied_by_another_way(standing: Standing, answer: Answer) -> bool:
    """Whether this answer was aside before, and a recheck did not agree with it."""
    return any(
        _agree(bars_of(standing.aside[known.finding_id].rows), answer.bars, standing)
        for known in standing.findings
        if known.kind is Kind.CONTRADICTED and known.finding_id in standing.aside
        and was_denied(known, fewest=AGREEING_SAMPLE)
    )  # fmt: skip


def _agree(first: SessionBars, second: SessionBars, standing: Standing) -> bool:
    return agreement(first, second, same_volume=standing.final).share >= AGREEING
