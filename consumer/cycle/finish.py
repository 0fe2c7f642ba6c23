"""Ends a pass once all its parts have ended: the run is complete only by proof, else waiting, partial or failed.

The proof is the plan itself: computed once more, it must find nothing to do. What this plan of the vendor brings later
is no lack of the run: it goes on with it, or another run does when its time has come.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.lacks import describe_missing, summarised
from consumer.cycle.plan import files_seen, missing_parts, newer_caches
from consumer.postgres.cycle_changes import Outcome, end_pass
from consumer.postgres.ledger import PartReport
from consumer.postgres.part_outcomes import ended_parts
from consumer.postgres.states import PartState
from consumer.tasks.part import PartContext
from consumer.tasks.passes import details_a_pass, slots_a_pass
from consumer.verdict.options import expectations_of
from consumer.verdict.reading import judge_sessions
from consumer.verdict.vendor_plan import Capability
from contract import data_sets as sets
from contract.failures import FailureClass
from contract.messages import TaskName
from contract.reports import CycleState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.ledger import PartPlan
    from consumer.postgres.part_outcomes import EndedPart
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import Write
    from consumer.verdict.ruler import Ruler

NOT_YET_RETRY = dt.timedelta(minutes=15)
UNAVAILABLE_RETRIES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15))


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a new plan would do: *missing* a line each, *goes_on* where it is only what this plan brings bit by bit.

    *cut*: the pass asked for as much as one may, and there is more to ask for. *published_at*: before then the vendor
    does not give the day on this plan.
    """

    missing: tuple[str, ...]
    goes_on: bool = False
    cut: bool = False
    published_at: dt.datetime | None = None


def judge(
    left: Left,
    ended: Sequence[EndedPart],
    *,
    run_pass: int,
    fatal: str | None,
    now: dt.datetime,
    give_up_at: dt.datetime,
) -> Outcome:
    """Return what becomes of the cycle; *fatal*: why no further pass can help."""
    missing = left.missing
    if fatal is not None:
        return Outcome(state=CycleState.FAILED, missing=missing, reason=fatal)
    if not missing and (not left.goes_on or now >= give_up_at):
        return Outcome(state=CycleState.COMPLETE)
    not_yet = any(part.state is PartState.NOT_YET for part in ended)
    again = any(_is_planned_again(part, missing) for part in ended)
    retryable = any(part.state is PartState.FAILED and is_asked_again(part) for part in ended)
    if (left.cut or not missing) and not (not_yet or retryable) and now < give_up_at:
        # One that was not cut has asked for all there was: what it did not bring is not there yet.
        next_pass_at = now if left.cut else min(now + NOT_YET_RETRY, give_up_at)
        return Outcome(
            state=CycleState.WAITING,
            missing=missing,
            next_pass_at=next_pass_at,
            reason="this plan brings the rest bit by bit",
        )
    if missing and (not (not_yet or retryable or again) or now >= give_up_at):
        return Outcome(state=CycleState.PARTIAL, missing=missing)
    delay = NOT_YET_RETRY if not_yet else UNAVAILABLE_RETRIES[min(run_pass, len(UNAVAILABLE_RETRIES)) - 1]
    if not_yet and left.published_at is not None:
        delay = max(delay, left.published_at - now)  # to ask every quarter of an hour until midnight helps nobody
    reason = "not yet published by the vendor" if not_yet else "the vendor did not answer"
    if again and not (not_yet or retryable):
        suspect = any(" recheck:" in line for line in missing)
        reason = "a session is suspect" if suspect else "a session has fewer bars than those around it"
    return Outcome(state=CycleState.WAITING, missing=missing, next_pass_at=min(now + delay, give_up_at), reason=reason)


def is_asked_again(part: EndedPart) -> bool:
    """Whether another pass may bring what *part* did not."""
    return part.failure_class is not None and part.failure_class.is_asked_again


def _is_planned_again(part: EndedPart, missing: Sequence[str]) -> bool:
    """Whether a session that was just loaded is still missing: it turned out short beside the others."""
    name = f"{part.task} {part.part}"
    loaded = part.state is PartState.DONE and part.part.startswith("bars:")
    return loaded and any(line == name or line.startswith(f"{name}:") for line in missing)


