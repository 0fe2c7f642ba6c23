"""Computes what a trading day's data lacks, and plans only that.

Expected (sessions in the windows x data sets x universe) is held against the ledger: what is missing, provisional
(fetched before its session was final) or stale becomes a part. The same function plans the first pass, a later pass,
a repeated request and, at the end of a pass, says what is still missing.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

from consumer.cycle.soundness import is_atr_there, is_universe_there, sound_sessions
from consumer.postgres import capabilities, coverage
from consumer.postgres.ledger import PartPlan, PartReport
from consumer.redis_cache.marks import tokens_in
from consumer.tasks import metadata_enrich, plausible, slot_files, slot_rows, volume_slots
from consumer.tasks.slot_files import FilesSeen
from consumer.tasks.slot_rows import RANGE_BARS
from contract import data_sets as sets
from contract import keys
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write

FINISH = PartPlan(task=TaskName.CYCLE, part="finish", stage=sets.STAGE_FINISH, needs=("*",))
# What may still change bars once they have been fetched.
SETTLE_BARS = (sets.STAGE_PLAUSIBLE, sets.STAGE_RECHECK)
BEFORE_CACHES = (
    sets.STAGE_BARS,
    sets.STAGE_SPLITS,
    *SETTLE_BARS,
    sets.STAGE_SPLIT_CHECK,
    sets.STAGE_ATR,
    sets.STAGE_UNIVERSE,
    sets.STAGE_FLOATS,
    sets.STAGE_PLAN_DETAILS,
    sets.STAGE_DETAILS,
    sets.STAGE_DERIVED,
    sets.STAGE_PLAN_SLOTS,
    sets.STAGE_SLOTS,
    sets.STAGE_PROVE,
)

MADE_BY = {
    sets.ATR: TaskName.OHLC_DAILY,
    sets.SLOT_PROOF: TaskName.VOLUME_SLOTS,
    sets.DERIVED: TaskName.METADATA_ENRICH,
}


async def plan_cycle(ctx: PartContext) -> Write:
    """The first part of every pass: spawns the others, and the one that judges the pass."""
    files = await files_seen(ctx)
    parts = await missing_parts(ctx, files)
    slot_files.tell(files)

    async def write(connection: Connection) -> PartReport:
        return PartReport(spawned=(*parts, FINISH), warnings=files.warnings)

    return write


async def files_seen(ctx: PartContext) -> FilesSeen:
    """Look once a plan which flat files are out; whatever becomes of that, the plan goes on."""
    wanted = {TaskName.VOLUME_SLOTS, TaskName.REDIS_SYNC} & set(ctx.cycle.tasks)
    return await slot_files.look(ctx) if wanted else FilesSeen()


async def missing_parts(ctx: PartContext, files: FilesSeen) -> list[PartPlan]:
    """Return the parts that would bring the cycle's tasks up to date; none when everything is there."""
    parts: list[PartPlan] = []
    if TaskName.OHLC_DAILY in ctx.cycle.tasks:
        parts += await _ohlc_daily(ctx)
    if TaskName.METADATA_ENRICH in ctx.cycle.tasks:
        parts += await _metadata_enrich(ctx, {part.stage for part in parts})
    if TaskName.VOLUME_SLOTS in ctx.cycle.tasks:
        parts += await _volume_slots(ctx, {part.stage for part in parts}, files)
    if TaskName.REDIS_SYNC in ctx.cycle.tasks:
        parts += await _redis_sync(ctx, {part.stage for part in parts}, files)
    return parts


def _after(task: TaskName, part: str, stage: str, *needs: str) -> PartPlan:
    return PartPlan(task=task, part=part, stage=stage, needs=needs)


