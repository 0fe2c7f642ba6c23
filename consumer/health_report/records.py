"""Says what the working records of a month tell: restated, repaired, spent, sampled; and whether they stand.  Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.health_report.report import (
    Backfill,
    BroughtSession,
    Cycles,
    Letters,
    Records,
    Repaired,
    RestatedRows,
    SampledRows,
    SettledOne,
    Settlements,
    Spent,
    TaskWork,
)
from contract import data_sets as sets

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.health_report.facts import Evidence, Facts, Kept
    from consumer.health_report.month import Month
    from consumer.postgres.month_evidence import RestatedOn, SampledOn
    from consumer.postgres.run_figures import Origin

#: By how many days after its session a row was restated: up to so many, and the rest.
_RESTATED_AFTER = (1, 5, 30)
#: How old a session may be to be counted beside others of its age, in days.
_AGES = ((30, "up to 30 days"), (90, "31 to 90 days"), (365, "91 to 365 days"))
_OLDEST = "more than a year"


def records_of(month: Month, kept: Kept, *, began_at: dt.datetime | None) -> tuple[Records, dt.datetime | None]:
    """Whether the month's records stand, and since when where they do not reach back to its first day.

    Retention keeps the very first cycle. Where it has been made longer since, what stands begins with the second one.
    """
    if began_at is None or month.ends_at <= began_at:
        return Records.NEVER, began_at
    since = began_at
    if kept.deleted_before is not None and kept.deleted_before > began_at:
        since = max(kept.deleted_before, *kept.first_ends[1:2], began_at)
    if month.ends_at <= since:
        return Records.GONE, since
    return (Records.IN_PART, since) if since > month.begins_at else (Records.WHOLE, None)


def restated_of(rows: Sequence[RestatedOn]) -> tuple[RestatedRows, ...]:
    """Count the restated rows of each data set by how late the vendor was."""
    return tuple(
        _restated(name, [one for one in rows if one.data_set == name]) for name in sorted({r.data_set for r in rows})
    )


def _restated(name: str, rows: Sequence[RestatedOn]) -> RestatedRows:
    late = Counter[int]()
    for one in rows:
        days = (one.found_on - one.trading_day).days
        late[next((most for most in _RESTATED_AFTER if days <= most), 0)] += one.rows
    return RestatedRows(
        data_set=name,
        sessions=len({one.trading_day for one in rows}),
        within_1_day=late[1],
        after_2_to_5_days=late[5],
        after_6_to_30_days=late[30],
        later=late[0],
        rows=late.total(),
    )


def repaired_of(facts: Facts) -> Repaired:
    """What a backfill brought, and which findings were settled."""
    evidence = facts.evidence
    return Repaired(
        sessions=_brought(facts),
        backfills_opened=sum(one.cycles for one in evidence.cycles if one.kind == "backfill"),
        backfills=tuple(map(_backfill, evidence.backfills)),
        settled=tuple(Settlements(state=one.state, by=one.by, findings=one.findings) for one in evidence.settled),
        findings=tuple(
            SettledOne(
                day=one.trading_day,
                data_set=one.data_set,
                kind=one.kind,
                state=one.state,
                by=one.by,
                reason=one.reason,
                settled_at=one.settled_at,
            )
            for one in evidence.findings
        ),
    )


def _backfill(one: Origin) -> Backfill:
    return Backfill(
        cycle=one.cycle_id,
        first_day=one.first_day or one.trading_day,
        last_day=one.trading_day,
        requested_by=one.requested_by,
        state=one.state,
        opened_at=one.opened_at,
    )


def _brought(facts: Facts) -> tuple[BroughtSession, ...]:
    found = []
    for day, verdict in sorted(facts.judged.verdicts.items()):
        bars = verdict.of(sets.DAILY_BARS)
        origin = None if bars is None or bars.cycle is None else facts.origins.get(bars.cycle)
        if origin is not None and origin.kind == "backfill":
            found.append(BroughtSession(day=day, cycle=origin.cycle_id, requested_by=origin.requested_by))
    return tuple(found)


def spent_of(evidence: Evidence) -> Spent:
    """What the cycles of the month cost, and what was given up."""
    fates = {one.state: one.letters for one in evidence.letters}
    return Spent(
        requests=dict(evidence.requests),
        cycles=tuple(
            Cycles(kind=one.kind, state=one.state, cycles=one.cycles, seconds=round(one.seconds, 3))
            for one in evidence.cycles
        ),
        tasks=tuple(
            TaskWork(task=one.task, parts=one.parts, failed=one.failed, rows=one.rows, seconds=round(one.seconds, 3))
            for one in evidence.work
        ),
        letters=Letters(
            given_up=sum(fates.values()),
            open=fates.get("open", 0),
            replayed=fates.get("replayed", 0),
            dropped=fates.get("dropped", 0),
        ),
    )


def sampled_of(rows: Sequence[SampledOn]) -> tuple[SampledRows, ...]:
    """How much of what was sampled differed, by data set and by the age of the session when it was checked."""
    ages = [*(words for _, words in _AGES), _OLDEST]
    of_age: dict[tuple[str, int], list[SampledOn]] = {}
    for one in rows:
        of_age.setdefault((one.data_set, ages.index(_age(one))), []).append(one)
    return tuple(_sampled(name, ages[place], some) for (name, place), some in sorted(of_age.items()))


def _age(one: SampledOn) -> str:
    days = (one.checked_on - one.trading_day).days
    return next((words for most, words in _AGES if days <= most), _OLDEST)


def _sampled(name: str, age: str, rows: Sequence[SampledOn]) -> SampledRows:
    compared, differed = sum(one.compared for one in rows), sum(one.differed for one in rows)
    return SampledRows(
        data_set=name,
        age=age,
        sessions=len({one.trading_day for one in rows}),
        compared=compared,
        differed=differed,
        share=differed / compared if compared else 0.0,
    )
