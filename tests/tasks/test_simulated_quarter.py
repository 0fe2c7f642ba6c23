"""A quarter in which all of it happens at once: what the nights leave is what was so, for every symbol and day.

Sixty-two nights of two dozen companies: dividends ordinary, special and in stock, a spin-off, renames, a symbol that
changes hands, a FIGI that is corrected, delistings and splits. The simulated market itself says what was true; figures
are worked out again by other means (quarter_by_hand.py).
"""

from __future__ import annotations

import datetime as dt
import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer.catalogue.registry import CACHES
from consumer.postgres import boundaries
from consumer.postgres.boundaries import Named, State
from consumer.postgres.decisions import Decision
from consumer.tasks.atr import compute_atr
from consumer.tasks.derived_figures import compute_derived
from consumer.tasks.dividends import check_dividends, load_dividends
from consumer.tasks.redis_sync import sync_cache
from consumer.tasks.volume_slots import load_batch, prove
from contract import data_sets, keys
from market.sectors import sector
from tests.tasks.conftest import CALENDAR
from tests.tasks.quarter_by_hand import Quarter
from tests.tasks.simulated_nights import (
    FIRST,
    LAST,
    NIGHTS,
    OPTIONS,
    REISSUED,
    SPIN_OFF,
    Who,
    changing_market,
    is_renamed,
    listed_on,
    load_past,
    never_paid,
    night,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.tasks.changing_facts import ChangingFacts
    from tests.tasks.conftest import Desk

# Of whom five-minute volumes are loaded, besides those that are renamed: a spin-off, a symbol that changes hands, stock
# dividends and splits are among them.
WATCHED = ("NVDA", "META", "AAPL", "IBM", "BRK.A", "QQQ")
HALF_DAY = dt.date(2025, 11, 28)
# Nights on which the caches are held against the slots: around each boundary, splits and renames, and the early close.
CACHED = [
    dt.date(2025, month, day) for month, days in {10: (8, 10, 21, 28, 30), 11: (11,), 12: (1,)}.items() for day in days
]
SLOTTED = {day for night in CACHED for day in CALENDAR.last_trading_days(5, up_to=night)}


def watched(who: Who, day: dt.date) -> list[str]:
    return [*WATCHED, *filter(is_renamed, who.named[day])]


async def accept_what_is_proposed(desk: Desk, day: dt.date, quarter: Quarter) -> None:
    """As a person does who has read of the spin-off. Nothing else of the quarter is proposed: all has its reason."""
    async with desk.pool.acquire() as connection, connection.transaction():
        waiting = await boundaries.find(connection, decided=False)
        assert [(one.symbol, one.boundary_day) for one in waiting] == ([(SPIN_OFF.symbol, day)] if waiting else [])
        for one in waiting:
            named = Named(symbol=one.symbol, day=one.boundary_day, evidence=one.evidence)
            decision = Decision(by="ann", at=desk.now, reason="Form 10")
            assert await boundaries.decide(connection, named, State.ACCEPTED, decision)
            quarter.cut[one.symbol] = one.boundary_day


async def rest_of_the_night(desk: Desk, day: dt.date, quarter: Quarter, who: Who) -> None:
    """What follows once it is known who is who: dividends, boundaries, slots and figures."""
    await accept_what_is_proposed(desk, day, quarter)
    await desk.run(load_dividends, {"since": quarter.days[0].isoformat()}, day=day)
    await desk.run(check_dividends, day=day)
    if day in SLOTTED:
        await desk.run(load_batch, {"symbols": watched(who, day)}, day=day)
        await desk.run(prove, day=day)
    await desk.run(compute_atr, day=day)
    await desk.run(compute_derived, day=day)


def are_close(found: Iterable[float], wanted: Iterable[float]) -> bool:
    """To nine digits, each of them; what is null is not."""
    return all(
        one is not None and math.isclose(one, other, rel_tol=1e-9) for one, other in zip(found, wanted, strict=True)
    )


async def check_atr(desk: Desk, quarter: Quarter, present: dict[str, str]) -> None:
    day = quarter.days[-1]
    rows = await desk.pool.fetch("SELECT symbol, atr, bars_used FROM ticker_atr WHERE trading_date = $1", day)
    of_companies = quarter.atr(window=OPTIONS.ohlc_sessions)
    wanted = {symbol: of_companies[company] for company, symbol in present.items() if company in of_companies}
    found = {row["symbol"]: (row["atr"], row["bars_used"]) for row in rows}
    assert found.keys() == wanted.keys(), day
    for symbol, (atr, bars) in wanted.items():
        assert are_close(found[symbol], (atr, bars)), (day, symbol, found[symbol], atr, bars)


async def check_averages(desk: Desk, quarter: Quarter, present: dict[str, str], listed: Iterable[str]) -> None:
    day = quarter.days[-1]
    rows = await desk.pool.fetch("SELECT * FROM ticker_profile WHERE as_of = $1", day)
    found = {row["symbol"]: row for row in rows}
    assert len(found) > 18
    for company, symbol in present.items():
        if symbol in listed and quarter.bars[company][-1].day >= quarter.days[-30:][0]:
            wanted = quarter.averages(company)
            own = {name: found[symbol][name] for name in wanted}
            assert are_close(own.values(), wanted.values()), (day, symbol, own, wanted)


async def check_caches(desk: Desk, quarter: Quarter, present: dict[str, str], who: Who) -> set[str]:
    """RVOL's averages and the usual trades, of those of five sessions that are one series; of whom it is fewer."""
    day = quarter.days[-1]
    for cache in (*data_sets.CACHE_RVOL, *data_sets.CACHE_TRADES, data_sets.CACHE_RVOL_SESSIONS):
        await desk.run(partial(sync_cache, cache=CACHES[cache]), {}, day=day)
    sessions = CALENDAR.last_trading_days(5, up_to=day)
    ends = {one: 108 if one == HALF_DAY else 192 for one in sessions}
    counts, parted = desk.cache.hgetall(keys.RVOL_SESSIONS.pattern), set()
    for company, symbol in present.items():
        if symbol not in watched(who, day):
            continue
        observed = quarter.slots(company, who.symbols_of(company, sessions))
        if len(observed) < len(sessions):
            parted.add(symbol)
        assert counts[symbol] == str(len(observed)), (day, symbol)
        found = desk.cache.hgetall(keys.RVOL_AVERAGES.pattern.format(symbol=symbol))
        assert found == quarter.rvol(company, observed, ends), (day, symbol)
        baseline = desk.cache.hgetall(keys.TRADES_BASELINE.pattern.format(symbol=symbol))
        wanted = {}
        if len(observed) >= 3:
            whole = [sum(one.trades) for one in observed if ends[one.day] == 192]
            wanted = {**(usual(whole) if len(whole) >= 3 else {}), **by_slot(observed, ends)}
        assert {name: json.loads(text) for name, text in baseline.items()} == wanted, (day, symbol)
    return parted


def usual(counts: list[int]) -> dict[str, Any]:
    """Mean and the sample's deviation, of two digits as the cache prints them."""
    mean = sum(counts) / len(counts)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in counts) / (len(counts) - 1))
    return {"avg": round(mean, 2), "std": round(deviation, 2), "days": len(counts)}


