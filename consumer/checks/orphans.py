"""Looks for work that has lost its way: entries without a message, identities without an entry, parts without either.

All of it mends itself within a minute; what is found here twice in a row is a defect, or a service that does not run.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from consumer.checks.asked_work import GONE
from consumer.checks.finding import Finding, ok, warning
from consumer.checks.pending_work import HeldAs, read_pending
from consumer.postgres import cycles, dead_letters, ledger
from contract import keys
from contract.messages import TASK_VERSION

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

ANY_NUMBER_OF_DELIVERIES = sys.maxsize
SETTLED_WITHIN = dt.timedelta(seconds=2)
MENDS = "a running consumer mends it within a minute; if it stays, none runs: look at `maintenance pending`"


async def check_groups(redis: Redis) -> list[Finding]:
    """Both streams have the group. Raises RedisError."""
    found = []
    for stream in (keys.TASKS, keys.SESSIONS):
        try:
            groups: Any = await redis.xinfo_groups(stream.name)
        except ResponseError:
            groups = []
        names = {str(group["name"]) for group in groups}
        foreign = sorted(names - {keys.GROUP})
        if keys.GROUP not in names:
            cure = "the first consumer makes it: start one"
            found.append(warning(f"group of {stream.name}", f"no group {keys.GROUP}", cure))
        elif foreign and stream is keys.TASKS:
            cure = f"entries are deleted when {keys.GROUP} has done them: XGROUP DESTROY {stream.name} {foreign[0]}"
            found.append(warning(f"group of {stream.name}", f"foreign groups {', '.join(foreign)}", cure))
        else:
            found.append(ok(f"group of {stream.name}", keys.GROUP))
    return found


async def check_pending(redis: Redis, *, lease: dt.timedelta) -> Finding:
    """No entry waits for longer than a lease, and each has its message. Raises RedisError."""
    check = "pending entries"
    found = await read_pending(redis, lease=lease, max_deliveries=ANY_NUMBER_OF_DELIVERIES)
    tasks = [one for one in found.held if one.stream == keys.TASKS.name]
    silent = [one for one in tasks if one.standing is HeldAs.ABANDONED]
    ghosts = [one for one in tasks if one.work.note == GONE]
    if silent or ghosts:
        holders = sorted({one.holder for one in silent})
        by = f" ({', '.join(holders[:3])}{', …' if len(holders) > 3 else ''})" if holders else ""
        seen = f"{len(silent)} without a living holder{by}, {len(ghosts)} without a message, of {len(tasks)}"
        return warning(check, seen, MENDS)
    return ok(check, f"{len(tasks)}, each with a living holder")


async def check_versions(redis: Redis) -> Finding:
    """No message waits for a newer worker. Raises RedisError."""
    check = "message versions"
    found = await read_pending(redis, lease=SETTLED_WITHIN, max_deliveries=ANY_NUMBER_OF_DELIVERIES)
    if newer := found.for_newer:
        versions = ", ".join(str(version) for version in sorted({work.version or 0 for work in newer}))
        seen = f"{len(newer)} wait for a newer worker, of version {versions}; {TASK_VERSION} is known here"
        return warning(check, seen, "start a worker of the release that sent them; they wait as they are until then")
    return ok(check, f"nothing waits for a newer version than {TASK_VERSION}")


async def check_identities(redis: Redis) -> Finding:
    """Parked messages have a time, and queued identities an entry. Raises RedisError."""
    check = "parked and queued work"
    parked, due, queued = await _identities(redis)
    timeless, lost, gone = parked - due, due - parked, await _without_entry(redis, queued)
    if timeless or lost or gone:
        # What was settled or became due between two questions only looked lost: it is gone from the second answer.
        parked, due, queued = await _identities(redis)
        timeless, lost, gone = timeless & (parked - due), lost & (due - parked), gone & set(queued.items())
    if timeless or lost or gone:
        seen = f"{len(timeless)} parked without a time, {len(lost) + len(gone)} due or queued without a message"
        return warning(check, seen, "swept every ten minutes by each consumer; harmless meanwhile")
    return ok(check, f"{len(due)} parked, {len(queued)} queued")


async def _identities(redis: Redis) -> tuple[set[str], set[str], dict[str, str]]:
    """Names of what is parked and of what has a time, and queued names with their entry, all at one instant."""
    pipeline = redis.pipeline(transaction=True)
    pipeline.hkeys(keys.LATER_MESSAGES.pattern)
    pipeline.zrange(keys.LATER.pattern, 0, -1)
    pipeline.hgetall(keys.QUEUED.pattern)
    # Another type under one of these names is told by `spoilt_keys`.
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    parked, due, queued = ({} if isinstance(one, ResponseError) else one for one in answers)
    return set(parked), set(due), dict(queued)


async def _without_entry(redis: Redis, queued: dict[str, str]) -> set[tuple[str, str]]:
    pipeline = redis.pipeline(transaction=False)
    for entry_id in queued.values():
        pipeline.xrange(keys.TASKS.name, entry_id, entry_id)
    entries: list[Any] = await pipeline.execute(raise_on_error=False)
    gone = (isinstance(found, ResponseError) or not found for found in entries)
    return {item for item, is_gone in zip(queued.items(), gone, strict=True) if is_gone}


async def check_parts(pool: Pool, redis: Redis, *, patience: dt.timedelta = SETTLED_WITHIN) -> Finding:
    """Each part that should run has a message. Raises RedisError, CONNECTION_ERRORS."""
    check = "parts in the ledger"
    missing, total = await _parts_without_message(pool, redis)
    if missing:
        # A part's successors are committed a moment before their messages are sent: only what stays so is lost.
        await asyncio.sleep(patience.total_seconds())
        still, total = await _parts_without_message(pool, redis)
        missing &= still
    if missing:
        seen = f"{len(missing)} of {total} open parts have no message, {min(missing)} among them"
        return warning(check, seen, MENDS)
    return ok(check, f"{total} open, each with its message")


async def _parts_without_message(pool: Pool, redis: Redis) -> tuple[set[str], int]:
    names = [
        part.key
        for cycle in await cycles.unended_cycles(pool)
        for part in await ledger.dispatchable(pool, cycle.cycle_id, all_open=True)
    ]
    if not names:
        return set(), 0
    pipeline = redis.pipeline(transaction=True)
    pipeline.hmget(keys.QUEUED.pattern, names)
    pipeline.zmscore(keys.LATER.pattern, names)
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    queued, due = ([None] * len(names) if isinstance(one, ResponseError) else one for one in answers)
    return {name for name, entry, at in zip(names, queued, due, strict=True) if entry is None and at is None}, len(
        names
    )


async def check_dead_letters(pool: Pool) -> Finding:
    """Nobody has to see to anything. Raises CONNECTION_ERRORS."""
    count = await dead_letters.open_count(pool)
    if count:
        return warning("dead letters", f"{count} open", "`maintenance dead-letters list`, then replay or drop")
    return ok("dead letters", "none open")
