"""What somebody's hand has spoilt in Redis is told, by the doctor and by /health, as long as it is so."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.checks import orphans
from consumer.checks.finding import Level
from consumer.checks.pending_work import read_pending
from consumer.checks.spoilt_keys import check_spoilt
from consumer.maintenance_channel import task_stream
from consumer.verdict.options import expectations_of
from consumer.web.monitor import Monitor
from contract import keys
from producers.mending import mend
from tests.cycle.stack import OPTIONS, SCHEDULE

if TYPE_CHECKING:
    from redis.asyncio import Redis

LEASE = dt.timedelta(seconds=5)
LAST = "18446744073709551615-18446744073709551615"


class AnswersOne:
    """In place of a pool: a PostgreSQL that is well."""

    async def fetchval(self, *_: object) -> int:
        return 1


def monitor(redis: Redis) -> Monitor:
    return Monitor(
        pool=cast("Any", AnswersOne()),
        redis=redis,
        expectations=expectations_of(OPTIONS, SCHEDULE, slot_files=False),
        now=lambda: dt.datetime.now(dt.UTC),
    )


@pytest.mark.parametrize("stream", [stream.name for stream in keys.STREAMS])
async def test_a_stream_that_takes_no_entries_is_told_until_it_is_mended(redis: Redis, stream: str) -> None:
    assert (await check_spoilt(redis)).level is Level.OK
    await redis.xadd(stream, {"a": "b"}, id=LAST)
    finding, health = await check_spoilt(redis), await monitor(redis).health()
    assert (finding.level, finding.seen.startswith(f"{stream}: its last id")) == (Level.REFUSED, True)
    assert (health["redis"].connected, health["streams"].connected) == (True, False)
    assert stream in str(health["streams"].error)
    await mend(redis)
    assert (await check_spoilt(redis)).level is Level.OK
    assert (await monitor(redis).health())["streams"].connected


async def test_the_other_checks_and_the_list_of_pending_work_stand_whatever_is_under_our_names(redis: Redis) -> None:
    for name in (
        keys.TASKS.name,
        keys.SESSIONS.name,
        *(k.pattern for k in (keys.LATER, keys.LATER_MESSAGES, keys.QUEUED)),
    ):
        await redis.set(name, "somebody's")
    assert [one.level for one in await orphans.check_groups(redis)] == [Level.WARNING, Level.WARNING]
    assert (await orphans.check_pending(redis, lease=LEASE)).level is Level.OK
    assert (await orphans.check_identities(redis)).level is Level.OK
    assert (await check_spoilt(redis)).seen.count("a string stands under its name") == 5


async def test_times_and_identities_that_are_none_are_shown_and_found(redis: Redis) -> None:
    await task_stream(redis, redis, consumer="doctor", lease=LEASE).ensure_group()
    for key, due in (("a", 9e15), ("b", float("inf")), ("c", -1.0), ("d", float("-inf"))):
        await redis.zadd(keys.LATER.pattern, {key: due})
        await redis.hset(keys.LATER_MESSAGES.pattern, key, b"\xff")
    await redis.hset(keys.QUEUED.pattern, "e", "garbage")
    found = await read_pending(redis, lease=LEASE, max_deliveries=5)
    assert sorted({one.due_at.year for one in found.parked}) == [1970, 9999]
    assert "1 due or queued without a message" in (await orphans.check_identities(redis)).seen
