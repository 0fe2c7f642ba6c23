"""The request budget as a person looks at it: what is granted of what, without a grant being spent by the look."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.massive.budget import MINUTE, Ration, RequestBudget, budget_keys, budget_windows
from consumer.massive.budget_state import read_budget_state
from tests.massive.scripted_vendor import KEY

if TYPE_CHECKING:
    from redis.asyncio import Redis

RATION = Ration(
    api_key=KEY,
    windows=budget_windows(per_second=None, per_minute=5),
    endpoint_windows={"range_bars": budget_windows(per_second=None, per_minute=2)},
)


async def test_an_unused_budget_has_all_its_requests(redis: Redis) -> None:
    state = await read_budget_state(redis, RATION)
    assert [(one.endpoint, one.name, one.used, one.limit) for one in state.windows] == [
        ("", "minute", 0, 5),
        ("range_bars", "minute", 0, 2),
    ]
    assert (state.paused_until, [one.free_at for one in state.windows]) == (None, [None, None])


async def test_grants_are_counted_by_limit_and_a_used_up_one_says_when_it_is_free(redis: Redis) -> None:
    budget = RequestBudget(redis, RATION)
    first = await budget.ask("range_bars")
    await budget.ask("range_bars")
    await budget.ask("grouped_daily")
    before = [await redis.lrange(key, 0, -1) for key in await redis.keys("maintenance:budget:*")]
    everything, ranges = (await read_budget_state(redis, RATION)).windows
    assert (everything.used, everything.free_at) == (3, None)
    assert ranges.used == 2
    free_at = dt.datetime.fromtimestamp(first.at_us / 1_000_000, tz=dt.UTC) + MINUTE
    assert ranges.free_at is not None
    assert abs(ranges.free_at - free_at) < dt.timedelta(microseconds=5)
    assert [await redis.lrange(key, 0, -1) for key in await redis.keys("maintenance:budget:*")] == before


async def test_what_was_granted_longer_ago_than_the_limit_counts_is_not_counted(redis: Redis) -> None:
    await RequestBudget(redis, RATION).ask()
    (key,) = budget_keys(KEY, RATION.windows)[1:]
    seconds, _ = await redis.time()
    await redis.rpush(key, str((seconds - 62) * 1_000_000))
    assert (await read_budget_state(redis, RATION)).windows[0].used == 1


async def test_a_pause_that_the_vendor_asked_for_is_told_until_it_is_over(redis: Redis) -> None:
    await RequestBudget(redis, RATION).pause(dt.timedelta(seconds=30))
    state = await read_budget_state(redis, RATION)
    assert state.paused_until is not None
    assert dt.timedelta(seconds=25) < state.paused_until - state.at <= dt.timedelta(seconds=30)
    await redis.set(budget_keys(KEY, RATION.windows)[0], "by hand")
    assert (await read_budget_state(redis, RATION)).paused_until is None
