"""What a process counts is added up in Redis: when it stops as well, once, and later where Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ConnectionError as RedisUnreachable

from consumer import counting
from consumer.counting import Count, Counts, read_counts
from consumer.runtime import connect_redis, end_all

if TYPE_CHECKING:
    from redis.asyncio import Redis

GOOD = Count(family="requests", first="splits", second="200")


async def test_what_was_counted_is_added_when_the_process_stops(redis_url: str) -> None:
    async with connect_redis(redis_url) as redis:
        counts = Counts()
        running = asyncio.create_task(counts.run(redis))
        await asyncio.sleep(0)  # it has begun, and waits
        counts.answered("splits", 200)
        await end_all([running])
        assert await read_counts(redis) == {GOOD: 1}


async def test_what_redis_did_not_take_is_added_the_next_time(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect_redis(redis_url) as redis:
        counts = Counts()
        counts.answered("splits", 200)
        with monkeypatch.context() as away:
            away.setattr(type(redis), "pipeline", lambda _self, **_: Away())
            with pytest.raises(RedisUnreachable):
                await counts.add_to(redis)
        counts.answered("splits", 200)
        await counts.add_to(redis)
        assert await read_counts(redis) == {GOOD: 2}


class Away:
    """A pipeline to a Redis that is not there."""

    def hincrby(self, *_: object) -> None:
        pass

    async def execute(self) -> None:
        raise RedisUnreachable("refused")


async def test_what_somebody_else_wrote_into_the_counts_is_left_out(redis_url: str) -> None:
    async with connect_redis(redis_url) as redis:
        await write(redis, {"requests:splits:200": "3", "junk": "1", "requests:splits:x": "many", "other:a:b": "2"})
        assert await read_counts(redis) == {GOOD: 3}


async def write(redis: Redis, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        await redis.hset("maintenance:counted", name, value)  # type: ignore[misc]


def test_it_is_added_more_often_than_prometheus_asks() -> None:
    assert counting.ADD_EVERY_S < 15
