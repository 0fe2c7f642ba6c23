"""Proves that asking for maintenance writes one readable entry."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from contract.keys import TASKS
from contract.messages import TaskMessage, TaskName, decode_task
from producers.trigger import request, request_cycle

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_a_request_is_one_entry_that_the_consumer_understands(redis: Redis) -> None:
    day = dt.date(2025, 11, 11)
    entry_id = await request_cycle(
        redis, trading_day=day, task=TaskName.OHLC_DAILY, force=True, requested_by="the test"
    )
    [(found_id, fields)] = await redis.xrange(TASKS.name)
    assert found_id == entry_id
    wanted = TaskMessage(task=TaskName.OHLC_DAILY, trading_day=day, force=True, requested_by="the test")
    assert decode_task(fields) == wanted


async def test_a_backfill_names_its_first_session_and_its_last(redis: Redis) -> None:
    first, last = dt.date(2025, 11, 3), dt.date(2025, 11, 11)
    wanted = TaskMessage(task=TaskName.CYCLE, trading_day=last, first_day=first, requested_by="the test")
    await request(redis, wanted)
    [(_, fields)] = await redis.xrange(TASKS.name)
    assert decode_task(fields) == wanted


async def test_without_a_day_the_entry_names_none(redis: Redis) -> None:
    await request_cycle(redis, requested_by="cron")
    [(_, fields)] = await redis.xrange(TASKS.name)
    assert fields["task"] == "cycle"
    assert "trading_day" not in fields
