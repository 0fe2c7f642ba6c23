"""A person's word on a boundary reaches every figure and cache by itself, and asks the vendor for nothing."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from typing import TYPE_CHECKING

from consumer.postgres import boundaries
from consumer.postgres.boundaries import Named, State
from consumer.postgres.decisions import Decision
from contract import keys
from tests.cycle.stack import CALENDAR, DAY

if TYPE_CHECKING:
    from tests.cycle.stack import Stack

SYMBOL = "SPY"
SINCE = CALENDAR.last_trading_days(3, up_to=DAY)[0]


async def say(stack: Stack, state: State) -> None:
    async with stack.pool.acquire() as connection, connection.transaction():
        decision = Decision(by="ann", at=stack.clock(), reason="Form 10")
        named = Named(symbol=SYMBOL, day=SINCE, evidence="prices")
        assert await boundaries.decide(connection, named, state, decision)


async def figures(stack: Stack) -> tuple[object, ...]:
    """What stands of the symbol: its ATR, of how many sessions its averages are, and both as the caches have them."""
    return (
        await stack.value("SELECT bars_used FROM ticker_atr WHERE symbol = $1 AND trading_date = $2", SYMBOL, DAY),
        await stack.value("SELECT avg_volume_sessions FROM ticker_profile WHERE symbol = $1", SYMBOL),
        bool(await stack.redis.hexists(keys.ATR_DAILY.pattern, SYMBOL)),
        await stack.redis.hget(keys.RVOL_SESSIONS.pattern, SYMBOL),
    )


async def by_hand(stack: Stack, since: dt.date) -> tuple[dict[str, str], str]:
    """RVOL's averages, and of how many days the trades are, from the rows of the last five sessions from *since* on."""
    first = max(since, CALENDAR.last_trading_days(5, up_to=DAY)[0])
    rows = await stack.pool.fetch(
        "SELECT volumes FROM session_slots WHERE symbol = $1 AND trading_date BETWEEN $2 AND $3", SYMBOL, first, DAY
    )
    accumulated = [list(itertools.accumulate(row["volumes"])) for row in rows]
    means = [math.floor(sum(slot) / len(rows) + 1e-6) for slot in zip(*accumulated, strict=True)]
    return {str(slot): str(mean) for slot, mean in enumerate(means) if mean}, str(len(rows))


async def by_cache(stack: Stack) -> tuple[dict[str, str], str]:
    averages = await stack.redis.hgetall(keys.RVOL_AVERAGES.pattern.format(symbol=SYMBOL))
    return averages, await stack.redis.hget(keys.TRADES_BASELINE.pattern.format(symbol=SYMBOL), "days")


async def test_an_accepted_boundary_has_all_figures_made_anew_and_taken_back_they_are_as_before(stack: Stack) -> None:
    await stack.run_cycle()
    before = await figures(stack)
    assert before == (16, 16, True, "5")
    assert await by_cache(stack) == await by_hand(stack, dt.date.min)
    await stack.market.reset()

    stack.clock.advance(minutes=1)
    await say(stack, State.ACCEPTED)
    stack.clock.advance(minutes=1)
    cycle = await stack.look_and_work()
    assert (cycle.state, cycle.missing) == ("complete", ())
    assert await figures(stack) == (None, 3, False, "3"), "three bars make no ATR(14)"
    assert await by_cache(stack) == await by_hand(stack, SINCE)
    assert await by_hand(stack, SINCE) != await by_hand(stack, dt.date.min)

    stack.clock.advance(minutes=1)
    await say(stack, State.REJECTED)
    stack.clock.advance(minutes=1)
    await stack.look_and_work()
    assert await figures(stack) == before
    assert await by_cache(stack) == await by_hand(stack, dt.date.min)
    assert await stack.market.requests() == {}
    assert (await stack.verdict()).state == "final"
