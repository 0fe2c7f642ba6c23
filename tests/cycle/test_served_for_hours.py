"""Holds a vendor's slip to: however long it is served what it denies stands, and the right answer is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from consumer.postgres import findings
from consumer.postgres.findings import Settled, State
from market.findings import Kind
from tests.cycle.stack import DAY, EVENING, Stack, new_york
from tests.cycle.test_plausible import (
    BARS,
    NEXT_DAY,
    NO_CUSTOM_BARS,
    YESTERDAYS,
    all_found,
    bars,
    cycle,
    market,
    open_kinds,
    stack,
)  # fmt: skip

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["market", "stack"]  # the fixtures


async def test_the_next_evenings_restatement_with_highs_tenfold_changes_nothing(stack: Stack) -> None:
    await stack.run_cycle()
    stood = await bars(stack)
    stack.clock.at = new_york(NEXT_DAY, "20:30")
    massive = stack.services.vendor
    honest = massive.grouped_daily

    async def with_highs_tenfold(day: dt.date) -> Any:
        found = await honest(day)
        rows = [msgspec.structs.replace(row, h=row.h * 10) if day == DAY else row for row in found.rows]
        return msgspec.structs.replace(found, rows=rows)

    massive.grouped_daily = with_highs_tenfold  # type: ignore[method-assign]
    await stack.run_cycle(NEXT_DAY)
    assert await bars(stack) == stood
    (found,) = await all_found(stack)
    assert (found.trading_day, found.kind, found.state) == (DAY, Kind.CONTRADICTED, State.CLEARED)


async def test_what_was_settled_in_the_afternoon_does_not_silence_the_evening(stack: Stack) -> None:
    stack.clock.at = new_york(DAY, "17:00")
    await cycle(stack, {"kind": "scaled", "volume_factor": 0.05, **BARS})
    (found,) = await findings.find(stack.pool)
    assert found.kind is Kind.VOLUME
    async with stack.pool.acquire() as connection, connection.transaction():
        accepted = Settled(state=State.ACCEPTED, by="ann", reason="volumes come late")
        await findings.settle(connection, [found.finding_id], accepted, now=stack.clock())
    early = await bars(stack)
    stack.clock.at = EVENING
    thousandfold = {"kind": "scaled", "volume_factor": 1000.0, **BARS}
    await stack.market.fail(thousandfold)
    ended = await stack.run_cycle(task="ohlc_daily")
    assert (ended.state, await bars(stack)) == ("waiting", early)
    await stack.market.fail()
    assert (await stack.next_pass()).state == "complete"
    assert await bars(stack) != early
    assert await open_kinds(stack) == []


@pytest.mark.parametrize("others", [(NO_CUSTOM_BARS,), ()], ids=["no custom bars", "custom bars deny it"])
@pytest.mark.parametrize("wrong", [YESTERDAYS, {"kind": "scaled", "volume_factor": 1000.0, **BARS}],
                         ids=["yesterdays prices", "volumes x 1000"])  # fmt: skip
async def test_what_its_neighbours_deny_is_not_taken_however_long_it_is_served(
    stack: Stack, wrong: dict[str, Any], others: tuple[dict[str, Any], ...]
) -> None:
    stack.clock.at = new_york(DAY, "17:00")
    await cycle(stack)
    stood = await bars(stack)
    stack.clock.at = EVENING
    await stack.market.fail(wrong, *others)
    ended = await stack.run_cycle(task="ohlc_daily")
    for _ in range(3):
        assert (ended.state, await bars(stack)) == ("waiting", stood)
        stack.clock.advance(minutes=30)
        ended = await stack.next_pass()
    assert others == () or await open_kinds(stack) == [(DAY, Kind.CONTRADICTED)]
    await stack.market.fail(*others)
    assert (await stack.next_pass()).state == "complete"
    assert (await open_kinds(stack), len(await bars(stack))) == ([], len(stood))
    assert await bars(stack) != stood, "the evening's"


async def test_a_wrong_answer_over_provisional_bars_is_kept_aside_too(stack: Stack) -> None:
    stack.clock.at = new_york(DAY, "17:00")
    await cycle(stack)
    stood = await bars(stack)
    stack.clock.at = EVENING
    await stack.market.fail(YESTERDAYS, NO_CUSTOM_BARS)
    waiting = await stack.run_cycle(task="ohlc_daily")
    assert waiting.state == "waiting", "asked for again, as after any wrong answer"
    assert any("are kept as they stand: an answer is not plausible" in line for line in waiting.missing)
    assert await bars(stack) == stood
    await stack.market.fail()
    assert (await stack.next_pass()).state == "complete"
    assert {symbol: row[4] for symbol, row in (await bars(stack)).items()} != {s: r[4] for s, r in stood.items()}
    assert await open_kinds(stack) == []
