"""A month in which much goes wrong ends as one in which nothing did, and the ledger tells each story.

Both months are lived night by night on the same simulated market, in which a company changes its symbol, another takes
a symbol that has become free, some split, and one day closes early. In the troubled one the vendor errs on top of it.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.tasks.terms import TaskOptions
from consumer.verdict.gaps import is_behind
from consumer.verdict.states import SessionState
from simulated_market.options import Reissue
from tests.cycle.stack import SCHEDULE, Clock, Stack, market_of, new_york, stack_on

if TYPE_CHECKING:
    from tests.databases import MigratedDatabases

OPTIONS = TaskOptions(ohlc_sessions=16, slot_sessions=5, batch=20, requests_at_once=8)
TICKERS = 60


def november(day: int) -> dt.date:
    return dt.date(2025, 11, day)


FIRST, LAST = november(4), dt.date(2025, 12, 2)
HOLE, TRUNCATED, RESTATED, RECYCLED = november(5), november(7), november(11), november(12)
LATE_SPLIT, LISTED_LATE, OUTAGE, RENAMED, EARLY_CLOSE = (
    november(17), november(19), november(20), november(24), november(28),
)  # fmt: skip
REISSUE = Reissue(symbol="KO", day=RECYCLED)

TROUBLE: dict[dt.date, list[dict[str, Any]]] = {
    HOLE: [{"kind": "empty", "endpoint": "grouped_daily", "day": str(HOLE)}],
    TRUNCATED: [{"kind": "missing_rows", "endpoint": "tickers", "share": 0.5}],
    RESTATED: [
        {"kind": "restated", "endpoint": "grouped_daily", "day": str(RESTATED), "tickers": ["SPY", "IBM"],
         "volume_factor": 0.5, "price_factor": 1.01},
        {"kind": "restated", "endpoint": "range_bars", "day": str(RESTATED), "tickers": ["SPY"], "volume_factor": 0.5},
    ],
    RECYCLED: [{"kind": "server_error", "endpoint": "ticker_details"}],
    **{
        day: [{"kind": "hidden_splits", "tickers": ["AMZN"]}]
        for day in (LATE_SPLIT, november(18))
    },
    OUTAGE: [{"kind": "drop"}],
    RENAMED: [{"kind": "server_error", "endpoint": "tickers"}],
    EARLY_CLOSE: [{"kind": "missing_rows", "endpoint": "grouped_daily", "share": 0.4}],
}  # fmt: skip

# What there must be in the end; not when it came, nor from which load.
FINAL = {
    "bars": "SELECT trading_date, symbol, open, high, low, close, volume, vwap, trades_count FROM daily_bar",
    "slots": "SELECT trading_date, symbol, outcome, volumes FROM session_slots",
    "universe": "SELECT symbol, is_active, state, issuer_since FROM listed_ticker",
    "changes": "SELECT symbol, changed_on, kind, new_symbol, since FROM ticker_change",
    "splits": "SELECT symbol, execution_day, split_from, split_to, verdict FROM stock_split",
    "dividends": "SELECT symbol, ex_dividend_day, cash_amount, currency, verdict, price_drop FROM stock_dividend",
    "factors": "SELECT symbol, ex_dividend_day, paid, close_before, factor, left_out FROM dividend_factor",
    "returns": "SELECT trading_date, symbol, total_return_close FROM public.daily_total_return",
    "atr": f"SELECT symbol, atr, atr_percent, bars_used FROM ticker_atr WHERE trading_date = '{LAST}'",
    "figures": "SELECT symbol, sector, float_shares, avg_volume_30d, avg_volume_10d, avg_volume_5d, last_close, "
    "list_date, as_of, composite_figi, company_name FROM ticker_profile JOIN listed_ticker USING (symbol) "
    "WHERE is_active",
    "caps": "SELECT symbol, round(market_cap) FROM ticker_profile JOIN listed_ticker USING (symbol) WHERE is_active",
}


async def live_through(
    dsn: str, redis_url: str, trouble: dict[dt.date, list[dict[str, Any]]]
) -> tuple[dict[str, list[Any]], dict[str, Any], dict[str, Any]]:
    """Live the month; return the final tables, the final caches, and what the ledger tells."""
    clock = Clock(new_york(FIRST, "20:16"))
    async with (
        market_of(TICKERS, clock, reissues=(REISSUE,), dividends=True) as market,
        stack_on(dsn, redis_url, market, clock, options=OPTIONS, max_attempts=1) as stack,
    ):
        for day in SCHEDULE.calendar.trading_days(FIRST, LAST):
            clock.at = new_york(day, "20:16")
            await market.fail(*trouble.get(day, []))
            await stack.look_and_work()
        return await final_tables(stack), await final_caches(stack), await stories(stack)


async def final_tables(stack: Stack) -> dict[str, list[Any]]:
    return {name: sorted(map(tuple, await stack.pool.fetch(query)), key=repr) for name, query in FINAL.items()}


async def final_caches(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = {"universe": sorted(await stack.redis.smembers("ticker:universe"))}  # type: ignore[misc]
    found["atr"] = await stack.redis.hgetall("atr:daily")  # type: ignore[misc]
    for pattern in ("rvol:hist:avg:*", "ticker:avg_volume:*"):
        async for key in stack.redis.scan_iter(match=pattern, count=1000):
            is_hash = await stack.redis.type(key) == "hash"
            found[key] = await (stack.redis.hgetall(key) if is_hash else stack.redis.get(key))  # type: ignore[misc]
    return found


async def stories(stack: Stack) -> dict[str, Any]:
    rows = await stack.pool.fetch("SELECT trading_day, state, missing, warnings FROM cycle ORDER BY cycle_id")
    first = SCHEDULE.calendar.last_trading_days(5, up_to=LAST)[0]
    judged = await stack.judged(*SCHEDULE.calendar.trading_days(first, LAST))
    bars = {day: one for (name, day), one in (await stack.sets(FIRST, LAST)).items() if name == "daily_bars"}
    return {
        "cycles": {row["trading_day"]: (row["state"], row["missing"], row["warnings"]) for row in rows},
        "restated": [tuple(row) for row in await stack.pool.fetch(
            "SELECT data_set, trading_day, symbol, change FROM restatement ORDER BY 1, 2, 3")],
        "volumes": [(json.loads(row["before"]) if isinstance(row["before"], str) else row["before"], row["after"])
                    for row in await stack.pool.fetch(
                        "SELECT before, after FROM restatement WHERE data_set = 'daily_bars' ORDER BY symbol")],
        "gaps": [day for day, verdict in judged.verdicts.items() if is_behind(verdict, judged.ruler)],
        "holes": [day for day, one in bars.items() if one.state is not SessionState.FINAL],
        "verdicts": {day: verdict.state for day, verdict in judged.verdicts.items()},
    }  # fmt: skip


@pytest.fixture
async def months(migrated_databases: MigratedDatabases, redis_url: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The flawless month and the troubled one, each on a database of its own."""
    found = []
    for trouble in ({}, TROUBLE):
        async with migrated_databases.another() as dsn:
            found.append(await live_through(dsn, redis_url, trouble))
        await flush(redis_url)
    return found[0], found[1]


