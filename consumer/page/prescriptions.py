"""Says of everything that is found what it is, why, and what heals it.  Pure.

Equal neighbours are folded: a missing year is one finding, not two hundred and fifty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.checks.pending_work import HeldAs
from consumer.page import acts
from consumer.page.found import Found, Kind, Prescription
from consumer.page.gap_prescriptions import gaps
from market.findings import ABOUT_AN_ANSWER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumer.checks.pending_work import PendingWork
    from consumer.postgres.boundaries import Boundary
    from consumer.postgres.dead_letters import KeptLetter
    from consumer.postgres.findings import KeptFinding
    from consumer.postgres.letter_causes import Cause
    from consumer.verdict.reading import Judged

#: What is shown of each kind; of how many more there are, the title of the last one says.
MOST_OF_A_KIND = 20
EXAMPLES = 3


def prescriptions(found: Found) -> list[Prescription]:
    """Return what a person should see to, the most urgent first."""
    kinds = (
        _caches(found),
        _stuck(found.pending),
        gaps(found),
        _suspect(found.findings),
        _letters(found.letters, found.causes),
        _boundaries(found.boundaries),
        _accepted(found.accepted),
        _not_in_plan(found.judged),
    )
    return [one for kind in kinds for one in _bounded(list(kind))]


def _bounded(some: list[Prescription]) -> list[Prescription]:
    if len(some) <= MOST_OF_A_KIND:
        return some
    last = some[MOST_OF_A_KIND - 1]
    more = len(some) - MOST_OF_A_KIND
    return [*some[: MOST_OF_A_KIND - 1], msgspec.structs.replace(last, title=f"{last.title}, and {more:,} more")]


def _caches(found: Found) -> Iterator[Prescription]:
    if found.caches is None:
        yield Prescription(
            kind=Kind.CACHES,
            title="Redis does not answer",
            cause="caches and streams cannot be looked at; PostgreSQL keeps everything that was loaded",
            command="maintenance doctor",
            recheck="this line goes once it answers",
        )
    elif not found.caches:
        yield Prescription(
            kind=Kind.CACHES,
            title="Redis has lost caches that were written",
            cause="flushed, replaced, or restored from an older copy: readers find old values, or none",
            command="maintenance trigger --task redis_sync --force",
            recheck="maintenance verify",
            acts=acts.of_lost_caches(found.judged.serving.trading_day),
        )


def _stuck(pending: PendingWork | None) -> Iterator[Prescription]:
    for one in [] if pending is None else pending.held:
        if one.standing not in (HeldAs.ABANDONED, HeldAs.LAST_DELIVERY):
            continue
        what = " ".join(filter(None, (str(one.work.trading_day or ""), one.work.task, one.work.part, one.work.note)))
        gone = one.standing is HeldAs.ABANDONED
        yield Prescription(
            kind=Kind.STUCK,
            title=f"{what}: {'nobody works on it' if gone else 'its last delivery'}",
            cause=f"held by {one.holder}, no beat for {one.idle_seconds:,.0f} s, delivery {one.deliveries} of "
            f"{one.max_deliveries}",
            command="maintenance doctor" if gone else "maintenance pending",
            recheck="maintenance pending",
        )


def _suspect(findings: Iterable[KeptFinding]) -> Iterator[Prescription]:
    for one in findings:
        aside = one.kind in ABOUT_AN_ANSWER
        accept = f'maintenance findings accept {one.finding_id} --reason "…"'
        yield Prescription(
            kind=Kind.SUSPECT,
            title=f"{one.data_set} {one.trading_day}: {one.kind.value}",
            cause=one.reason + ("; another answer is kept aside: --take-new takes that instead" if aside else ""),
            command=accept,
            recheck="each night holds it against other evidence and clears it by itself",
            since=one.found_at,
            first=one.trading_day,
            last=one.trading_day,
            count=max(1, len(one.symbols)),
            examples=tuple(one.symbols[:EXAMPLES]),
            acts=acts.of_finding(one, aside=aside),
        )


def _letters(letters: Iterable[KeptLetter], causes: Iterable[Cause]) -> Iterator[Prescription]:
    only_counted = {(one.stream, one.fingerprint): one.not_kept for one in causes}
    groups: dict[tuple[str, str], list[KeptLetter]] = {}
    for one in letters:
        groups.setdefault((one.stream, one.fingerprint), []).append(one)
    for about, some in sorted(groups.items(), key=lambda group: group[1][-1].dead_at, reverse=True):
        days = sorted(one.trading_day for one in some if one.trading_day is not None)
        more = only_counted.get(about, 0)
        yield Prescription(
            kind=Kind.DEAD_LETTERS,
            title=f"{len(some) + more:,} given up ({about[1]})",
            cause=some[-1].reason,
            command=f"maintenance dead-letters replay --cause {about[1]}",
            recheck=f'maintenance dead-letters list; or: maintenance dead-letters drop --cause {about[1]} --reason "…"',
            since=min(one.dead_at for one in some),
            first=days[0] if days else None,
            last=days[-1] if days else None,
            count=len(some) + more,
            examples=tuple(" ".join(filter(None, (one.task, one.part))) or one.stream for one in some[:EXAMPLES]),
            acts=acts.of_letters(*about),
        )


def _boundaries(boundaries: Iterable[Boundary]) -> Iterator[Prescription]:
    for one in boundaries:
        yield Prescription(
            kind=Kind.BOUNDARY,
            title=f"{one.company} {one.boundary_day}: does a new series begin?",
            cause=f"{one.evidence}; no figure changes until a person decides",
            command=f'maintenance boundary accept {one.company} {one.boundary_day} --reason "…"',
            recheck="maintenance boundary list; or reject it, which keeps the series whole",
            since=one.found_at,
            first=one.boundary_day,
            last=one.boundary_day,
            acts=acts.of_boundary(one),
        )


def _accepted(findings: Iterable[KeptFinding]) -> Iterator[Prescription]:
    """What stands as it is by a person's word: it is not repaired, and says who said so."""
    for one in findings:
        yield Prescription(
            kind=Kind.ACCEPTED,
            title=f"{one.data_set} {one.trading_day}: {one.kind.value}, accepted as it is",
            cause=one.reason,
            since=one.settled_at,
            first=one.trading_day,
            last=one.trading_day,
            count=max(1, len(one.symbols)),
            repairable=False,
            examples=tuple(one.symbols[:EXAMPLES]),
            by=one.settled_by,
            said=one.settled_reason,
        )


def _not_in_plan(judged: Judged) -> Iterator[Prescription]:
    for name in judged.ruler.not_in_plan():
        yield Prescription(
            kind=Kind.NOT_IN_PLAN,
            title=f"{name}: not part of the vendor's plan behind this key",
            cause="the vendor refuses it to this key; nothing waits for it, and no session lacks it",
            repairable=False,
        )
