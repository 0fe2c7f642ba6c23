"""The verbs that say what there is and what it costs: coverage, gaps, backfill, plan and verify, at a terminal."""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import TYPE_CHECKING

import pytest

from tests.cycle.stack import SCHEDULE, Clock, Stack, market_of, new_york, stack_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.terminal.conftest import Run

    Maintenance = Callable[..., Awaitable[tuple[int, str, str]]]

TICKERS = 40


@pytest.fixture
async def stack(postgres_dsn: str, redis_url: str) -> AsyncIterator[Stack]:
    """A service whose last completed session, by the real clock, has been maintained a moment ago."""
    now = dt.datetime.now(dt.UTC)
    clock = Clock(now)
    async with (
        market_of(TICKERS, clock) as market,
        stack_on(postgres_dsn, redis_url, market, clock) as served,
    ):
        await served.run_cycle(SCHEDULE.calendar.last_completed(now))
        yield served


@pytest.fixture
def maintenance(run: Run) -> Maintenance:
    """Runs `maintenance …` with the windows of the stack; returns exit code, output and errors."""
    return functools.partial(run, "consumer.terminal", OHLC_SESSIONS="16", SLOT_SESSIONS="5", COLUMNS="200")


def session(back: int) -> str:
    """The *back*-th session before the last completed one."""
    now = dt.datetime.now(dt.UTC)
    days = SCHEDULE.calendar.last_trading_days(back + 1, up_to=SCHEDULE.calendar.last_completed(now))
    return str(days[0])


async def test_without_gaps_both_say_so_and_exit_0(stack: Stack, maintenance: Maintenance) -> None:
    code, out, err = await maintenance("gaps")
    assert (code, out.strip(), err) == (0, "no gaps", "")
    code, out, err = await maintenance("coverage", "--json")
    rows = json.loads(out)
    assert code == 0
    assert {row["data_set"] for row in rows} == {"daily_bars", "volume_slots", "slot_trades"}
    assert len(rows) == 16 + 5 + 5
    newest = next(row for row in rows if row["data_set"] == "daily_bars")
    assert newest["source"] == "massive:rest"
    assert newest["request_id"]
    assert newest["fence"] > 0


async def test_an_old_and_a_recent_hole_are_both_found(stack: Stack, maintenance: Maintenance) -> None:
    old, recent = session(40), session(2)
    await stack.run_cycle(dt.date.fromisoformat(session(38)), first_day=dt.date.fromisoformat(session(41)))
    await stack.pool.execute(
        "DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = ANY ($1)",
        [dt.date.fromisoformat(day) for day in (old, recent)],
    )
    code, out, _ = await maintenance("gaps", "--json")
    found = {row["trading_day"] for row in json.loads(out) if row["data_set"] == "daily_bars"}
    assert code == 3
    assert {old, recent} <= found
    code, out, _ = await maintenance("gaps", "--from", recent, "--to", recent)
    assert code == 3
    assert f"maintenance backfill --from {recent} --to {recent}" in out


