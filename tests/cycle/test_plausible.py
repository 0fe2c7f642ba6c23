"""Plausible and wrong: what is taken, what is kept, what is said of it, and how it is settled."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres import findings
from consumer.postgres.findings import KeptFinding, Settled, State
from consumer.tasks.standing import take_aside
from consumer.tasks.terms import TaskOptions
from market.findings import Kind
from tests.cycle.stack import DAY, EVENING, Clock, Market, Stack, market_of, new_york, stack_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.postgres.cycles import Cycle

TICKERS = 150
OPTIONS = TaskOptions(ohlc_sessions=4, slot_sessions=1, batch=100, requests_at_once=8)
BEFORE = dt.date(2025, 11, 10)
NEXT_DAY = dt.date(2025, 11, 12)
BARS: dict[str, Any] = {"endpoint": "grouped_daily", "day": str(DAY)}
YESTERDAYS = {"kind": "other_day", "other_day": str(BEFORE), **BARS}
HUNDREDFOLD = {"kind": "scaled", "price_factor": 100.0, **BARS}
NO_VOLUME = {"kind": "scaled", "volume_factor": 0.0, **BARS}
SWAPPED = {"kind": "swapped", "tickers": ["AAPL", "KO"], **BARS}
NO_CUSTOM_BARS = {"kind": "not_entitled", "paths": "/range/1/day/"}


@pytest.fixture
async def market(clock: Clock) -> AsyncIterator[Market]:
    async with market_of(TICKERS, clock) as found:
        yield found


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str, market: Market, clock: Clock) -> AsyncIterator[Stack]:
    async with stack_on(postgres_dsn, redis_url, market, clock, options=OPTIONS) as found:
        yield found


async def bars(stack: Stack, day: dt.date = DAY) -> dict[str, tuple[Any, ...]]:
    rows = await stack.pool.fetch(
        "SELECT symbol, open, high, low, close, volume, vwap, trades_count FROM daily_bar WHERE trading_date = $1",
        day,
    )
    return {row["symbol"]: tuple(row)[1:] for row in rows}


async def cycle(stack: Stack, *faults: dict[str, Any], force: bool = False, day: dt.date = DAY) -> Cycle:
    """Ask for the bars while the vendor errs as told, until the cycle has ended."""
    stack.clock.advance(minutes=1)  # what is forced is fetched anew: later than what stands
    await stack.market.fail(*faults)
    found = await stack.run_cycle(day, task="ohlc_daily", force=force)
    while found.state == "waiting":
        found = await stack.next_pass()
    return found


async def open_kinds(stack: Stack) -> list[tuple[dt.date, Kind]]:
    return [(one.trading_day, one.kind) for one in await findings.find(stack.pool)]


async def all_found(stack: Stack) -> list[KeptFinding]:
    return await findings.find(stack.pool, settled=True)


async def test_wrong_answers_replace_nothing_and_another_way_of_asking_settles_them_at_once(stack: Stack) -> None:
    await cycle(stack)
    stood = await bars(stack)
    for number, wrong in enumerate((YESTERDAYS, HUNDREDFOLD, NO_VOLUME), start=1):
        ended = await cycle(stack, wrong, force=True)
        assert (await bars(stack), ended.state) == (stood, "complete")
        found = await all_found(stack)
        assert len(found) == number
        assert (found[-1].trading_day, found[-1].kind, found[-1].state) == (DAY, Kind.CONTRADICTED, State.CLEARED)
        assert "custom_bars agree with what stands" in str(found[-1].settled_reason)


async def test_two_symbols_swapped_cost_these_two_rows_and_the_others_are_restated(stack: Stack) -> None:
    await cycle(stack)
    stood = await bars(stack)
    corrected = {"kind": "restated", "tickers": ["SPY"], "volume_factor": 1.5, **BARS}
    await cycle(stack, SWAPPED, corrected, NO_CUSTOM_BARS, force=True)
    stands = await bars(stack)
    assert {symbol: row for symbol, row in stands.items() if symbol != "SPY"} == {
        symbol: row for symbol, row in stood.items() if symbol != "SPY"
    }
    assert stands["SPY"][4] == pytest.approx(1.5 * stood["SPY"][4])
    (found,) = await findings.find(stack.pool)
    assert (found.kind, set(found.symbols)) == (Kind.ROWS, {"AAPL", "KO"})
    assert found.evidence["rows"]["AAPL"]["after"][3] == stood["KO"][3]


@pytest.mark.parametrize("wrong", [YESTERDAYS, SWAPPED], ids=["yesterdays", "swapped"])
async def test_a_first_answer_that_is_wrong_stands_and_is_suspect_until_another_comes(
    stack: Stack, wrong: dict[str, Any]
) -> None:
    await cycle(stack, wrong)
    assert len(await bars(stack)) > 130, "stored and served"
    ((day, kind),) = await open_kinds(stack)
    assert day == DAY
    assert kind in (Kind.REPEATED, Kind.PRICES, Kind.NO_VOLUME, Kind.SWAPPED)
    wrongly = await bars(stack)
    ended = await cycle(stack, force=True)
    assert await open_kinds(stack) == []
    assert await bars(stack) != wrongly
    assert ended.state == "complete"


async def test_a_true_day_beyond_belief_is_cleared_by_another_way_of_asking(stack: Stack) -> None:
    """A market that fell to a third: every way of asking says so."""
    truly = {"kind": "scaled", "price_factor": 1 / 3, "paths": f"/{DAY}"}
    ended = await cycle(stack, truly)
    (found,) = await all_found(stack)
    assert (found.kind, found.state, ended.state) == (Kind.PRICES, State.CLEARED, "complete")
    await cycle(stack, truly, force=True)
    assert len(await all_found(stack)) == 1, "settled for these rows"


async def test_an_answer_that_another_way_confirms_is_taken_although_it_denies_what_stands(stack: Stack) -> None:
    await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS)
    assert [kind for _, kind in await open_kinds(stack)] == [Kind.PRICES]
    (found,) = await findings.find(stack.pool)
    async with stack.pool.acquire() as connection, connection.transaction():
        await findings.settle(
            connection, [found.finding_id], Settled(state=State.ACCEPTED, by="ann", reason="so it was"),
            now=stack.clock(),
        )  # fmt: skip
    wrongly = await bars(stack)
    ended = await cycle(stack, force=True)
    assert {row[3] for row in (await bars(stack)).values()} != {row[3] for row in wrongly.values()}
    assert [one.state for one in await all_found(stack)] == [State.ACCEPTED, State.CLEARED]
    assert ended.state == "complete"


async def test_the_same_answer_an_hour_later_is_taken_unless_a_person_has_said_what_stands_is_right(
    stack: Stack,
) -> None:
    await cycle(stack)
    stood = await bars(stack)
    await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS, force=True)
    (found,) = await findings.find(stack.pool)
    async with stack.pool.acquire() as connection, connection.transaction():
        accepted = Settled(state=State.ACCEPTED, by="ann", reason="their mistake")
        await findings.settle(connection, [found.finding_id], accepted, now=stack.clock())
    stack.clock.advance(hours=2)
    ended = await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS, force=True)
    assert (await bars(stack), await open_kinds(stack), ended.state) == (stood, [], "complete")

    another = {**HUNDREDFOLD, "price_factor": 1.2}
    await cycle(stack, another, NO_CUSTOM_BARS, force=True)
    assert await bars(stack) == stood, "the same answer twice within minutes is one answer"
    stack.clock.advance(minutes=61)
    await cycle(stack, another, NO_CUSTOM_BARS, force=True)
    assert (await bars(stack))["SPY"][3] == pytest.approx(1.2 * stood["SPY"][3])
    assert await open_kinds(stack) == []


async def test_a_person_may_take_the_answer_that_was_kept_aside_and_figures_follow(stack: Stack) -> None:
    await cycle(stack)
    stood = await bars(stack)
    await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS, force=True)
    (found,) = await findings.find(stack.pool)
    stack.clock.advance(minutes=5)
    async with stack.pool.acquire() as connection, connection.transaction():
        accepted = Settled(state=State.ACCEPTED, by="ann", reason="so it is")
        await take_aside(connection, found, accepted, now=stack.clock())
    assert (await bars(stack))["SPY"][3] == pytest.approx(100 * stood["SPY"][3])
    ended = await cycle(stack)
    parts = await stack.parts(ended.cycle_id)
    assert {"ohlc_daily/atr", "ohlc_daily/split_check"} <= parts.keys()
    assert not {name for name in parts if "/bars:" in name}, "nothing is fetched for it"


async def test_an_open_finding_is_looked_into_once_a_due_time_and_the_plan_comes_to_an_end(stack: Stack) -> None:
    await cycle(stack)
    await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS, force=True)
    await stack.market.reset()
    ended = await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS)
    assert ended.state == "complete"
    assert await stack.market.requests() == {}, "rechecked since the day fell due: nothing to plan"
    stack.clock.at = new_york(NEXT_DAY, "20:30")
    ended = await cycle(stack, day=NEXT_DAY)
    assert await open_kinds(stack) == []
    assert ended.state == "complete"


async def test_a_recheck_that_the_vendor_does_not_answer_is_named_and_waited_for(stack: Stack) -> None:
    await cycle(stack)
    stack.clock.advance(minutes=1)
    await stack.market.fail(HUNDREDFOLD, {"kind": "server_error", "paths": "/range/1/day/"})
    waiting = await stack.run_cycle(task="ohlc_daily", force=True)
    assert waiting.state == "waiting"
    assert any(line.startswith(f"ohlc_daily recheck:{DAY}: ") for line in waiting.missing)
    await stack.market.fail()
    assert (await stack.next_pass()).state == "complete"
    assert await open_kinds(stack) == []


async def said(stack: Stack) -> tuple[str, str, str, str | None]:
    """State, condition and words of the day's key, and what `maintenance:last_final` names."""
    status = await stack.status()
    named: str | None = await stack.redis.get("maintenance:last_final")
    return status["state"], status["condition"], status["summary"], named


