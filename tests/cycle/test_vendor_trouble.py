"""A vendor in trouble: what is kept, what is asked again, and what the cycle says meanwhile."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from simulated_market.options import Plan
from tests.cycle.stack import DAY, EVENING, IN_FLIGHT, OPTIONS, Clock, market_of, new_york, stack_on

if TYPE_CHECKING:
    from consumer.vendor.rows import RangeBars
    from tests.cycle.stack import Market, Stack

MARKET_OF = 60  # tickers

NEXT_DAY = dt.date(2025, 11, 12)


async def active(stack: Stack) -> int:
    return int(await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active"))


async def test_a_truncated_listing_deactivates_nothing_and_the_cycle_waits(stack: Stack) -> None:
    await stack.run_cycle()
    before = await active(stack)
    stack.clock.at = new_york(NEXT_DAY, "20:30")
    await stack.market.fail({"kind": "empty", "endpoint": "tickers"})

    cycle = await stack.run_cycle(NEXT_DAY)

    assert cycle.state == "waiting"
    assert any(line.startswith("metadata_enrich universe: ") for line in cycle.missing), cycle.missing
    assert await active(stack) == before
    await stack.market.fail()
    assert (await stack.next_pass()).state == "complete"


async def test_a_listing_that_shrank_beyond_belief_deactivates_nothing(stack: Stack) -> None:
    await stack.run_cycle()
    before = await active(stack)
    await stack.pool.execute(
        "INSERT INTO listed_ticker SELECT 'X' || n, true, 'CS', NULL, NULL, $1, now(), NULL, NULL, now() "
        "FROM generate_series(1, 40) AS n",
        DAY,
    )
    stack.clock.at = new_york(NEXT_DAY, "20:30")

    cycle = await stack.run_cycle(NEXT_DAY)

    assert cycle.state == "waiting"
    assert any("active tickers where" in line and "nothing changed" in line for line in cycle.missing)
    assert await active(stack) == before + 40


async def test_an_empty_day_is_asked_for_again_and_never_taken_for_success(stack: Stack) -> None:
    await stack.market.fail({"kind": "empty", "endpoint": "grouped_daily", "day": DAY.isoformat()})

    cycle = await stack.run_cycle()

    assert cycle.state == "waiting"
    assert any(line.startswith(f"ohlc_daily bars:{DAY}: ") and "no bars" in line for line in cycle.missing)
    asked = [count for path, count in (await stack.market.paths()).items() if f"stocks/{DAY}" in path]
    assert sum(asked) > 1
    assert not await stack.redis.hexists("maintenance:caches", "cache:atr"), "no ATR is dated by a day without bars"

    await stack.market.fail()
    await stack.market.reset()
    assert (await stack.next_pass()).state == "complete"
    assert (await stack.market.requests())["grouped_daily"] == 1


async def test_a_day_not_yet_published_is_waited_for_and_completes_after_midnight(
    postgres_dsn: str, redis_url: str
) -> None:
    clock = Clock(EVENING)
    async with (
        market_of(60, clock, plan=Plan.FREE) as market,
        stack_on(postgres_dsn, redis_url, market, clock) as stack,
    ):
        cycle = await stack.look_and_work()

        assert (cycle.state, cycle.reason) == ("waiting", "not yet published by the vendor")
        assert cycle.next_pass_at is not None
        assert EVENING < cycle.next_pass_at <= cycle.give_up_at
        status = await stack.status()
        assert (status["state"], status["condition"]) == ("missing", "pending"), "this plan brings it after midnight"
        assert status["run"]["state"] == "waiting"
        assert status["run"]["next_try_at"] is not None
        assert status["tasks"]["ohlc_daily"] == status["tasks"]["volume_slots"] == "waiting"
        assert await stack.dead() == [], "a state of its own, not a failure"

        clock.at = new_york(NEXT_DAY, "00:05")
        await stack.market.reset()
        assert (await stack.look_and_work()).state == "complete"
        assert (await stack.market.requests())["grouped_daily"] == 1
        assert await stack.redis.get("maintenance:last_run") == DAY.isoformat()


async def test_waiting_ends_as_partial_when_the_next_session_opens(
    stack: Stack, logged: list[dict[str, object]]
) -> None:
    await stack.market.fail({"kind": "not_yet", "endpoint": "grouped_daily", "day": DAY.isoformat()})
    cycle = await stack.run_cycle()
    assert cycle.state == "waiting"
    assert cycle.give_up_at == new_york(NEXT_DAY, "09:30")

    stack.clock.at = cycle.give_up_at
    async with stack.working():
        await stack.passes_only.look()
        ended = await stack.at_rest()

    assert ended.state == "partial"
    assert any(line.startswith(f"ohlc_daily bars:{DAY}") for line in ended.missing)
    assert [line["run"] for line in logged if line["event"] == "maintenance_cycle_finished"] == ["partial"]


async def test_a_rejected_key_ends_the_cycle_failed_with_one_reason_and_few_requests(stack: Stack) -> None:
    await stack.market.fail({"kind": "unknown_key"})

    cycle = await stack.run_cycle()

    assert cycle.state == "failed"
    assert cycle.reason is not None
    assert "MASSIVE_API_KEY" in cycle.reason
    assert sum((await stack.market.requests()).values()) <= 4, "one for each part that ran side by side"
    status = await stack.status()
    assert set(status["tasks"].values()) == {"failed"}
    assert not status["all_success"]


async def test_a_key_rejected_amid_many_tickers_stops_the_asking(stack: Stack) -> None:
    await stack.run_cycle(task="metadata_enrich")
    await stack.market.reset()
    await stack.market.fail({"kind": "unknown_key", "endpoint": "range_bars"})

    cycle = await stack.run_cycle(task="volume_slots")

    assert cycle.state == "failed"
    assert (await stack.market.requests())["range_bars"] <= 2 * IN_FLIGHT < await active(stack)


async def test_tickers_that_answer_are_kept_and_only_the_others_are_asked_again(stack: Stack) -> None:
    for task in ("metadata_enrich", "ohlc_daily"):
        await stack.run_cycle(task=task)
    symbols = [
        row["symbol"]
        for row in await stack.pool.fetch("SELECT symbol FROM listed_ticker WHERE is_active ORDER BY symbol LIMIT 3")
    ]
    await stack.market.fail(
        *({"kind": "server_error", "endpoint": "range_bars", "paths": f"/ticker/{symbol}/"} for symbol in symbols)
    )
    await stack.market.reset()

    cycle = await stack.run_cycle(task="volume_slots")

    assert cycle.state == "waiting"
    listed = await active(stack)
    rows = await stack.value("SELECT count(DISTINCT symbol) FROM session_slots")
    assert rows == listed - 3
    assert f"volume_slots {DAY}: 3 symbols" in " ".join(cycle.missing)
    once = [c for path, c in (await stack.market.paths()).items() if not any(f"/{s}/" in path for s in symbols)]
    assert set(once) == {1}, "no ticker that answered is asked again"

    await stack.market.fail()
    await stack.market.reset()
    assert (await stack.next_pass()).state == "complete"
    assert await stack.market.requests() == {"range_bars": 3}


async def test_a_vendor_that_is_down_is_asked_a_bounded_number_of_times_and_completes_when_back(stack: Stack) -> None:
    await stack.market.fail({"kind": "server_error"})

    cycle = await stack.run_cycle()

    assert (cycle.state, cycle.reason) == ("waiting", "the vendor did not answer")
    parts = await stack.value("SELECT count(*) FROM part WHERE cycle_id = $1 AND task <> 'cycle'", cycle.cycle_id)
    assert 0 < sum((await stack.market.requests()).values()) <= parts * 4, "two attempts of two tries a part at most"
    assert await stack.redis.exists("atr:daily") == 0
    asked_at: list[dt.datetime] = [stack.clock.at]
    for _ in range(3):
        cycle = await stack.next_pass()
        assert cycle.state == "waiting"
        asked_at.append(stack.clock.at)
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    assert gaps == sorted(gaps), "ever more patient"

    await stack.market.fail()
    assert (await stack.next_pass()).state == "complete"


async def test_the_requests_of_all_passes_are_counted(stack: Stack) -> None:
    await stack.market.fail({"kind": "server_error", "endpoint": "splits"})
    assert (await stack.run_cycle()).state == "waiting"
    await stack.market.fail()
    assert (await stack.next_pass()).state == "complete"

    told = (await stack.status())["run"]["requests"]

    assert told == await stack.market.requests()


async def test_a_failed_part_does_not_stop_the_others_and_the_cycle_says_what_is_missing(stack: Stack) -> None:
    await stack.market.fail({"kind": "server_error", "endpoint": "grouped_daily", "day": "2025-11-05"})

    cycle = await stack.run_cycle()

    parts = await stack.parts(cycle.cycle_id)
    assert parts.pop("ohlc_daily/bars:2025-11-05") == "failed"
    assert set(parts.values()) == {"done"}
    assert [line.partition(": ")[0] for line in cycle.missing] == ["ohlc_daily bars:2025-11-05"]
    status = await stack.status()
    (lacks,) = status["missing"]
    assert lacks.startswith(f"atr {DAY}: "), "four bars since the hole make no ATR; else the day lacks nothing"
    assert lacks.endswith(" symbols: a session is missing before Thu 06 Nov 2025; backfill it")
    assert status["tasks"] == {
        "ohlc_daily": "waiting", "volume_slots": "completed", "metadata_enrich": "completed", "redis_sync": "completed",
    }  # fmt: skip
    assert status["run"]["tasks"] == status["tasks"]
    assert status["run"]["missing"] == list(cycle.missing)
    assert cycle.state == "waiting"
    assert await stack.dead() == [], "the next pass asks again: nobody has to see to it"


async def test_what_the_plan_behind_the_key_excludes_leaves_the_cycle_partial_not_waiting(stack: Stack) -> None:
    await stack.market.fail({"kind": "outside_timeframe", "endpoint": "grouped_daily", "day": "2025-10-21"})

    cycle = await stack.run_cycle()

    assert cycle.state == "partial"
    assert cycle.next_pass_at is None
    assert [line.partition(": ")[0] for line in cycle.missing] == ["ohlc_daily bars:2025-10-21"]


async def test_a_plan_without_floats_is_a_note_and_not_a_failure(stack: Stack) -> None:
    await stack.market.fail({"kind": "not_entitled", "endpoint": "floats"})

    cycle = await stack.run_cycle()

    assert cycle.state == "complete"
    assert any("floats: not part of the plan" in warning for warning in cycle.warnings)


async def test_parts_too_large_for_their_deadline_commit_what_came_and_go_on_until_all_is_there(
    postgres_dsn: str, redis_url: str, market: Market, clock: Clock
) -> None:
    """Eight hundred requests at twenty a minute, in small: no part ends in one go, and none fails."""
    options = replace(OPTIONS, ask_for=dt.timedelta(milliseconds=150), requests_at_once=1)
    async with stack_on(postgres_dsn, redis_url, market, clock, options=options) as stack:
        for task in ("metadata_enrich", "ohlc_daily"):
            await stack.run_cycle(task=task)
        await market.reset()
        massive, asked = stack.services.vendor, []
        answer = massive.five_minute_bars

        async def slowly(symbol: str, *days: dt.date) -> RangeBars:
            asked.append(symbol)
            await asyncio.sleep(0.02)
            return await answer(symbol, *days)

        massive.five_minute_bars = slowly  # type: ignore[method-assign]
        cycle = await stack.run_cycle(task="volume_slots")

        assert (cycle.state, cycle.run_pass, await stack.dead()) == ("complete", 1, [])
        batches = await stack.value("SELECT count(*) FROM part WHERE part LIKE 'batch:%'")
        runs = await stack.value("SELECT count(*) FROM data_load WHERE part LIKE 'batch:%'")
        assert runs > batches, "committed in pieces"
        assert len(asked) <= await active(stack) + runs, "what was committed is not asked for again"