async def flush(redis_url: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()


@pytest.mark.long(35)
async def test_a_troubled_month_ends_as_a_flawless_one_and_tells_its_stories(
    months: tuple[tuple[Any, ...], tuple[Any, ...]],
) -> None:
    (tables, caches, quiet), (troubled_tables, troubled_caches, told) = months
    for name, rows in tables.items():
        assert len(rows) > 0, name
        differing = [pair for pair in zip(rows, troubled_tables[name], strict=False) if pair[0] != pair[1]]
        assert (name, differing[:2], len(troubled_tables[name])) == (name, [], len(rows))
    assert troubled_caches == caches
    assert {state for state, _, _ in quiet["cycles"].values()} == {"complete"}
    assert quiet["restated"] == []
    assert set(quiet["verdicts"].values()) == set(told["verdicts"].values()) == {SessionState.FINAL}
    assert quiet["gaps"] == told["gaps"] == quiet["holes"] == told["holes"] == []
    check_nights(told["cycles"])
    assert told["restated"] == [
        ("daily_bars", RESTATED, "IBM", "changed"), ("daily_bars", RESTATED, "SPY", "changed"),
        ("volume_slots", RESTATED, "SPY", "changed"),
    ]  # fmt: skip
    for before, after in told["volumes"]:
        assert before["volume"] == pytest.approx(after["volume"] / 2)
        assert before["close"] == pytest.approx(after["close"] * 1.01)
    changes = {(symbol, on, kind, new) for symbol, on, kind, new, _ in troubled_tables["changes"]}
    assert ("KO", RECYCLED, "reissued", None) in changes
    assert ("ZCLEA", RENAMED, "renamed", "ZCMEA") in changes, "dated to its day, though it was learned a day later"


def check_nights(cycles: dict[dt.date, tuple[str, list[str], list[str]]]) -> None:
    """Every night says what it lacks and why; every night after brings it."""

    def missing(day: dt.date) -> str:
        return " | ".join(cycles[day][1])

    def warnings(day: dt.date) -> str:
        return " | ".join(cycles[day][2])

    assert f"bars:{HOLE}" in missing(HOLE)
    assert "no bars for 2025-11-05, which is a trading day" in missing(HOLE)
    assert "active tickers where" in missing(TRUNCATED)
    assert cycles[RESTATED][0] == "complete", "what will be restated cannot be known yet"
    assert f"bars {RESTATED}: 2 rows were restated by the vendor" in warnings(RECYCLED)
    assert "KO belongs to another company since 2025-11-12" in warnings(RECYCLED)
    assert "details of" in missing(RECYCLED)
    assert "AMZN" not in warnings(LATE_SPLIT), "listed the week before, and the bars of the day bear it out"
    assert f"AMZN {LATE_SPLIT} is missing in the list, and kept: the price shows it" in warnings(november(18))
    assert "AMZN" not in warnings(LISTED_LATE)
    assert {cycles[day][0] for day in (LATE_SPLIT, LISTED_LATE)} == {"complete"}
    assert "broke off" in missing(OUTAGE)
    assert "universe" in missing(RENAMED)
    assert "the sessions around it lead to expect" in missing(EARLY_CLOSE)
    troubled = {HOLE, TRUNCATED, RECYCLED, OUTAGE, RENAMED, EARLY_CLOSE}
    assert {day for day, (state, _, _) in cycles.items() if state != "complete"} == troubled
