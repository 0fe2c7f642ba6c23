"""Notices that Redis does not hold the caches that the ledger says were written: flushed, replaced, or restored from an
older copy; and asks for them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from consumer.catalogue.registry import CACHES
from consumer.delivery.entries import Outgoing
from consumer.postgres.cycles import asked_so_far
from consumer.redis_cache.marks import tokens_in
from contract import keys
from contract.messages import TaskMessage, TaskName, encode

if TYPE_CHECKING:
    import asyncpg
    from redis.asyncio import Redis

    from consumer.postgres.pool import Pool

FIRST_WAIT = dt.timedelta(seconds=30)
LONGEST_WAIT = dt.timedelta(hours=1)


async def holds_all_caches(pool: Pool, redis: Redis) -> bool:
    """Whether Redis holds every cache that the ledger says was written, as it was written."""
    return not await _lost(await written_caches(pool), redis)


async def written_caches(pool: Pool) -> list[asyncpg.Record]:
    """Return data_set, trading_day, fetched_at, load_id and fence of the newest day's caches, as the ledger says."""
    return await pool.fetch(
        "SELECT data_set, trading_day, fetched_at, load_id, (detail->>'fence')::bigint AS fence FROM coverage "
        "WHERE data_set = ANY ($1) AND trading_day = (SELECT max(trading_day) FROM coverage WHERE data_set = ANY ($1))",
        list(CACHES),
    )


async def _lost(written: list[asyncpg.Record], redis: Redis) -> bool:
    marks: Any = await redis.hgetall(keys.CACHES.pattern)
    tokens = tokens_in(marks)
    return not all(tokens.get(row["data_set"]) == row["fence"] for row in written)


async def request_for_lost_caches(pool: Pool, redis: Redis, *, now: dt.datetime) -> list[Outgoing]:
    """Return the message that has them written again; none when all are there, or were asked for a moment ago."""
    written = await written_caches(pool)
    if not await _lost(written, redis):
        return []
    # Named after the write that was lost, so that it is asked for once; where that did not help, again, but rarely.
    name = f"caches-lost-{max(row['load_id'] for row in written)}-"
    tried = await asked_so_far(pool, name)
    if tried.last is not None and now < tried.last + min(FIRST_WAIT * 2 ** min(tried.times, 10), LONGEST_WAIT):
        return []
    request = f"{name}{tried.times + 1}"
    message = TaskMessage(
        task=TaskName.REDIS_SYNC, trading_day=written[0]["trading_day"], request=request, requested_by="catch-up"
    )
    return [Outgoing(fields=encode(message), key=f"request:{request}")]
