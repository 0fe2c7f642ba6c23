"""Whole nights with trades, without them, and on rows of the release before: a verdict beside the session's."""

from __future__ import annotations

import datetime as dt
import statistics
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from consumer.completeness.forecast import Pace, forecast_of
from consumer.verdict.states import Condition, SessionState
from contract import data_sets
from contract.messages import TaskMessage, TaskName, encode
from market.trading_calendar import NEW_YORK
from tests.cycle.stack import CALENDAR, DAY, OPTIONS, new_york, until

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

SESSIONS = CALENDAR.last_trading_days(OPTIONS.slot_sessions, up_to=DAY)
NEXT_DAY = CALENDAR.next_trading_day(DAY)
#: As the release before writes a row, and as it leaves those that it wrote.
OF_THE_RELEASE_BEFORE = "UPDATE session_slots SET trades = NULL, trades_unknown = NULL"


def without_counts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the vendor's bars say nothing of trades."""
    massive = stack.services.vendor
    answer = massive.five_minute_bars

    async def bare(*question: Any) -> Any:
        return msgspec.structs.replace(await answer(*question), trades=None)

    monkeypatch.setattr(massive, "five_minute_bars", bare)


async def told(stack: Stack, day: dt.date = DAY) -> Any:
    """The verdict on the trades of *day*."""
    return (await stack.verdict(day)).of(data_sets.SLOT_TRADES)


async def counts_of_vendor(stack: Stack, symbol: str) -> dict[dt.date, dict[int, int]]:
    """By session and slot what the vendor's own JSON says of *symbol*."""
    url = f"{stack.market.url}/v2/aggs/ticker/{symbol}/range/5/minute/{SESSIONS[0]}/{DAY}"
    async with aiohttp.ClientSession() as web:
        params = {"adjusted": "false", "limit": "50000", "apiKey": "any"}
        async with web.get(url, params=params) as answer:
            rows = (await answer.json()).get("results", [])
    found: dict[dt.date, dict[int, int]] = {day: {} for day in SESSIONS}
    for row in rows:
        at = dt.datetime.fromtimestamp(row["t"] / 1000, NEW_YORK)
        slot = (at.hour * 60 + at.minute - 240) // 5
        if 0 <= slot < 192:
            found[at.date()][slot] = row["n"]
    return found


async def test_a_night_stores_the_vendors_counts_shows_them_to_readers_and_says_what_is_usual(stack: Stack) -> None:
    cycle = await stack.run_cycle()
    assert (cycle.state, cycle.missing) == ("complete", ())
    one = await told(stack)
    traded = await stack.value("SELECT count(*) FROM session_slots WHERE outcome = 'traded' AND trading_date = $1", DAY)
    assert (one.state, one.condition, one.expected, one.loaded) == ("final", "available", traded, traded)
    assert (await stack.verdict()).state is SessionState.FINAL
    symbols = await stack.value("SELECT array_agg(DISTINCT symbol) FROM session_slots WHERE outcome = 'traded'")
    for symbol in symbols[:5]:
        vendor = await counts_of_vendor(stack, symbol)
        rows = await stack.pool.fetch(
            "SELECT date, slot_number, trades_count FROM public.volume_slots WHERE symbol = $1", symbol
        )
        stored: dict[dt.date, dict[int, int]] = {day: {} for day in SESSIONS}
        for row in rows:
            stored[row["date"]][row["slot_number"]] = row["trades_count"]
        assert stored == vendor, symbol
        days = [sum(vendor[day].values()) for day in SESSIONS]
        usual = await stack.redis.hgetall(f"trades:baseline:{symbol}:5")
        assert float(usual["avg"]) == pytest.approx(statistics.mean(days), abs=0.0051)
        assert float(usual["std"]) == pytest.approx(statistics.stdev(days), abs=0.0051)
        assert usual["days"] == "5"