def by_slot(observed: Iterable[Any], ends: dict[dt.date, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for slot in range(192):
        counts = [one.trades[slot] for one in observed if slot < ends[one.day]]
        if len(counts) < 3:
            found[str(slot)] = {"days": len(counts)}
        elif any(counts):
            found[str(slot)] = usual(counts)
    return found


async def check_closes(desk: Desk, quarter: Quarter, present: dict[str, str]) -> None:
    rows = await desk.pool.fetch("SELECT * FROM public.daily_total_return")
    found: dict[tuple[str, dt.date], tuple[Any, ...]] = {
        (row["symbol"], row["trading_date"]): (
            row["close"], row["split_adjusted_close"], row["total_return_close"], row["dividends_left_out"],
        )
        for row in rows
    }  # fmt: skip
    wanted = {}
    for company, symbol in present.items():
        for day, (*closes, left_out) in quarter.closes(company).items():
            wanted[symbol, day] = (*map(float, closes), left_out)
    assert found.keys() == wanted.keys()
    for where, closes in wanted.items():
        assert are_close(found[where], closes), (where, found[where], closes)


async def check_history(desk: Desk, quarter: Quarter, present: dict[str, str], market: ChangingFacts) -> None:
    closes = {(bar.day, bar.symbol): bar.close for own in quarter.bars.values() for bar in own}
    for day in NIGHTS:
        true, found = market.truth(day), await listed_on(desk, day)
        assert found.keys() == true.keys(), day
        for symbol, so in true.items():
            row, close = found[symbol], closes.get((day, symbol))
            assert told(row) == so, (day, symbol)
            assert row["sector"] == sector(so.type, so.sic), (day, symbol)
            cap = None if so.shares is None or close is None else pytest.approx(so.shares * close, rel=1e-12)
            assert (row["close"], row["market_cap"]) == (close, cap), (day, symbol)
            assert row["company"] == present.get(quarter.company(symbol, day)), (day, symbol)
            assert (row["known_by"], row["listing_of"]) == ("listing", day)


def check_that_all_of_it_has_happened(market: ChangingFacts, quarter: Quarter) -> None:
    """Or the test has shown nothing."""
    listed = [set(market.truth(day)) for day in NIGHTS]
    assert len(set.union(*listed) - listed[-1]) > 6, "delisted or renamed"
    assert sum(len({bar.symbol for bar in own}) > 2 for own in quarter.bars.values()) > 1, "renamed again and again"
    assert {row.adjustment_type for row in market.splits(FIRST, LAST)} > {"stock_dividend"}
    paid = [one for company in quarter.bars for one in quarter.dividends(company) if one.ex_day >= FIRST]
    assert sum(one.counts for one in paid) > 12
    dividends = {(row.distribution_type, row.currency) for row in market.dividends(FIRST, LAST)}
    assert dividends > {("recurring", "USD"), ("special", "USD"), ("irregular", "EUR")}
    unseen = [row for row in market.dividends(FIRST, LAST) if row.currency == "USD"]
    assert len(unseen) - sum(one.counts for one in paid) > 2, "dividends that were never paid"
    codes = {truth.figi for day in NIGHTS for symbol, truth in market.truth(day).items() if symbol == "GOOGL"}
    assert len(codes - {None}) == 2, "a FIGI that was corrected"
    assert quarter.cut == {SPIN_OFF.symbol: SPIN_OFF.day}


@pytest.mark.long(15)
async def test_each_night_of_a_quarter_of_dividends_spin_off_renames_and_delistings_is_told_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with changing_market(desk, monkeypatch) as market:
        past = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=NIGHTS[0])[:-1]
        who = Who(market, (*past, *NIGHTS))
        quarter, parted = Quarter(market, who.company, never_paid(market)), set()
        for day in past:
            quarter.add(day)
        await load_past(desk, past)
        for day in NIGHTS:
            quarter.add(day)
            await night(desk, day)
            await rest_of_the_night(desk, day, quarter, who)
            true = market.truth(day)
            assert {symbol: told(row) for symbol, row in (await listed_on(desk, day)).items()} == true, day
            present = quarter.present_symbols()
            await check_atr(desk, quarter, present)
            await check_averages(desk, quarter, present, true)
            if day in CACHED:
                parted |= await check_caches(desk, quarter, present, who)
            if day in (REISSUED.day, SPIN_OFF.day, LAST):
                await check_closes(desk, quarter, present)
        await check_history(desk, quarter, present, market)
        assert parted == {REISSUED.symbol, SPIN_OFF.symbol}
        check_that_all_of_it_has_happened(market, quarter)
