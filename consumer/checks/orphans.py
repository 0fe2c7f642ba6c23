"""Looks for work that has lost its way: entries without a message, identities without an entry, parts without either.

All of it mends itself within a minute; what is found here twice in a row is a defect, or a service that does not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from consumer.checks.finding import Finding, ok, warning
from consumer.postgres import dead_letters, ledger
from producers import keys

if TYPE_CHECKING:
    import datetime as dt

    from redis.asyncio import Redis

    from consumer.postgres.ledger import Pool

LOOKED_AT = 1000
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
    try:
        rows: Any = await redis.xpending_range(keys.TASKS.name, keys.GROUP, "-", "+", LOOKED_AT)
    except ResponseError:
        return ok(check, "none")
    silent = [row for row in rows if row["time_since_delivered"] > 2 * lease.total_seconds() * 1000]
    ghosts = [row for row in rows if not await redis.xrange(keys.TASKS.name, row["message_id"], row["message_id"])]
    if silent or ghosts:
        seen = f"{len(silent)} without a living holder, {len(ghosts)} without a message, of {len(rows)}"
        return warning(check, seen, MENDS)
    return ok(check, f"{len(rows)}, each with a living holder")


async def check_identities(redis: Redis) -> Finding:
    """Parked messages have a time, and queued identities an entry. Raises RedisError."""
    check = "parked and queued work"
    parked: Any = await redis.hkeys(keys.LATER_MESSAGES.pattern)
    due: Any = await redis.zrange(keys.LATER.pattern, 0, -1)
    queued: Any = await redis.hgetall(keys.QUEUED.pattern)
    timeless, lost = set(parked) - set(due), set(due) - set(parked)
    gone = [key for key, entry_id in queued.items() if not await redis.xrange(keys.TASKS.name, entry_id, entry_id)]
    if timeless or lost or gone:
        seen = f"{len(timeless)} parked without a time, {len(lost) + len(gone)} due or queued without a message"
        return warning(check, seen, "swept every ten minutes by each consumer; harmless meanwhile")
    return ok(check, f"{len(due)} parked, {len(queued)} queued")


async def check_parts(pool: Pool, redis: Redis) -> Finding:
    """Each part that should run has a message. Raises RedisError, CONNECTION_ERRORS."""
    check = "parts in the ledger"
    missing, total = [], 0
    for cycle in await ledger.unended_cycles(pool):
        for part in await ledger.dispatchable(pool, cycle.cycle_id, all_open=True):
            total += 1
            queued: Any = await redis.hget(keys.QUEUED.pattern, part.key)
            if queued is None and await redis.zscore(keys.LATER.pattern, part.key) is None:
                missing.append(part.key)
    if missing:
        return warning(check, f"{len(missing)} of {total} open parts have no message, {missing[0]} among them", MENDS)
    return ok(check, f"{total} open, each with its message")


async def check_dead_letters(pool: Pool) -> Finding:
    """Nobody has to see to anything. Raises CONNECTION_ERRORS."""
    count = await dead_letters.open_count(pool)
    if count:
        return warning("dead letters", f"{count} open", "`maintenance dead-letters list`, then replay or drop")
    return ok("dead letters", "none open")
