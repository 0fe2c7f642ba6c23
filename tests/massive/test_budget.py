"""The request budget on a real Redis."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from consumer.massive.budget import (
    MINUTE,
    Ration,
    RequestBudget,
    UnlimitedBudget,
    Window,
    budget_keys,
    budget_windows,
)
from consumer.settings import read_settings
from consumer.vendor.errors import BudgetUnavailable
from consumer.vendors import request_budget
from market.data_source import VENDOR, simulated_source
from tests.massive.scripted_vendor import KEY, Naps

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
FIVE_A_MINUTE = budget_windows(per_second=None, per_minute=5)
QUICK = (Window(name="second", limit=3, length=dt.timedelta(seconds=0.1)),)


def budget_on(redis: Redis, windows: Sequence[Window] = FIVE_A_MINUTE) -> RequestBudget:
    return RequestBudget(redis, Ration(api_key=KEY, windows=windows))


def assert_rationed(grants_us: list[int], windows: Sequence[Window]) -> None:
    grants_us.sort()
    for window in windows:
        length_us = window.length // dt.timedelta(microseconds=1)
        for first, beyond in zip(grants_us, grants_us[window.limit :], strict=False):
            assert beyond - first >= length_us, f"more than {window.limit} grants in {window.length}"


async def test_five_a_minute_are_granted_at_once_and_the_sixth_waits_a_minute(redis: Redis) -> None:
    budget = budget_on(redis)
    first = [await budget.ask() for _ in range(5)]
    sixth = await budget.ask()
    assert [(decision.granted, decision.wait) for decision in first] == [(True, dt.timedelta(0))] * 5
    assert not sixth.granted
    assert dt.timedelta(seconds=60) < sixth.wait <= MINUTE
    assert sixth.reason == "5 requests a minute"


async def test_a_long_wait_reserves_nothing_so_a_dead_process_wastes_nothing(redis: Redis) -> None:
    budget = budget_on(redis)
    for _ in range(5):
        await budget.ask()
    before = await redis.lrange(budget_keys(KEY, FIVE_A_MINUTE)[1], 0, -1)
    for _ in range(20):
        assert not (await budget.ask()).granted
    assert await redis.lrange(budget_keys(KEY, FIVE_A_MINUTE)[1], 0, -1) == before


async def test_a_short_wait_is_reserved_in_the_order_of_asking(redis: Redis) -> None:
    budget = budget_on(redis, QUICK)
    decisions = [await budget.ask() for _ in range(30)]
    grants = [decision.at_us for decision in decisions]
    assert all(decision.granted for decision in decisions)
    assert grants == sorted(grants)
    assert_rationed(grants, QUICK)


async def test_both_limits_hold_together_over_a_real_second(redis: Redis) -> None:
    windows = (
        Window(name="second", limit=3, length=dt.timedelta(seconds=0.05)),
        Window(name="minute", limit=10, length=dt.timedelta(seconds=0.4)),
    )
    budget = budget_on(redis, windows)
    grants = []
    for _ in range(25):
        decision = await budget.ask()
        assert decision.granted
        grants.append(decision.at_us)
    assert_rationed(grants, windows)
    # Neither limit wastes what the other allows: 25 grants need two full long windows and a rest of five.
    assert 0.8 <= (grants[-1] - grants[0]) / 1e6 < 1.1


async def test_processes_with_different_limits_share_one_key(redis: Redis) -> None:
    narrow = (Window(name="minute", limit=2, length=dt.timedelta(seconds=60)),)
    wide = (Window(name="minute", limit=4, length=dt.timedelta(seconds=60)),)
    assert (await budget_on(redis, narrow).ask()).granted
    assert (await budget_on(redis, narrow).ask()).granted
    assert not (await budget_on(redis, narrow).ask()).granted
    assert (await budget_on(redis, wide).ask()).granted
    assert (await budget_on(redis, wide).ask()).granted
    assert not (await budget_on(redis, wide).ask()).granted


async def test_nobody_overtakes_a_grant_that_is_reserved_already(redis: Redis) -> None:
    narrow = (Window(name="second", limit=1, length=dt.timedelta(seconds=0.5)),)
    wide = (Window(name="second", limit=9, length=dt.timedelta(seconds=0.5)),)
    await budget_on(redis, narrow).ask()
    reserved = await budget_on(redis, narrow).ask()
    assert reserved.wait > dt.timedelta(0)
    assert (await budget_on(redis, wide).ask()).at_us >= reserved.at_us


ASK_IN_A_PROCESS = """
import asyncio, sys
from redis.asyncio import Redis
from consumer.massive.budget import Ration, RequestBudget, Window
import datetime as dt
async def main():
    async with Redis.from_url(sys.argv[1]) as redis:
        window = Window(name="second", limit=5, length=dt.timedelta(seconds=0.2))
        budget = RequestBudget(redis, Ration(api_key=sys.argv[2], windows=[window]))
        for _ in range(8):
            decision = await budget.ask()
            while not decision.granted:
                await asyncio.sleep(decision.wait.total_seconds())
                decision = await budget.ask()
            print(decision.at_us, flush=True)
