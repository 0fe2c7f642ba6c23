"""Reads what /metrics tells: by what the page reads, bounded, and with a server away what is known without it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import RedisError, ResponseError

from consumer.counting import Count, read_counts
from consumer.postgres import cycles
from consumer.postgres.run_figures import TaskTally, read_tallies
from consumer.vendors import budget_state
from consumer.verdict.reading import Judged
from consumer.web.health import AWAY, Check
from consumer.web.monitor import Status
from contract import keys
from market.data_source import VENDOR

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.page.overview import Desk
    from consumer.postgres.cycles import Cycle
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor


class OfStream(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a stream, and how far its *group* is; *lag* None where Redis does not know it."""

    stream: str
    entries: int
    group: str | None = None
    pending: int = 0
    lag: int | None = None
    oldest_pending_at: dt.datetime | None = None


class LastCycle(msgspec.Struct, frozen=True, kw_only=True):
    """The cycle that ended last: how long it was at work, and what its tasks came to."""

    duration: dt.timedelta
    tallies: dict[str, TaskTally]


class OfLedger(msgspec.Struct, frozen=True, kw_only=True):
    """What PostgreSQL says."""

    status: Status
    judged: Judged
    last: LastCycle | None
    last_success_at: dt.datetime | None


class OfRedis(msgspec.Struct, frozen=True, kw_only=True):
    """What Redis says; *budget*: requests that each window would let through now."""

    streams: tuple[OfStream, ...]
    parked: int
    counts: dict[Count, int]
    budget: dict[str, int]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was known at *now*; None of what a server says that is away."""

    now: dt.datetime
    checks: dict[str, Check]
    ledger: OfLedger | None
    redis: OfRedis | None


async def read_facts(monitor: Monitor, desk: Desk, settings: Settings) -> Facts:
    """Ask both servers."""
    now, checks = monitor.now(), await monitor.health()
    ledger = redis = None
    if checks["postgresql"].connected:
        try:
            ledger = await _of_ledger(monitor, desk)
        except AWAY as error:
            checks = {**checks, "postgresql": Check(connected=False, error=type(error).__name__)}
    if checks["redis"].connected:
        try:
            redis = await _of_redis(monitor.redis, settings)
        except RedisError as error:
            checks = {**checks, "redis": Check(connected=False, error=type(error).__name__)}
    return Facts(now=now, checks=checks, ledger=ledger, redis=redis)


async def _of_ledger(monitor: Monitor, desk: Desk) -> OfLedger:
    async with monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        judged = await desk.judge(connection)
        ended = await cycles.last_ended(connection)
        last = None if ended is None else _last(ended, await read_tallies(connection, ended))
        last_success_at = await cycles.last_complete_at(connection)
    return OfLedger(status=await monitor.status(judged), judged=judged, last=last, last_success_at=last_success_at)


def _last(cycle: Cycle, tallies: dict[str, TaskTally]) -> LastCycle:
    assert cycle.finished_at is not None, "it has ended"
    return LastCycle(duration=cycle.finished_at - cycle.opened_at, tallies=tallies)


async def _of_redis(redis: Redis, settings: Settings) -> OfRedis:
    return OfRedis(
        streams=tuple([await _of_stream(redis, stream) for stream in keys.STREAMS]),
        parked=int(await redis.zcard(keys.LATER.pattern)),
        counts=await read_counts(redis),
        budget=await _budget(redis, settings),
    )


async def _budget(redis: Redis, settings: Settings) -> dict[str, int]:
    """Of the key as a whole; how often a budget is looked at, which the source tells, says nothing of what is left."""
    state = await budget_state(settings, redis, VENDOR)
    of_all = [] if state is None else [one for one in state.windows if not one.endpoint]
    return {one.name: max(0, one.limit - one.used) for one in of_all}


async def _of_stream(redis: Redis, stream: keys.Stream) -> OfStream:
    entries = int(await redis.xlen(stream.name))
    if stream.group is None:
        return OfStream(stream=stream.name, entries=entries)
    try:
        groups: Any = await redis.xinfo_groups(stream.name)
        pending: Any = await redis.xpending(stream.name, stream.group)
    except ResponseError:  # no stream, or no group yet
        return OfStream(stream=stream.name, entries=entries)
    lag = next((one.get("lag") for one in groups if one["name"] == stream.group), None)
    oldest = pending["min"]
    return OfStream(
        stream=stream.name,
        entries=entries,
        group=stream.group,
        pending=int(pending["pending"]),
        lag=None if lag is None else int(lag),
        oldest_pending_at=None if oldest is None else _instant(str(oldest)),
    )


def _instant(entry_id: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, dt.UTC)