async def _ohlc_daily(ctx: PartContext) -> list[PartPlan]:
    sessions = ctx.sessions(ctx.services.options.ohlc_sessions)
    there = await sound_sessions(ctx, sessions)
    rechecks = await plausible.due_rechecks(ctx)
    # After the listing: it knows which preferred share a bar's spelling means.
    parts = [
        PartPlan(
            task=TaskName.OHLC_DAILY,
            part=f"bars:{day}",
            stage=sets.STAGE_BARS,
            needs=(sets.STAGE_UNIVERSE,),
            payload={"session": day.isoformat()},
        )
        for day in sorted({*sessions, *rechecks}, reverse=True)
        if day not in there or day in rechecks
    ]
    since = await _splits_since(ctx, sessions[0])
    if await _splits_are_due(ctx, since):
        payload = {"since": since.isoformat()}
        parts.append(PartPlan(task=TaskName.OHLC_DAILY, part="splits", stage=sets.STAGE_SPLITS, payload=payload))
    if parts or await plausible.unjudged(ctx, sessions):
        judged_after = (sets.STAGE_BARS, sets.STAGE_SPLITS, sets.STAGE_UNIVERSE)
        parts.append(_after(TaskName.OHLC_DAILY, "plausible", sets.STAGE_PLAUSIBLE, *judged_after))
    parts += [plausible.recheck_part(day) for day in rechecks]
    if ctx.cycle.first_day is not None:
        return parts  # what is computed from them is of the newest day, and its own cycle sees that it is stale
    if parts or await _is_stale(ctx, sets.SPLIT_CHECK, (sets.DAILY_BARS, sets.TAKEN, sets.SPLITS, sets.IDENTITY)):
        needs = (sets.STAGE_BARS, sets.STAGE_SPLITS, sets.STAGE_UNIVERSE, *SETTLE_BARS)
        parts.append(_after(TaskName.OHLC_DAILY, "split_check", sets.STAGE_SPLIT_CHECK, *needs))
    inputs = (sets.DAILY_BARS, sets.TAKEN, sets.SPLITS, sets.SPLIT_CHECK, sets.IDENTITY)
    if parts or await _is_stale(ctx, sets.ATR, inputs) or not await is_atr_there(ctx):
        parts.append(_after(TaskName.OHLC_DAILY, "atr", sets.STAGE_ATR, sets.STAGE_SPLIT_CHECK, sets.STAGE_UNIVERSE))
    return parts


async def _splits_since(ctx: PartContext, first: dt.date) -> dt.date:
    """The first stored session: a split that is listed late may lie before the window, and its bars need the factor."""
    oldest: dt.date | None = await ctx.services.pool.fetchval(
        "SELECT min(trading_day) FROM coverage WHERE data_set = $1", sets.DAILY_BARS
    )
    return first if oldest is None else min(first, oldest)


async def _splits_are_due(ctx: PartContext, since: dt.date) -> bool:
    known = await coverage.newest_covered(ctx.services.pool, sets.SPLITS)
    return (
        known is None
        or known.fetched_at < ctx.fresh_since(ctx.day)
        or dt.date.fromisoformat(known.detail["since"]) > since
    )


async def _is_stale(ctx: PartContext, data_set: str, inputs: tuple[str, ...]) -> bool:
    """Whether *data_set* of the cycle's day was never computed, or before one of its inputs changed."""
    computed = await coverage.covered_on(ctx.services.pool, data_set, ctx.day)
    if computed is None:
        return True
    changed_at = await coverage.newest_input(ctx.services.pool, inputs, up_to=ctx.day)
    return changed_at is not None and changed_at > computed.fetched_at


async def _is_outdated(ctx: PartContext, data_set: str) -> bool:
    """Whether *data_set*, which describes the present, was last fetched before the cycle's day asks for."""
    fetched_at = await coverage.newest(ctx.services.pool, data_set)
    return fetched_at is None or fetched_at < ctx.fresh_since(ctx.day)


async def _calendar_check_is_due(ctx: PartContext) -> bool:
    """Once a session: as of the pass's start, so that a close that passes meanwhile makes no check missing."""
    checked = await coverage.newest_day(ctx.services.pool, sets.CALENDAR_CHECK)
    return checked is None or checked < await ctx.present_day(ctx.cycle.pass_started_at)


async def _metadata_enrich(ctx: PartContext, planned: set[str]) -> list[PartPlan]:
    parts: list[PartPlan] = []
    if await _is_outdated(ctx, sets.UNIVERSE) or not await is_universe_there(ctx):
        parts.append(PartPlan(task=TaskName.METADATA_ENRICH, part="universe", stage=sets.STAGE_UNIVERSE))
    if await _is_outdated(ctx, sets.FLOATS):
        parts.append(_after(TaskName.METADATA_ENRICH, "floats", sets.STAGE_FLOATS, sets.STAGE_UNIVERSE))
    if await _calendar_check_is_due(ctx):
        parts.append(PartPlan(task=TaskName.METADATA_ENRICH, part="calendar", stage=sets.STAGE_CALENDAR))
    if sets.STAGE_UNIVERSE in {part.stage for part in parts} or sets.STAGE_SPLITS in planned:
        parts.append(
            _after(TaskName.METADATA_ENRICH, "plan", sets.STAGE_PLAN_DETAILS, sets.STAGE_UNIVERSE, sets.STAGE_SPLITS)
        )
    else:
        parts += metadata_enrich.plan(ctx, await metadata_enrich.due_details(ctx))
    inputs = (sets.DAILY_BARS, sets.TAKEN, sets.SPLITS, sets.SPLIT_CHECK, sets.IDENTITY, sets.DETAILS)
    if parts or planned or await _is_stale(ctx, sets.DERIVED, inputs):
        parts.append(
            _after(
                TaskName.METADATA_ENRICH,
                "derived",
                sets.STAGE_DERIVED,
                sets.STAGE_BARS,
                sets.STAGE_SPLITS,
                *SETTLE_BARS,
                sets.STAGE_SPLIT_CHECK,
                sets.STAGE_UNIVERSE,
                sets.STAGE_FLOATS,
                sets.STAGE_PLAN_DETAILS,
                sets.STAGE_DETAILS,
            )
        )
    return parts