async def test_a_source_that_counts_no_trades_has_final_sessions_and_trades_that_are_pending(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_counts(stack, monkeypatch)
    cycle = await stack.run_cycle()
    assert (cycle.state, cycle.missing) == ("complete", ())
    verdict = await stack.verdict()
    assert (verdict.state, verdict.condition) == (SessionState.FINAL, Condition.AVAILABLE)
    one = await told(stack)
    assert (one.state, one.condition, one.loaded) == (SessionState.MISSING, Condition.PENDING, 0)
    assert one.why == f"the source does not say it of {one.unproven} symbols"
    status = await stack.status()
    assert status["data_sets"]["slot_trades"]["why"] == one.why
    assert (status["missing"], status["later"], status["not_in_plan"]) == ([], [], [])
    assert status["tasks"]["volume_slots"] == "completed"
    assert await stack.redis.keys("trades:baseline:*") == [], "nothing known is no number"
    assert len(await stack.redis.keys("rvol:hist:avg:*")) > 0

    await stack.market.reset()
    again = await stack.run_cycle()
    assert await stack.parts(again.cycle_id) == {}
    assert await stack.market.requests() == {}, "and nobody is asked again because of it"


async def test_rows_of_the_release_before_are_not_observed_and_cost_a_night_no_request_more(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.pool.execute(OF_THE_RELEASE_BEFORE)
    one = await told(stack)
    assert (one.state, one.condition) == (SessionState.MISSING, Condition.MISSING)
    assert one.why == f"not observed of {one.missing} symbols: fetched before trades were kept, and not again since"
    assert (await stack.verdict()).state is SessionState.FINAL
    judged = await stack.judged()
    assert judged.last_final == DAY
    expected = forecast_of(await stack.situation(), Pace(per_second=None, per_minute=None))
    assert (expected.requests, expected.parts) == ({}, {})

    await stack.market.reset()
    stack.clock.at = new_york(NEXT_DAY, "20:30")
    following = await stack.run_cycle(NEXT_DAY)
    assert following.state == "complete"
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert (await stack.market.requests())["range_bars"] == listed, "one a symbol, as on any night"
    # The new session and the restated one before it have trades by now; the older ones do not.
    states = {day: (await told(stack, day)).state for day in (*SESSIONS, NEXT_DAY)}
    assert states == dict.fromkeys(SESSIONS[:-1], "missing") | {DAY: "final", NEXT_DAY: "final"}
    uncounted = await stack.value(
        "SELECT array_agg(DISTINCT symbol) FROM session_slots WHERE outcome = 'traded' AND trades IS NULL"
    )
    assert uncounted
    known = {name.split(":")[2] for name in await stack.redis.keys("trades:baseline:*")}
    assert known.isdisjoint(uncounted), "of two sessions nothing is usual"


async def test_force_brings_the_trades_of_the_window_in_one_request_a_symbol(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.pool.execute(OF_THE_RELEASE_BEFORE)
    await stack.market.reset()
    stack.clock.advance(hours=1)
    await stack.run_cycle(task="volume_slots", force=True)
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert (await stack.market.requests())["range_bars"] == listed
    assert {(await told(stack, day)).state for day in SESSIONS} == {SessionState.FINAL}
    assert await stack.value("SELECT count(*) FROM restatement") == 0, "what is told for the first time is no change"


async def test_lost_baselines_are_written_again_without_a_request(stack: Stack) -> None:
    await stack.run_cycle()
    names = await stack.redis.keys("trades:baseline:*")
    before = {name: await stack.redis.hgetall(name) for name in names}
    assert before
    await stack.market.reset()
    await stack.redis.flushall()

    async def back() -> bool:
        return {name: await stack.redis.hgetall(name) for name in names} == before

    async with stack.working():
        await stack.catch_up.look()
        await until(back, what="the baselines")
    assert await stack.market.requests() == {}


async def test_a_row_that_an_older_program_writes_has_none_and_is_read_as_such(stack: Stack) -> None:
    """Two releases at work on one database: the older one names the columns that it knows."""
    await stack.run_cycle()
    symbol = await stack.value(
        "SELECT min(symbol) FROM session_slots WHERE outcome = 'traded' AND trading_date = $1", DAY
    )
    async with stack.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "DELETE FROM session_slots WHERE symbol = $1 AND trading_date = $2 "
            "RETURNING trading_date, symbol, outcome, volumes, fetched_at, load_id",
            symbol, DAY,
        )  # fmt: skip
        columns = ("trading_date", "symbol", "outcome", "volumes", "fetched_at", "load_id")
        await connection.copy_records_to_table("session_slots", records=[tuple(row)], columns=columns)
    one = await told(stack)
    assert one.missing == 1
    seen = await stack.pool.fetch(
        "SELECT volume, trades_count FROM public.volume_slots WHERE symbol = $1 AND date = $2", symbol, DAY
    )
    assert seen
    assert {row["trades_count"] for row in seen} == {None}
    stack.clock.advance(hours=1)
    await stack.run_cycle(task="redis_sync", force=True)
    assert (await stack.redis.hgetall(f"trades:baseline:{symbol}:5"))["days"] == "4"


async def test_a_forced_backfill_brings_the_trades_of_its_sessions_alone(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.pool.execute(OF_THE_RELEASE_BEFORE)
    await stack.market.reset()
    stack.clock.advance(hours=1)
    message = TaskMessage(
        task=TaskName.VOLUME_SLOTS, first_day=SESSIONS[1], trading_day=SESSIONS[2], force=True, requested_by="test"
    )
    newest = await stack.cycle()
    assert newest is not None
    async with stack.working():
        await stack.redis.xadd("maintenance:tasks", encode(message))  # type: ignore[arg-type]
        await stack.at_rest(after=newest.cycle_id)
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert (await stack.market.requests())["range_bars"] == listed
    states = {day: (await told(stack, day)).state for day in SESSIONS}
    assert states == dict.fromkeys(SESSIONS, "missing") | {SESSIONS[1]: "final", SESSIONS[2]: "final"}
