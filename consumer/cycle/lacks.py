"""Says in words what a new plan would do, with the reasons why it was not done; and counts warnings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.postgres import slots
from consumer.postgres.states import PartState
from consumer.tasks import metadata_enrich, slot_rows
from consumer.verdict.judge import UNPROVEN_TOLERATED
from contract import data_sets as sets
from contract.messages import TaskName

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartPlan
    from consumer.postgres.part_outcomes import EndedPart
    from consumer.tasks.part import PartContext

# Computed from what was fetched: planned again together with any of their inputs.
FOLLOWS = (
    sets.STAGE_PLAUSIBLE,
    sets.STAGE_SPLIT_CHECK,
    sets.STAGE_ATR,
    sets.STAGE_DERIVED,
    sets.STAGE_PROVE,
    sets.STAGE_CACHE,
)


async def describe_missing(
    ctx: PartContext,
    parts: Sequence[PartPlan],
    ended: Sequence[EndedPart],
    *,
    later: frozenset[dt.date] = frozenset(),
    details_later: bool = False,
) -> list[str]:
    """Say in words what *parts* would bring, with the reason a part of the same name ended without it.

    What this plan brings later is left out: slots of the sessions *later*, and details if they come later too.
    """
    stages = {part.stage for part in parts}
    lines = _part_lines([part for part in parts if part.stage not in FOLLOWS], ended)
    if stages & {sets.STAGE_SLOTS, sets.STAGE_PLAN_SLOTS}:
        lines += _slot_lines(await slot_rows.missing_slots(ctx), ended, later)
    if stages & {sets.STAGE_DETAILS, sets.STAGE_PLAN_DETAILS} and not details_later:
        due = await metadata_enrich.due_details(ctx)
        lines += [f"metadata_enrich details of {len(due)} symbols{_because(ended, 'details:')}"] if due else []
    if TaskName.VOLUME_SLOTS in ctx.cycle.tasks:
        sessions = ctx.sessions(ctx.services.options.slot_sessions)
        unproven = await slots.unproven_by_day(ctx.services.pool, sessions)
        # Without the day's bars nothing proves that nobody traded: their line says it already.
        told = {part.part.removeprefix("bars:") for part in parts if part.stage == sets.STAGE_BARS} | set(
            map(str, later)
        )
        lines += unproven_lines({day: counts for day, counts in unproven.items() if str(day) not in told})
    # What was computed from all there is goes on the list only when nothing else explains why it is planned again.
    explained = any(part.stage not in FOLLOWS for part in parts)
    done = {(part.task, part.part) for part in ended if part.state is PartState.DONE} if explained else set()
    return lines + _part_lines([p for p in parts if p.stage in FOLLOWS and (p.task, p.part) not in done], ended)


def _part_lines(parts: Sequence[PartPlan], ended: Sequence[EndedPart]) -> list[str]:
    """One line a part; those that fetch batches are counted by what they would fetch instead."""
    batches = (sets.STAGE_SLOTS, sets.STAGE_PLAN_SLOTS, sets.STAGE_DETAILS, sets.STAGE_PLAN_DETAILS)
    reasons = {(part.task, part.part): part.reason for part in ended if part.reason}
    lines = []
    for part in parts:
        if part.stage not in batches:
            reason = reasons.get((part.task, part.part))
            lines.append(f"{part.task} {part.part}" + (f": {reason}" if reason else ""))
    return lines


def unproven_lines(unproven: dict[dt.date, tuple[int, int]]) -> list[str]:
    """Say which sessions have too many symbols without a slot that the daily bars do not prove to be quiet.

    A few are the vendor's oddities (trades that count for the day and not for a minute); many are a hole.
    """
    return [
        f"volume_slots {day}: {count} of {rows} symbols have no slot and no proof that nobody traded"
        for day, (count, rows) in unproven.items()
        if count > UNPROVEN_TOLERATED * rows
    ]


def _slot_lines(missing: dict[str, list[dt.date]], ended: Sequence[EndedPart], later: frozenset[dt.date]) -> list[str]:
    counts = Counter(day for days in missing.values() for day in days if day not in later)
    because = _because(ended, "batch:") or _because(ended, "file:")
    return [f"volume_slots {day}: {count} symbols{because}" for day, count in sorted(counts.items())]


def _because(ended: Sequence[EndedPart], prefix: str) -> str:
    reason = next((part.reason for part in ended if part.part.startswith(prefix) and part.reason), None)
    return f": {reason}" if reason else ""


def summarised(warnings: Sequence[str], *, most: int = 20) -> list[str]:
    """Return the distinct warnings, most frequent first, with the rest as a count."""
    counts = Counter(warnings)
    lines = [text if count == 1 else f"{text} (x{count})" for text, count in counts.most_common(most)]
    return [*lines, f"and {len(counts) - most} more"] if len(counts) > most else lines