async def _volume_slots(ctx: PartContext, planned: set[str], files: FilesSeen) -> list[PartPlan]:
    parts: list[PartPlan] = []
    if sets.STAGE_UNIVERSE not in planned and await coverage.newest(ctx.services.pool, sets.UNIVERSE) is None:
        parts.append(PartPlan(task=TaskName.METADATA_ENRICH, part="universe", stage=sets.STAGE_UNIVERSE))
        planned = planned | {sets.STAGE_UNIVERSE}
    if sets.STAGE_UNIVERSE in planned:
        parts.append(_after(TaskName.VOLUME_SLOTS, "plan", sets.STAGE_PLAN_SLOTS, sets.STAGE_UNIVERSE))
    else:
        parts += await volume_slots.plan(ctx, await slot_rows.missing_slots(ctx), files)
    if parts or sets.STAGE_BARS in planned or await _is_stale(ctx, sets.SLOT_PROOF, (sets.DAILY_BARS, sets.TAKEN)):
        needs = (sets.STAGE_BARS, *SETTLE_BARS, sets.STAGE_PLAN_SLOTS, sets.STAGE_SLOTS)
        parts.append(_after(TaskName.VOLUME_SLOTS, "prove", sets.STAGE_PROVE, *needs))
    return parts


async def _redis_sync(ctx: PartContext, planned: set[str], files: FilesSeen) -> list[PartPlan]:
    if await newer_caches(ctx) is not None:
        return []
    tokens = await asyncio.to_thread(_cache_tokens, ctx)
    parts = []
    for cache, inputs in sets.CACHE_INPUTS.items():
        if await _waits_for_another_task(ctx, cache) or await _waits_for_the_plan(ctx, cache, files):
            continue
        if planned or ctx.cycle.force or await _cache_is_stale(ctx, cache, inputs, tokens.get(cache)):
            parts.append(
                PartPlan(
                    task=TaskName.REDIS_SYNC,
                    part=cache.removeprefix("cache:"),
                    stage=sets.STAGE_CACHE,
                    needs=BEFORE_CACHES,
                    payload={"cache": cache},
                )
            )
    return parts


async def _waits_for_another_task(ctx: PartContext, cache: str) -> bool:
    """Whether a request for one task cannot bring this cache, since another task has not brought its input yet."""
    if not set(ctx.cycle.tasks) & set(MADE_BY.values()):
        return False  # the caches themselves were asked for: then a missing input is worth saying
    for data_set in sets.CACHE_REQUIRES.get(cache, ()):
        made_here = MADE_BY[data_set] in ctx.cycle.tasks
        if not made_here and await coverage.covered_on(ctx.services.pool, data_set, ctx.day) is None:
            return True
    return False


async def _waits_for_the_plan(ctx: PartContext, cache: str, files: FilesSeen) -> bool:
    """Whether the cache is made of slots of the day that this plan does not give, or gives as a file the next day."""
    if sets.SLOT_PROOF not in sets.CACHE_REQUIRES.get(cache, ()):
        return False
    if not await capabilities.is_lacking(ctx.services.pool, RANGE_BARS):
        return False
    return (
        ctx.day not in files.versions and await coverage.covered_on(ctx.services.pool, sets.SLOT_PROOF, ctx.day) is None
    )


async def newer_caches(ctx: PartContext) -> dt.date | None:
    """Return the day the caches stand at, if that is later than the cycle's: they are never taken back in time."""
    day: dt.date | None = await ctx.services.pool.fetchval(
        "SELECT max(trading_day) FROM coverage WHERE data_set = ANY ($1)", list(sets.CACHES)
    )
    return day if day is not None and day > ctx.day else None


async def _cache_is_stale(ctx: PartContext, cache: str, inputs: tuple[str, ...], token: int | None) -> bool:
    """A cache is stale when its inputs are newer, or when Redis does not hold what the ledger says was written."""
    written = await coverage.covered_on(ctx.services.pool, cache, ctx.day)
    if written is None or token is None or token != written.detail.get("fence"):
        return True
    return await _is_stale(ctx, cache, inputs)


def _cache_tokens(ctx: PartContext) -> dict[str, int]:
    found: Any = ctx.services.cache.hgetall(keys.CACHES.pattern)
    return tokens_in(found)
