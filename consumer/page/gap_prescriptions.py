"""Says of every gap what lacks, why, and what brings it, with equal neighbours folded.  Pure."""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from consumer.page import acts
from consumer.page.calendar import OTHERS, SHOWN, Doing
from consumer.page.found import Found, Kind, Prescription
from consumer.verdict.gaps import is_gap
from consumer.verdict.states import DataSetVerdict
from contract import data_sets as sets

if TYPE_CHECKING:
    from collections.abc import Iterator


def gaps(found: Found) -> Iterator[Prescription]:
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
        acts=() if doing is not None else acts.of_what_is_made(day, caches_only=caches_only),
    )
