"""Says of everything that is found what it is, why, and what heals it.  Pure.

Equal neighbours are folded: a missing year is one finding, not two hundred and fifty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from consumer.checks.pending_work import HeldAs, PendingWork
from consumer.page.calendar import OTHERS, SHOWN, Doing
from consumer.postgres.boundaries import Boundary
from consumer.postgres.dead_letters import KeptLetter
from consumer.postgres.findings import KeptFinding
from consumer.postgres.letter_causes import Cause
from consumer.verdict.gaps import is_gap
from consumer.verdict.reading import Judged
from consumer.verdict.states import DataSetVerdict
from contract import data_sets as sets
from market.findings import ABOUT_AN_ANSWER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Kind(StrEnum):
    """What sort of finding it is."""

    GAP = "gap"
    SUSPECT = "suspect"
    DEAD_LETTERS = "dead letters"
    BOUNDARY = "boundary"
    CACHES = "caches"
    STUCK = "stuck"
    NOT_IN_PLAN = "not in this plan"


class Prescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding: *title*, the *cause* in words, the *command* that heals it, and how to see that it did (*recheck*).

    *first* to *last* are the sessions it is about; *fillable*: a backfill of them heals it. *repairable* is False where
    nothing of ours brings it. *since*: of a gap, when it was due.
    """

    kind: Kind
    title: str
    cause: str
    command: str | None = None
    recheck: str | None = None
    since: dt.datetime | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    count: int = 1
    repairable: bool = True
    fillable: bool = False
    examples: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for them. *pending* is None where Redis does not answer."""

    judged: Judged
    findings: Sequence[KeptFinding] = ()
    letters: Sequence[KeptLetter] = ()
    causes: Sequence[Cause] = ()
    boundaries: Sequence[Boundary] = ()
    caches: bool | None = True
    pending: PendingWork | None = None
    under_way: Mapping[tuple[dt.date, str], Doing] = {}


#: What is shown of each kind; of how many more there are, the title of the last one says.
MOST_OF_A_KIND = 20
EXAMPLES = 3


def prescriptions(found: Found) -> list[Prescription]:
    """Return what a person should see to, the most urgent first."""
    kinds = (
        _caches(found.caches),
        _stuck(found.pending),
        _gaps(found),
        _suspect(found.findings),
        _letters(found.letters, found.causes),
        _boundaries(found.boundaries),
        _not_in_plan(found.judged),
    )
    return [one for kind in kinds for one in _bounded(list(kind))]


def _bounded(some: list[Prescription]) -> list[Prescription]:
    if len(some) <= MOST_OF_A_KIND:
        return some
    last = some[MOST_OF_A_KIND - 1]
    more = len(some) - MOST_OF_A_KIND
    return [*some[: MOST_OF_A_KIND - 1], msgspec.structs.replace(last, title=f"{last.title}, and {more:,} more")]


def _caches(caches: bool | None) -> Iterator[Prescription]:
    if caches is None:
        yield Prescription(
            kind=Kind.CACHES,
            title="Redis does not answer",
            cause="caches and streams cannot be looked at; PostgreSQL keeps everything that was loaded",
            command="maintenance doctor",
            recheck="this line goes once it answers",
        )
    elif not caches:
        yield Prescription(
            kind=Kind.CACHES,
            title="Redis has lost caches that were written",
            cause="flushed, replaced, or restored from an older copy: readers find old values, or none",
            command="maintenance trigger --task redis_sync --force",
            recheck="maintenance verify",
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


def _gaps(found: Found) -> Iterator[Prescription]:
    """One for each run of neighbouring sessions that lack the same for the same reason, what nobody is at first."""
    judged = found.judged
    place = {day: number for number, day in enumerate(sorted(judged.verdicts))}
    lacks = [
        _Lack(day=day, one=one, doing=found.under_way.get((day, one.data_set)))
        for day, verdict in sorted(judged.verdicts.items())
        for one in verdict.data_sets
        if one.data_set in _SHOWN and is_gap(one, verdict, judged.ruler)
    ]
    lacks.sort(key=lambda lack: (lack.one.data_set, lack.day))
    runs = [list(run) for _, run in groupby(enumerate(lacks), lambda each: _alike(each[0], each[1], place))]
    told = [_gap([lack for _, lack in run], completed=judged.ruler.front) for run in runs]
    yield from sorted(told, key=lambda one: (not one.fillable, -(one.last or dt.date.min).toordinal()))
    yield from _others(found)


class _Lack(msgspec.Struct, frozen=True, kw_only=True):
    """What a session lacks, and what is being done about it."""

    day: dt.date
    one: DataSetVerdict
    doing: Doing | None


_SHOWN = frozenset(one.name for one in SHOWN)
_OUTDATED = "what was believed before stands; the vendor was not asked again since"
_NO_REASON = "nothing in the ledger says why: no run has tried it, or its record is gone"
_BY_ITSELF = {
    Doing.RUNNING: "it is being brought now",
    Doing.QUEUED: "a cycle has it planned, and tries it by itself",
}


def _alike(number: int, lack: _Lack, place: dict[dt.date, int]) -> tuple[object, ...]:
    one = lack.one
    return (one.data_set, one.state, one.outdated, one.why, lack.doing, place[lack.day] - number)


def _gap(run: list[_Lack], *, completed: dt.date) -> Prescription:
    first, last, one, doing = run[0].day, run[-1].day, run[-1].one, run[-1].doing
    span = f"{first}" if first == last else f"{first} to {last} ({len(run)} sessions)"
    state = "not fetched again when it should have been" if one.outdated and not one.lacks else one.state.value
    counted = f", {one.missing:,} of {one.expected:,} missing" if 0 < one.missing < one.expected else ""
    by_itself = None if doing is None else _BY_ITSELF[doing]
    return Prescription(
        kind=Kind.GAP,
        title=f"{one.data_set} {span}: {state}{counted}",
        cause="; ".join(filter(None, (by_itself, one.why))) or (_OUTDATED if one.outdated else _NO_REASON),
        command=None if doing is Doing.RUNNING else f"maintenance backfill --from {first} --to {last}",
        recheck=f"maintenance gaps --from {first} --to {last}",
        since=one.due_at,
        first=first,
        last=last,
        count=len(run),
        fillable=last <= completed and doing is not Doing.RUNNING,
    )


def _others(found: Found) -> Iterator[Prescription]:
    """What the newest session lacks beside its own rows, as one: it is brought, or made, together."""
    judged = found.judged
    day = judged.serving.trading_day
    verdict = judged.verdicts[day]
    lacks = [one for one in verdict.data_sets if one.data_set not in _SHOWN and is_gap(one, verdict, judged.ruler)]
    if not lacks:
        return
    doing = found.under_way.get((day, OTHERS))
    reasons = dict.fromkeys(one.why for one in lacks if one.why)
    caches_only = all(one.data_set == sets.CACHES_ALL for one in lacks)
    yield Prescription(
        kind=Kind.GAP,
        title=f"{', '.join(one.data_set for one in lacks)} as of {day}: "
        + ("partial" if any(one.loaded for one in lacks) else "missing"),
        cause="; ".join(filter(None, (None if doing is None else _BY_ITSELF[doing], *reasons))) or _NO_REASON,
        command=None
        if doing is Doing.RUNNING
        else f"maintenance trigger --day {day}" + (" --task redis_sync" if caches_only else ""),
        recheck="maintenance status",
        since=min(one.due_at for one in lacks),
        first=day,
        last=day,
        count=len(lacks),
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
        )


def _not_in_plan(judged: Judged) -> Iterator[Prescription]:
    for name in judged.ruler.not_in_plan():
        yield Prescription(
            kind=Kind.NOT_IN_PLAN,
            title=f"{name}: not part of the vendor's plan behind this key",
            cause="the vendor refuses it to this key; nothing waits for it, and no session lacks it",
            repairable=False,
        )
