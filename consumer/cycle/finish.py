"""Judges a pass once all its parts have ended: complete only by proof, else waiting, partial or failed.

The proof is the plan itself: computed once more, it must find nothing to do.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.plan import missing_parts, newer_caches
from consumer.delivery.errors import LeaseLost
from consumer.postgres import slots
from consumer.postgres.ledger import PartReport
from consumer.tasks import data_sets as sets
from consumer.tasks import metadata_enrich, slot_rows
from consumer.tasks.part import PartContext
from producers.messages import TaskName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartPlan
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import Write

NOT_YET_RETRY = dt.timedelta(minutes=15)
UNPROVEN_TOLERATED = 0.01
# Computed from what was fetched: planned again together with any of their inputs.
FOLLOWS = (
    sets.STAGE_PLAUSIBLE, sets.STAGE_SPLIT_CHECK, sets.STAGE_ATR, sets.STAGE_DERIVED, sets.STAGE_PROVE,
    sets.STAGE_CACHE,
)  # fmt: skip
UNAVAILABLE_RETRIES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15))


class EndedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says of a part that ended."""

    task: str
    part: str
    state: str
    retryable: bool
    reason: str | None
    warnings: list[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a pass."""

    state: str
    missing: tuple[str, ...] = ()
    next_pass_at: dt.datetime | None = None
    reason: str | None = None


def judge(
    missing: Sequence[str],
    ended: Sequence[EndedPart],
    *,
    run_pass: int,
    fatal: str | None,
    now: dt.datetime,
    give_up_at: dt.datetime,
) -> Outcome:
    """Return the verdict: *missing* is what a new plan would do, *fatal* why no further pass can help."""
    if fatal is not None:
        return Outcome(state="failed", missing=tuple(missing), reason=fatal)
    if not missing:
        return Outcome(state="complete")
    not_yet = any(part.state == "not_yet" for part in ended)
    again = any(_is_planned_again(part, missing) for part in ended)
    retryable = any(part.state == "failed" and part.retryable for part in ended)
    if not (not_yet or retryable or again) or now >= give_up_at:
        return Outcome(state="partial", missing=tuple(missing))
    delay = NOT_YET_RETRY if not_yet else UNAVAILABLE_RETRIES[min(run_pass, len(UNAVAILABLE_RETRIES)) - 1]
    reason = "not yet published by the vendor" if not_yet else "the vendor did not answer"
    if again and not (not_yet or retryable):
        suspect = any(" recheck:" in line for line in missing)
        reason = "a session is suspect" if suspect else "a session has fewer bars than those around it"
    return Outcome(state="waiting", missing=tuple(missing), next_pass_at=min(now + delay, give_up_at), reason=reason)


def _is_planned_again(part: EndedPart, missing: Sequence[str]) -> bool:
    """Whether a session that was just loaded is still missing: it turned out short beside the others."""
    name = f"{part.task} {part.part}"
    loaded = part.state == "done" and part.part.startswith("bars:")
    return loaded and any(line == name or line.startswith(f"{name}:") for line in missing)


async def finish_cycle(ctx: PartContext) -> Write:
    """The last part of every pass."""
    now = ctx.services.now()
    lenient = PartContext(ctx.services, msgspec.structs.replace(ctx.cycle, force=False), ctx.part, {}, ctx.fence)
    ended = await _ended_parts(ctx)
    missing = await describe_missing(lenient, await missing_parts(lenient), ended)
    fatal = next((part.reason for part in ended if part.reason and part.reason.startswith("KeyRejected")), None)
    outcome = judge(
        missing, ended, run_pass=ctx.cycle.run_pass, fatal=fatal, now=now, give_up_at=ctx.cycle.give_up_at
    )  # fmt: skip
    warnings = [text for part in ended for text in part.warnings]
    if TaskName.REDIS_SYNC in ctx.cycle.tasks and (later := await newer_caches(ctx)) is not None:
        warnings.append(f"redis_sync: the caches stand at {later} and are not taken back to {ctx.day}")

    async def write(connection: Connection) -> PartReport:
        judged = await connection.fetchval(
            """
            UPDATE cycle SET state = $2, missing = $3, warnings = $4, next_pass_at = $5, reason = $6,
                   finished_at = CASE WHEN $2 = 'waiting' THEN NULL ELSE $7::timestamptz END
            WHERE cycle_id = $1 AND state = 'running' RETURNING 1
            """,
            ctx.cycle.cycle_id, outcome.state, list(outcome.missing), summarised(warnings), outcome.next_pass_at,
            outcome.reason, now,
        )  # fmt: skip
        if judged is None:
            raise LeaseLost(f"cycle {ctx.cycle.cycle_id} does not run any more")
        return PartReport()

    return write


async def _ended_parts(ctx: PartContext) -> list[EndedPart]:
    rows = await ctx.services.pool.fetch(
        "SELECT task, part, state, retryable, reason, warnings FROM part WHERE cycle_id = $1 AND pass = $2 "
        "AND stage <> $3 ORDER BY task, part",
        ctx.cycle.cycle_id, ctx.cycle.run_pass, sets.STAGE_FINISH,
    )  # fmt: skip
    return [EndedPart(**dict(row)) for row in rows]


async def describe_missing(ctx: PartContext, parts: Sequence[PartPlan], ended: Sequence[EndedPart]) -> list[str]:
    """Say in words what *parts* would bring, with the reason a part of the same name ended without it."""
    stages = {part.stage for part in parts}
    lines = _part_lines([part for part in parts if part.stage not in FOLLOWS], ended)
    if stages & {sets.STAGE_SLOTS, sets.STAGE_PLAN_SLOTS}:
        lines += _slot_lines(await slot_rows.missing_slots(ctx), ended)
    if stages & {sets.STAGE_DETAILS, sets.STAGE_PLAN_DETAILS}:
        due = await metadata_enrich.due_details(ctx)
        lines += [f"metadata_enrich details of {len(due)} symbols{_because(ended, 'details:')}"] if due else []
    if TaskName.VOLUME_SLOTS in ctx.cycle.tasks:
        sessions = ctx.sessions(ctx.services.options.slot_sessions)
        unproven = await slots.unproven_by_day(ctx.services.pool, sessions)
        # Without the day's bars nothing proves that nobody traded: their line says it already.
        without_bars = {part.part.removeprefix("bars:") for part in parts if part.stage == sets.STAGE_BARS}
        lines += unproven_lines({day: counts for day, counts in unproven.items() if str(day) not in without_bars})
    # What was computed from all there is goes on the list only when nothing else explains why it is planned again.
    done = {(part.task, part.part) for part in ended if part.state == "done"} if lines else set()
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


def _slot_lines(missing: dict[str, list[dt.date]], ended: Sequence[EndedPart]) -> list[str]:
    counts = Counter(day for days in missing.values() for day in days)
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