async def test_a_backfill_forecasts_its_requests_and_then_repairs(stack: Stack, maintenance: Maintenance) -> None:
    first, last = session(23), session(20)
    span = ("--from", first, "--to", last)
    listed = await stack.value(
        "SELECT count(*) FROM listed_ticker WHERE is_active AND coalesce(issuer_since, '-infinity') <= $1",
        dt.date.fromisoformat(last),
    )

    code, out, err = await maintenance("backfill", *span, "--dry-run", MASSIVE_REQUESTS_PER_MINUTE="5")
    assert (code, out) == (0, "")
    words = f"{listed + 6} requests (4 grouped_daily, 1 splits, 1 dividends, {listed} range_bars)"
    assert words in " ".join(err.split())
    assert "by the request budget" in err
    assert await stack.idle(), "a dry run asks for nothing"

    await stack.market.reset()
    code, out, _ = await maintenance("backfill", *span)
    assert code == 0
    async with stack.working():
        done = await stack.at_rest(after=1)
    assert (done.state, str(done.first_day), str(done.trading_day)) == ("complete", first, last)
    assert sum((await stack.market.requests()).values()) == listed + 6, "as forecast"
    code, out, err = await maintenance("backfill", *span)
    assert (code, out) == (0, "")
    assert "0 requests" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2025-11-08", "--to", "2025-11-09"), "no session"),
        (("--from", "2025-11-10", "--to", "2029-11-09"), "not over yet"),
        (("--from", "2020-11-10", "--to", "2025-11-10"), "too many"),
        (("--from", "2025-11-10", "--to", "2025-11-10", "--task", "redis_sync"), "no past to fill"),
    ],
)
async def test_a_backfill_that_cannot_be_meant_exits_2_with_the_cure(
    stack: Stack, maintenance: Maintenance, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = await maintenance("backfill", *arguments)
    assert (code, out) == (2, "")
    assert words in err


async def test_the_plan_of_the_next_cycle_is_what_it_then_asks(stack: Stack, maintenance: Maintenance) -> None:
    code, out, _ = await maintenance("plan", "--json")
    forecast = json.loads(out)
    assert code == 0
    day = dt.date.fromisoformat(forecast["trading_day"])
    # At that instant, on a market in which nothing else happens, the cycle asks exactly this, but for what the
    # listing of that day changes: new symbols, and one more page when some are gone.
    stack.clock.at = dt.datetime.fromisoformat(forecast["due_at"]) + dt.timedelta(seconds=1)
    await stack.market.reset()
    assert (await stack.run_cycle(day)).state == "complete"
    asked = await stack.market.requests()
    for endpoint in ("grouped_daily", "splits", "dividends", "floats"):
        assert forecast["requests"][endpoint] == asked[endpoint]
    for endpoint in ("tickers", "range_bars", "ticker_details"):
        assert abs(forecast["requests"].get(endpoint, 0) - asked.get(endpoint, 0)) <= 3, endpoint


async def test_verify_finds_what_somebody_did_to_a_cache(stack: Stack, maintenance: Maintenance) -> None:
    code, out, _ = await maintenance("verify", "--json")
    assert (code, {row["differences"] for row in json.loads(out)}) == (0, {0})

    symbol = str(next(iter(await stack.redis.hkeys("atr:daily"))))  # type: ignore[misc]
    await stack.redis.hset("atr:daily", symbol, "{}")  # type: ignore[misc]
    await stack.redis.delete(f"metadata:ticker:{symbol}")
    await stack.redis.srem("ticker:universe", symbol)  # type: ignore[misc]
    code, out, _ = await maintenance("verify")
    assert code == 3
    for line in (f"atr:daily {symbol}: different", f"metadata:ticker:{symbol}: missing",
                 f"ticker:universe {symbol}: missing"):  # fmt: skip
        assert line in out
    assert "maintenance trigger --task redis_sync --force" in out


async def test_before_any_cycle_there_is_nothing_to_verify(
    maintenance: Maintenance, postgres_dsn: str, redis_url: str
) -> None:
    clock = Clock(new_york(dt.date(2025, 11, 11), "20:30"))
    async with market_of(20, clock) as market, stack_on(postgres_dsn, redis_url, market, clock):
        code, out, _ = await maintenance("verify")
    assert (code, out.strip()) == (3, "no cache has been written yet: maintenance trigger")


async def test_a_due_day_that_never_ran_is_a_finding_of_status_and_gaps(
    maintenance: Maintenance, postgres_dsn: str, redis_url: str
) -> None:
    clock = Clock(new_york(dt.date(2025, 11, 11), "20:30"))
    async with market_of(20, clock) as market, stack_on(postgres_dsn, redis_url, market, clock) as served:
        await served.run_cycle()  # the day was complete; a year later nothing has run since
        status, out, _ = await maintenance("status")
        gaps, found, _ = await maintenance("gaps", "--json")
    assert (status, gaps) == (3, 3)
    assert "last whole session: 2025-11-11" in out
    newest = str(SCHEDULE.latest_due(dt.datetime.now(dt.UTC)).trading_day)  # today's, only once it is due
    assert newest in {row["trading_day"] for row in json.loads(found)}