async def test_a_finding_makes_the_session_suspect_on_every_surface_until_it_is_settled(stack: Stack) -> None:
    await stack.run_cycle()
    state, condition, _, named = await said(stack)
    assert (state, condition, named) == ("final", "available", str(DAY))

    await cycle(stack, HUNDREDFOLD, NO_CUSTOM_BARS, force=True)
    (found,) = await findings.find(stack.pool)
    state, condition, words, named = await said(stack)
    assert (state, condition) == ("suspect", "degraded")
    assert found.reason in words
    assert named != str(DAY)
    assert await stack.redis.get("maintenance:last_run") == str(DAY), "whole, and served"
    row = await stack.pool.fetchrow(
        "SELECT state, condition, reason FROM session_condition WHERE trading_day = $1", DAY
    )
    assert tuple(row or ()) == (state, condition, words)

    async with stack.pool.acquire() as connection, connection.transaction():
        accepted = Settled(state=State.ACCEPTED, by="ann", reason="their mistake")
        await findings.settle(connection, [found.finding_id], accepted, now=stack.clock())
    await stack.reporter.refresh()  # nothing was loaded: who settled it was a person
    state, condition, _, named = await said(stack)
    assert (state, condition, named) == ("final", "available", str(DAY))


@contextlib.asynccontextmanager
async def small(dsn: str, redis_url: str) -> AsyncIterator[Stack]:
    clock = Clock(EVENING)
    async with market_of(60, clock) as few, stack_on(dsn, redis_url, few, clock, options=OPTIONS) as stack:
        yield stack


async def test_below_a_hundred_symbols_nothing_is_held_against_neighbours(postgres_dsn: str, redis_url: str) -> None:
    async with small(postgres_dsn, redis_url) as stack:
        ended = await cycle(stack, HUNDREDFOLD)
        assert (await all_found(stack), ended.state) == ([], "complete")
