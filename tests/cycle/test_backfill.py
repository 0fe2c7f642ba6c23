"""A backfill repairs exactly the gaps of its sessions, and the day's own cycle goes before it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from consumer.cycle.opening import request_from
from consumer.delivery.errors import DataRejected
from consumer.verdict.states import SessionState
from contract.messages import TaskMessage, TaskName
from tests.cycle.stack import AT_FIVE, DAY, SCHEDULE, Stack, until

if TYPE_CHECKING:
    from consumer.verdict.states import DataSetVerdict

# 2025-09-02..05: four sessions, long before the window of sixteen.
FIRST, LAST = dt.date(2025, 9, 2), dt.date(2025, 9, 5)


async def sessions(stack: Stack, first: dt.date, last: dt.date) -> dict[tuple[str, str], DataSetVerdict]:
    return {(name, str(day)): one for (name, day), one in (await stack.sets(first, last)).items()}


async def backfill(stack: Stack, task: TaskName = TaskName.CYCLE) -> None:
    await stack.ask(LAST, first_day=FIRST, task=task)


async def test_sessions_before_the_window_are_loaded_and_nothing_else_is_asked(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.market.reset()
    listed = await stack.value(
        "SELECT count(*) FROM listed_ticker WHERE is_active AND coalesce(issuer_since, '-infinity') <= $1", LAST
    )
    assert {one.state for one in (await sessions(stack, FIRST, LAST)).values()} == {SessionState.MISSING}

    done = await stack.run_cycle(LAST, first_day=FIRST)

    assert (done.state, done.first_day, done.tasks) == ("complete", FIRST, ("ohlc_daily", "volume_slots"))
    assert await stack.market.requests() == {"grouped_daily": 4, "splits": 1, "dividends": 1, "range_bars": listed}
    assert {one.state for one in (await sessions(stack, FIRST, LAST)).values()} == {SessionState.FINAL}


async def test_a_hole_is_repaired_alone(stack: Stack) -> None:
    await stack.run_cycle()
    await stack.run_cycle(LAST, first_day=FIRST)
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = '2025-09-03'")
    await stack.pool.execute(
        "DELETE FROM session_slots WHERE trading_date = '2025-09-04' AND symbol = (SELECT min(symbol) "
        "FROM listed_ticker WHERE is_active)"
    )
    await stack.market.reset()
    found = await sessions(stack, FIRST, LAST)
    assert found["daily_bars", "2025-09-03"].state is SessionState.MISSING
    assert (found["volume_slots", "2025-09-04"].state, found["volume_slots", "2025-09-04"].missing) == (
        SessionState.PARTIAL, 1,
    )  # fmt: skip

    assert (await stack.run_cycle(LAST, first_day=FIRST)).state == "complete"
    assert await stack.market.requests() == {"grouped_daily": 1, "range_bars": 1}


async def test_the_days_own_cycle_suspends_a_backfill_which_then_goes_on(stack: Stack) -> None:
    stack.clock.at = AT_FIVE - dt.timedelta(hours=2)
    await stack.market.fail({"endpoint": "range_bars", "kind": "latency", "latency_ms": 30_000})
    async with stack.working():
        await backfill(stack)

        async def at_work() -> bool:
            return (await stack.market.requests()).get("range_bars", 0) > 0

        await until(at_work, what="a backfill at work")
        await stack.market.fail()
        stack.clock.at = AT_FIVE + dt.timedelta(minutes=1)
        await stack.catch_up.look()
        night = await stack.at_rest(after=1)
        assert (night.trading_day, night.state, night.missing) == (DAY, "complete", ())
        (suspended,) = [one for one in await stack.cycles() if one.first_day == FIRST]
        assert suspended.state == "waiting"
        await stack.catch_up.look()

        async def finished() -> bool:
            return (await stack.cycles())[0].state == "complete"

        await until(finished, what="the backfill's end")
    assert {one.state for one in (await sessions(stack, FIRST, LAST)).values()} == {SessionState.FINAL}


async def test_figures_made_of_what_a_backfill_changed_are_computed_again(stack: Stack) -> None:
    await stack.run_cycle()
    before = await stack.value("SELECT fetched_at FROM coverage WHERE data_set = 'atr'")
    stack.clock.at += dt.timedelta(minutes=1)
    await stack.run_cycle(LAST, first_day=FIRST)
    stack.clock.at += dt.timedelta(minutes=1)
    await stack.market.reset()

    await stack.passes_only.look()
    cycle = await stack.look_and_work()

    assert (cycle.trading_day, cycle.state) == (DAY, "complete")
    assert (
        await stack.value("SELECT fetched_at FROM coverage WHERE data_set = 'atr' AND trading_day = $1", DAY) > before
    )
    assert await stack.market.requests() == {}
    count = len(await stack.cycles())
    await stack.catch_up.look()
    assert await stack.idle()
    assert len(await stack.cycles()) == count


@pytest.mark.parametrize(
    ("first", "last", "task", "words"),
    [
        (LAST, FIRST, TaskName.CYCLE, "after trading_day"),
        (dt.date(2020, 1, 2), LAST, TaskName.CYCLE, "at most 520"),
        (FIRST, LAST, TaskName.METADATA_ENRICH, "has no past to fill"),
    ],
)
def test_a_backfill_that_cannot_be_meant_is_refused_with_the_cure(
    first: dt.date, last: dt.date, task: TaskName, words: str
) -> None:
    message = TaskMessage(task=task, first_day=first, trading_day=last)
    with pytest.raises(DataRejected, match=words):
        request_from(message, "1-0", calendar=SCHEDULE.calendar, schedule=SCHEDULE, now=AT_FIVE)