asyncio.run(main())
"""


async def test_three_processes_together_stay_within_one_budget(redis_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASK_IN_A_PROCESS, redis_url, KEY, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0] for process in processes]
    grants = [int(line) for output in outputs for line in output.split()]
    assert len(grants) == 24
    assert_rationed(grants, [Window(name="second", limit=5, length=dt.timedelta(seconds=0.2))])


async def test_a_pause_holds_back_everybody_and_a_shorter_one_does_not_end_it(redis: Redis) -> None:
    budget, other = budget_on(redis), budget_on(redis)
    await budget.pause(dt.timedelta(seconds=60))
    await budget.pause(dt.timedelta(seconds=1))
    decision = await other.ask()
    assert not decision.granted
    assert dt.timedelta(seconds=59) < decision.wait <= dt.timedelta(seconds=60)
    assert decision.reason == "the vendor asked for a pause"


async def test_requests_go_out_again_after_a_pause(redis: Redis) -> None:
    budget = budget_on(redis)
    await budget.pause(dt.timedelta(seconds=0.1))
    paused = await budget.ask()
    assert paused.granted
    assert dt.timedelta(0) < paused.wait <= dt.timedelta(seconds=0.1)


async def test_a_clock_that_went_back_costs_one_window_and_not_the_hours(redis: Redis) -> None:
    budget = budget_on(redis)
    for _ in range(5):
        await budget.ask()
    grants = budget_keys(KEY, FIVE_A_MINUTE)[1]
    an_hour_ahead = [int(instant) + 3_600_000_000 for instant in await redis.lrange(grants, 0, -1)]
    await redis.delete(grants)
    await redis.rpush(grants, *an_hour_ahead)
    decision = await budget.ask()
    assert not decision.granted
    assert dt.timedelta(seconds=60) < decision.wait <= MINUTE


async def test_the_keys_name_no_api_key_and_expire(redis: Redis) -> None:
    budget = budget_on(redis, budget_windows(per_second=50, per_minute=5))
    await budget.ask()
    await budget.pause(dt.timedelta(seconds=30))
    digest = hashlib.sha256(KEY.encode()).hexdigest()[:12]
    keys = {f"maintenance:budget:{digest}:{name}" for name in ("pause", "second", "minute")}
    assert set(await redis.keys()) == keys
    assert all([0 < await redis.ttl(key) <= 63 for key in keys])


async def test_two_api_keys_have_two_budgets(redis: Redis) -> None:
    one = RequestBudget(redis, Ration(api_key="one", windows=FIVE_A_MINUTE))
    two = RequestBudget(redis, Ration(api_key="two", windows=FIVE_A_MINUTE))
    for _ in range(5):
        await one.ask()
    assert not (await one.ask()).granted
    assert (await two.ask()).granted


async def test_a_long_wait_is_announced_and_a_short_one_is_not(redis: Redis) -> None:
    heard: list[tuple[float, str]] = []

    class FlushingNaps(Naps):
        """The minute passes while the caller sleeps."""

        async def __call__(self, seconds: float) -> None:
            await super().__call__(seconds)
            await redis.flushdb()

    naps = FlushingNaps()
    budget = RequestBudget(
        redis, Ration(api_key=KEY, windows=FIVE_A_MINUTE), on_wait=lambda *told: heard.append(told), sleep=naps
    )
    for _ in range(6):
        await budget.acquire()
    ((wait_s, reason),) = heard
    assert 60 < wait_s <= 61
    assert reason == "5 requests a minute"
    assert naps.taken == [wait_s]

    heard.clear()
    quick = RequestBudget(
        redis, Ration(api_key="q", windows=QUICK), on_wait=lambda *told: heard.append(told), sleep=Naps()
    )
    for _ in range(9):
        await quick.acquire()
    assert heard == []


async def test_without_redis_nothing_is_granted(tmp_path: Path) -> None:
    at_once = Retry(NoBackoff(), retries=0)
    async with Redis(unix_socket_path=str(tmp_path / "nobody.sock"), retry=at_once) as nobody:
        budget = budget_on(nobody)
        with pytest.raises(BudgetUnavailable):
            await budget.acquire()
        with pytest.raises(BudgetUnavailable):
            await budget.pause(dt.timedelta(seconds=1))


async def test_a_redis_client_that_decodes_nothing_serves_as_well(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as raw:
        assert (await budget_on(raw).ask()).granted


def test_a_refusal_costs_a_minute_under_a_limit_a_minute_and_seconds_otherwise(redis_url: str) -> None:
    redis = Redis.from_url(redis_url)
    assert budget_on(redis, FIVE_A_MINUTE).recovery(1) == MINUTE
    waits = [budget_on(redis, QUICK).recovery(attempt) for attempt in range(1, 12)]
    assert all(earlier <= later for earlier, later in pairwise(waits))
    assert (waits[0], waits[-1]) == (dt.timedelta(seconds=1), dt.timedelta(minutes=1))


async def test_no_limit_grants_at_once_and_still_keeps_a_pause() -> None:
    naps = Naps()
    budget = UnlimitedBudget(sleep=naps)
    await budget.acquire()
    assert naps.taken == []
    await budget.pause(dt.timedelta(seconds=30))
    await budget.acquire()
    assert 29 < naps.taken[0] <= 30


async def test_an_endpoint_has_a_limit_of_its_own_within_that_of_the_key(redis: Redis) -> None:
    budget = RequestBudget(
        redis,
        Ration(
            api_key=KEY,
            windows=FIVE_A_MINUTE,
            endpoint_windows={"range_bars": budget_windows(per_second=None, per_minute=2)},
        ),
    )
    assert [(await budget.ask("range_bars")).granted for _ in range(3)] == [True, True, False]
    assert (await budget.ask("range_bars")).reason == "2 requests a minute to range_bars"
    assert [(await budget.ask("splits")).granted for _ in range(4)] == [True, True, True, False]
    assert (await budget.ask("splits")).reason == "5 requests a minute", "what one endpoint spends, all have spent"


async def test_a_pause_stops_the_endpoints_with_a_limit_of_their_own_too(redis: Redis) -> None:
    own = {"range_bars": budget_windows(per_second=None, per_minute=2)}
    budget = RequestBudget(redis, Ration(api_key=KEY, windows=(), endpoint_windows=own))
    await RequestBudget(redis, Ration(api_key=KEY, windows=FIVE_A_MINUTE)).pause(dt.timedelta(seconds=30))
    decision = await budget.ask("range_bars")
    assert (decision.granted, decision.reason) == (False, "the vendor asked for a pause")


@pytest.mark.parametrize("spoilt", ["in 9999", "text", "bytes", "a list"])
async def test_a_budget_key_that_somebody_wrote_into_holds_no_request_back(redis: Redis, spoilt: str) -> None:
    budget = RequestBudget(redis, Ration(api_key="k", windows=budget_windows(per_second=5, per_minute=None)))
    pause, window = budget_keys("k", budget_windows(per_second=5, per_minute=None))
    match spoilt:
        case "in 9999":
            await redis.set(pause, 253402300799000000)
        case "a list":
            await redis.lpush(pause, "a")
            await redis.set(window, "a")
        case _:
            text = b"\xff\xfe" if spoilt == "bytes" else "soon"
            await redis.set(pause, text)
            await redis.lpush(window, text)
    decision = await budget.ask()
    assert (decision.granted, decision.wait) == (True, dt.timedelta(0))
    await redis.set(pause, "soon")
    await budget.pause(dt.timedelta(minutes=2))
    assert not (await budget.ask()).granted


async def test_without_a_limit_the_vendors_pause_is_still_shared_by_all_processes(redis: Redis) -> None:
    settings = read_settings({"MASSIVE_API_KEY": KEY, "MASSIVE_REQUESTS_PER_SECOND": "0"})
    one, other = (request_budget(settings, redis, VENDOR) for _ in range(2))
    assert isinstance(other, RequestBudget)
    await one.acquire()
    await other.acquire()
    await one.pause(dt.timedelta(minutes=1))
    decision = await other.ask()
    assert (decision.granted, decision.reason) == (False, "the vendor asked for a pause")
    assert dt.timedelta(seconds=50) < decision.wait <= dt.timedelta(minutes=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await other.acquire()


async def test_a_market_of_our_own_without_a_limit_is_asked_without_a_question_each_and_its_pauses_are_shared(
    redis: Redis,
) -> None:
    settings = read_settings({"MASSIVE_API_KEY": KEY, "MASSIVE_REQUESTS_PER_SECOND": "0"})
    one, other = (request_budget(settings, redis, simulated_source(seed=1, tickers=40)) for _ in range(2))
    assert isinstance(one, RequestBudget)
    assert isinstance(other, RequestBudget)
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] if await one.ask() else 0
    for _ in range(100):
        await one.acquire()
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before < 20
    await one.pause(dt.timedelta(minutes=1))
    assert not (await other.ask()).granted
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await one.acquire()


async def test_a_market_of_our_own_with_a_limit_is_held_to_it(redis: Redis) -> None:
    limited = {"MASSIVE_API_KEY": KEY, "MASSIVE_REQUESTS_PER_SECOND": "0", "MASSIVE_REQUESTS_PER_MINUTE": "2"}
    budget = request_budget(read_settings(limited), redis, simulated_source(seed=1, tickers=40))
    for _ in range(2):
        await budget.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await budget.acquire()
