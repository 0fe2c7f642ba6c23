"""Holds the baselines of trades to statistics of the standard library, and to what was observed."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from consumer.catalogue.registry import CACHES
from consumer.completeness.caches import verify_caches
from consumer.postgres import slots
from consumer.postgres.slots import SlotDay
from consumer.tasks.redis_sync import sync_cache
from contract import data_sets
from market.volume_slots import UNKNOWN_TRADES
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tasks.conftest import Desk

SESSIONS = CALENDAR.last_trading_days(5, up_to=DAY)
THANKSGIVING_FRIDAY = dt.date(2025, 11, 28)  # closes at 13:00, slot 108
U = UNKNOWN_TRADES


def row(day: dt.date, symbol: str, trades: Mapping[int, int] | str | None) -> SlotDay:
    """*trades* by slot, U: not said; None: of a source without; a text: the outcome of who did not trade."""
    if isinstance(trades, str):
        return SlotDay(day=day, symbol=symbol, outcome=trades)
    volumes, counts = np.zeros(192), np.zeros(192, dtype=np.int64)
    for slot, count in ({66: 1} if trades is None else trades).items():
        volumes[slot], counts[slot] = 100.0, count
    told = None if trades is None else counts
    return SlotDay(day=day, symbol=symbol, outcome="traded", volumes=volumes, trades=told)


async def put(desk: Desk, *rows: SlotDay) -> None:
    async with desk.pool.acquire() as connection, connection.transaction():
        await slots.write_slots(connection, rows, fetched_at=NOW, load_id=1)


async def sync(desk: Desk, *, day: dt.date = DAY) -> dict[str, dict[str, Any]]:
    """Write the caches and return them by symbol; values as numbers or JSON."""
    if not await desk.pool.fetchval("SELECT count(*) FROM coverage WHERE trading_day = $1", day):
        await desk.cover(data_sets.SLOT_PROOF, day=day)
    for cache in data_sets.CACHE_TRADES:
        await desk.run(partial(sync_cache, cache=CACHES[cache]), {}, day=day)
    found: dict[str, dict[str, Any]] = {}
    for key in desk.cache.scan_iter("trades:baseline:*"):
        prefix, name, symbol, sessions = key.split(":")
        assert (prefix, name, sessions) == ("trades", "baseline", "5")
        assert 0 < desk.cache.ttl(key) <= 14 * 86_400
        found[symbol] = {field: json.loads(text) for field, text in desk.cache.hgetall(key).items()}
    return found


def usual(counts: list[int]) -> dict[str, float]:
    """Mean and the sample's deviation, as the neighbours' own service rounds them."""
    return {
        "avg": pytest.approx(statistics.mean(counts), abs=0.0051),
        "std": pytest.approx(statistics.stdev(counts), abs=0.0051),
        "days": len(counts),
    }


async def test_a_days_trades_and_each_slots_have_the_mean_and_the_samples_deviation_of_five_sessions(
    desk: Desk,
) -> None:
    random = Random(7)
    market = {
        symbol: [{slot: random.randint(1, 5_000) for slot in random.sample(range(192), 40)} for _ in SESSIONS]
        for symbol in ("AAPL", "SPY", "BRK.B", "T", "BACpB")
    }
    await put(desk, *(row(day, s, own[at]) for s, own in market.items() for at, day in enumerate(SESSIONS)))
    found = await sync(desk)
    assert found.keys() == market.keys()
    for symbol, own in market.items():
        wanted: dict[str, Any] = usual([sum(day.values()) for day in own])
        for slot in range(192):
            counts = [day.get(slot, 0) for day in own]
            if any(counts):
                wanted[str(slot)] = usual(counts)
        assert found[symbol] == wanted, symbol


async def test_the_fields_that_the_neighbours_detector_reads_are_numbers_of_two_digits(desk: Desk) -> None:
    days = ({66: 600, 67: 1}, {66: 700}, {66: 650}, {66: 500}, {66: 851})
    await put(desk, *(row(day, "BIVI", own) for day, own in zip(SESSIONS, days, strict=True)))
    await sync(desk)
    text = desk.cache.hgetall("trades:baseline:BIVI:5")
    assert (text["avg"], text["std"], text["days"]) == ("660.40", "129.67", "5")
    assert text["67"] == '{"avg":0.2,"std":0.45,"days":5}'


async def test_a_session_without_a_trade_counts_as_none_and_one_that_is_unproven_or_not_there_does_not(
    desk: Desk,
) -> None:
    a, b, c, d, e = SESSIONS
    await put(
        desk, row(a, "A", {66: 8}), row(b, "A", "no_trades"), row(c, "A", {66: 5}), row(d, "A", "unproven"),
        row(e, "A", {66: 2}), row(a, "B", {66: 8}), row(b, "B", {66: 8}), row(e, "B", {66: 2}),
    )  # fmt: skip
    found = await sync(desk)
    assert found["A"] == {**usual([8, 0, 5, 2]), "66": usual([8, 0, 5, 2])}
    assert found["B"] == {**usual([8, 8, 2]), "66": usual([8, 8, 2])}


async def test_what_nobody_said_is_left_out_of_slot_and_day_and_is_no_zero(desk: Desk) -> None:
    said = [{66: 8, 70: 1}, {66: U, 70: 2}, {66: 5, 70: 3}, {66: 2, 70: 4}]
    await put(desk, *(row(day, "A", own) for day, own in zip(SESSIONS, said, strict=False)), row(DAY, "A", None))
    found = await sync(desk)
    assert found["A"] == {**usual([9, 8, 6]), "66": usual([8, 5, 2]), "70": usual([1, 2, 3, 4])}


async def test_of_two_sessions_nothing_is_usual(desk: Desk) -> None:
    await put(
        desk, *(row(day, "NEW", {66: 8}) for day in SESSIONS[-2:]), *(row(day, "OLD", None) for day in SESSIONS),
        *(row(day, "HALF", {66: 8 if day < SESSIONS[2] else U, 67: 1}) for day in SESSIONS),
    )  # fmt: skip
    found = await sync(desk)
    assert found.keys() == {"HALF"}, "no key: nothing is known"
    assert found["HALF"] == {"66": {"days": 2}, "67": {"avg": 1.0, "std": 0.0, "days": 5}}


async def test_quiet_sessions_alone_are_no_mean_of_a_symbol_that_traded_uncounted(desk: Desk) -> None:
    await put(
        desk, *(row(day, "THIN", "no_trades") for day in SESSIONS[:4]), row(DAY, "THIN", None),
        *(row(day, "QUIET", "no_trades") for day in SESSIONS),
        *(row(day, "RARE", "no_trades") for day in SESSIONS[:4]), row(DAY, "RARE", {66: 5}),
        *(row(day, "HALF", "no_trades") for day in SESSIONS[:3]), row(SESSIONS[3], "HALF", {66: 5}),
        row(DAY, "HALF", None),
    )  # fmt: skip
    assert await sync(desk) == {"RARE": {**usual([0, 0, 0, 0, 5]), "66": usual([0, 0, 0, 0, 5])}}


async def test_an_early_close_counts_for_the_slots_before_it_and_for_no_day(desk: Desk) -> None:
    last = CALENDAR.next_trading_day(THANKSGIVING_FRIDAY)
    days = CALENDAR.last_trading_days(5, up_to=last)
    assert THANKSGIVING_FRIDAY in days
    await put(desk, *(row(day, "A", {100: 10 + at, 120: 20 + at}) for at, day in enumerate(days)))
    at = days.index(THANKSGIVING_FRIDAY)
    found = await sync(desk, day=last)
    whole = [number for number in range(5) if number != at]
    assert found["A"] == {
        **usual([30 + 2 * number for number in whole]),
        "100": usual([10 + number for number in range(5)]),
        "120": usual([20 + number for number in whole]),
    }


async def test_what_another_company_traded_under_the_symbol_is_not_its(desk: Desk) -> None:
    await desk.pool.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at, issuer_since) "
        "VALUES ('A', true, $1, $2, $2, $3)",
        DAY, NOW, SESSIONS[2],
    )  # fmt: skip
    await put(desk, *(row(day, "A", {66: 8 + at}) for at, day in enumerate(SESSIONS)))
    assert (await sync(desk))["A"] == {**usual([10, 11, 12]), "66": usual([10, 11, 12])}


async def test_a_split_leaves_counts_as_they_are(desk: Desk) -> None:
    await desk.pool.execute(
        "INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id) "
        "VALUES ('A', $1, 1, 7, 'split', 1)",
        SESSIONS[3],
    )
    await put(desk, *(row(day, "A", {66: 8}) for day in SESSIONS))
    assert (await sync(desk))["A"]["66"] == {"avg": 8.0, "std": 0.0, "days": 5}


async def test_a_key_that_differs_or_is_lost_is_found_and_one_that_went_is_dropped(desk: Desk) -> None:
    await put(desk, *(row(day, symbol, {66: 8}) for day in SESSIONS for symbol in ("A", "B")))
    await sync(desk)

    async def differences() -> int:
        findings = await verify_caches(lambda day: desk.context(day=day))
        assert {one.cache for one in findings} == {name.removeprefix("cache:") for name in data_sets.CACHE_TRADES}
        return sum(one.differences for one in findings)

    assert await differences() == 0
    desk.cache.hset("trades:baseline:A:5", "avg", "9")
    desk.cache.delete("trades:baseline:B:5")
    assert await differences() == 2
    await desk.pool.execute("DELETE FROM session_slots WHERE symbol = 'B'")
    assert (await sync(desk)).keys() == {"A"}
    assert await differences() == 0