async def finish_cycle(ctx: PartContext) -> Write:
    """The last part of every pass."""
    now = ctx.services.now()
    ctx.services.vendor.tell_rest()
    lenient = PartContext(ctx.services, msgspec.structs.replace(ctx.cycle, force=False), ctx.part, {}, ctx.fence)
    ended = await ended_parts(ctx.services.pool, ctx.cycle, but_stage=sets.STAGE_FINISH)
    files = await files_seen(lenient)
    ruler = await _ruler(ctx)
    # What the plan never brings is no lack of this night, as it is none of the session's verdict.
    parts = [part for part in await missing_parts(lenient, files) if _is_in_plan(part, ruler)]
    lines = await describe_missing(
        lenient, parts, ended, later=_later_days(ctx, ruler), details_later=ruler.is_later(sets.DETAILS, ctx.day)
    )
    left = Left(
        missing=tuple(lines),
        goes_on=_goes_on(parts, ruler),
        cut=_was_cut(ctx, parts, ended),
        published_at=_published_at(ctx, ruler),
    )
    fatal = next((part.reason for part in ended if part.failure_class is FailureClass.KEY_REFUSED), None)
    outcome = judge(left, ended, run_pass=ctx.cycle.run_pass, fatal=fatal, now=now, give_up_at=ctx.cycle.give_up_at)
    warnings = [text for part in ended for text in part.warnings]
    warnings += [text for text in files.warnings if text not in warnings]
    if TaskName.REDIS_SYNC in ctx.cycle.tasks and (newer := await newer_caches(ctx)) is not None:
        warnings.append(f"redis_sync: the caches stand at {newer} and are not taken back to {ctx.day}")

    async def write(connection: Connection) -> PartReport:
        await end_pass(connection, ctx.cycle, outcome, warnings=summarised(warnings), now=now)
        return PartReport()

    return write


_NEEDS = {
    sets.STAGE_SPLITS: Capability.SPLITS,
    sets.STAGE_PLAN_DETAILS: Capability.TICKER_DETAILS,
    sets.STAGE_DETAILS: Capability.TICKER_DETAILS,
}


def _is_in_plan(part: PartPlan, ruler: Ruler) -> bool:
    return part.stage not in _NEEDS or ruler.plan.has(_NEEDS[part.stage])


async def _ruler(ctx: PartContext) -> Ruler:
    """By what the sessions of the cycle are measured; the same as for a verdict."""
    services = ctx.services
    expectations = expectations_of(services.options, services.schedule, slot_files=services.flat_files is not None)
    async with services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        return (await judge_sessions(connection, expectations, now=services.now(), days=[])).ruler


def _later_days(ctx: PartContext, ruler: Ruler) -> frozenset[dt.date]:
    """The sessions whose slots this plan brings later than the schedule asks for them, and not yet."""
    if not ruler.plan.brings_slots:
        return frozenset(ctx.sessions(ctx.services.options.slot_sessions))
    return frozenset(
        day for day in ctx.sessions(ctx.services.options.slot_sessions) if ruler.is_later(sets.VOLUME_SLOTS, day)
    )


def _goes_on(parts: Sequence[PartPlan], ruler: Ruler) -> bool:
    """Whether another pass can bring more at once: ticker by ticker, within the budget."""
    stages = {part.stage for part in parts}
    slots = ruler.plan.has(Capability.RANGE_BARS) and stages & {sets.STAGE_SLOTS, sets.STAGE_PLAN_SLOTS}
    return bool(slots or stages & {sets.STAGE_DETAILS, sets.STAGE_PLAN_DETAILS})


def _was_cut(ctx: PartContext, parts: Sequence[PartPlan], ended: Sequence[EndedPart]) -> bool:
    """Whether this pass asked for as many symbols as one may, and a new plan would ask for more of them."""
    most = ctx.services.options.requests_a_pass
    if most is None:
        return False
    stages = {part.stage for part in parts}
    for share, prefix, planned in (
        (slots_a_pass(most), "batch:", {sets.STAGE_SLOTS, sets.STAGE_PLAN_SLOTS}),
        (details_a_pass(most), "details:", {sets.STAGE_DETAILS, sets.STAGE_PLAN_DETAILS}),
    ):
        asked = sum(part.symbols for part in ended if part.part.startswith(prefix) and part.state is PartState.DONE)
        if stages & planned and asked >= share:
            return True
    return False


def _published_at(ctx: PartContext, ruler: Ruler) -> dt.datetime | None:
    if ruler.plan.has(Capability.SAME_DAY):
        return None
    return ruler.plan.published_at(ctx.services.calendar.session(ctx.day))
