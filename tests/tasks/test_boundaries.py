"""No figure reads across an accepted boundary; a jump proposes one and moves nothing."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from consumer.postgres import boundaries
from consumer.postgres.bars import BarHistory
from consumer.postgres.boundaries import Named, State
from consumer.postgres.decisions import Decision
from consumer.tasks.derived_figures import compute_derived
from consumer.tasks.splits import check_splits
from contract import data_sets
from market.volume_slots import SLOTS_PER_DAY
from tests.tasks.conftest import CALENDAR, DAY, NOW
from tests.tasks.stored_bars import atr_of, load_listed, put_bars, row, split

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool
    from consumer.vendor.rows import DailyRow
    from tests.tasks.conftest import Desk

SESSIONS = CALENDAR.last_trading_days(40, up_to=DAY)
SPUN_OFF = SESSIONS[-20]
BEFORE = SESSIONS[-2]


def a_market_with_a_spin_off(number: int, day: dt.date) -> list[DailyRow]:
    """MO goes from about 73 to about 23 on the morning of SPUN_OFF; A is an ordinary symbol."""
    random = Random(number)
    level = 73.0 if day < SPUN_OFF else 23.0
    return [row("MO", level + random.uniform(-1, 1)), row("A", 10.0 + random.uniform(-1, 1))]


async def say(pool: Pool, symbol: str, day: dt.date, state: State = State.ACCEPTED) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        decision = Decision(by="ann", at=NOW, reason="Form 10")
        named = Named(symbol=symbol, day=day, evidence="prices")
        return await boundaries.decide(connection, named, state, decision)


def of_bars(rows: list[DailyRow]) -> float:
    """TA-Lib's ATR(14) of one symbol's bars."""
    high, low, close = (np.array([getattr(one, field) for one in rows]) for field in ("h", "l", "c"))
    return float(talib.ATR(high, low, close, 14)[-1])


async def test_atr_is_of_the_bars_since_an_accepted_boundary_and_of_all_again_once_it_is_taken_back(desk: Desk) -> None:
    await put_bars(desk, lambda number, day: a_market_with_a_spin_off(number, day), sessions=40)
    own = {
        symbol: [one for n, day in enumerate(SESSIONS) for one in a_market_with_a_spin_off(n, day) if symbol == one.T]
        for symbol in ("MO", "A")
    }
    of_all = {symbol: of_bars(rows) for symbol, rows in own.items()}
    assert {symbol: found[0] for symbol, found in (await atr_of(desk)).items()} == pytest.approx(of_all, rel=1e-12)

    await say(desk.pool, "MO", SPUN_OFF)
    cut = await atr_of(desk)
    assert cut["MO"][0] == pytest.approx(of_bars(own["MO"][-20:]), rel=1e-12)
    assert cut["MO"][2] == 20
    assert cut["A"][0] == pytest.approx(of_all["A"], rel=1e-12)

    await say(desk.pool, "MO", SPUN_OFF, State.REJECTED)
    assert (await atr_of(desk))["MO"][0] == pytest.approx(of_all["MO"], rel=1e-12)


async def test_averages_and_their_count_are_of_the_sessions_since(desk: Desk) -> None:
    await put_bars(desk, lambda number, day: a_market_with_a_spin_off(number, day), sessions=40)
    await desk.pool.execute(
        "INSERT INTO ticker_profile (symbol, created_at, updated_at) VALUES ('MO', now(), now()), ('A', now(), now())"
    )
    await say(desk.pool, "MO", SPUN_OFF)
    await desk.run(compute_derived)
    rows = await desk.pool.fetch("SELECT symbol, avg_price_30d, avg_volume_sessions FROM ticker_profile")
    found = {r["symbol"]: r for r in rows}
    closes = [
        one.c for n, day in enumerate(SESSIONS) if day >= SPUN_OFF for one in a_market_with_a_spin_off(n, day)[:1]
    ]
    assert found["MO"]["avg_price_30d"] == pytest.approx(sum(closes) / 20, rel=1e-12)
    assert (found["MO"]["avg_volume_sessions"], found["A"]["avg_volume_sessions"]) == (20, 30)


async def test_a_boundary_after_the_day_that_a_figure_is_of_cuts_nothing(desk: Desk) -> None:
    await put_bars(desk, lambda number, day: a_market_with_a_spin_off(number, day), sessions=40)
    await say(desk.pool, "MO", SPUN_OFF)
    assert await boundaries.cuts(desk.pool, up_to=SPUN_OFF - boundaries.ONE_DAY) == {}
    assert await boundaries.cuts(desk.pool, up_to=SPUN_OFF) == {"MO": SPUN_OFF}


async def test_a_boundary_goes_with_a_renamed_company_and_not_with_whoever_has_the_symbol_since(desk: Desk) -> None:
    await desk.pool.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at, state, issuer_since) VALUES "
        "('OLD', true, $1, now(), now(), 'listed', $2), ('NEW', true, $1, now(), now(), 'listed', NULL)",
        DAY,
        SESSIONS[-5],
    )
    await say(desk.pool, "OLD", SPUN_OFF)
    assert await boundaries.cuts(desk.pool, up_to=DAY) == {}, "the company of that day is not to be found"
    await desk.pool.execute(
        "INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, found_at) "
        "VALUES ('OLD', $1, 'renamed', 'NEW', now())",
        SESSIONS[-5],
    )
    assert await boundaries.cuts(desk.pool, up_to=DAY) == {"NEW": SPUN_OFF}
    cuts = await desk.pool.fetch("SELECT symbol, cut_on, kind FROM series_cut ORDER BY 1")
    assert [tuple(r) for r in cuts] == [("NEW", SPUN_OFF, "decided"), ("OLD", SESSIONS[-5], "identity")]


async def jumped(desk: Desk, close_before: float = 73.0) -> list[tuple[str, str]]:
    """The proposals after a night whose last morning MO opened at 23, and A at a seventh by a split."""
    prices = {DAY: (23.0, 10.0), BEFORE: (close_before, 70.0)}
    await put_bars(
        desk, lambda _, day: [row("MO", prices[day][0]), row("A", prices[day][1])] if day in prices else [], sessions=2
    )
    await load_listed(desk, split("A", DAY))
    await desk.run(check_splits)
    found = await desk.pool.fetch("SELECT symbol, evidence FROM series_boundary WHERE state = 'proposed'")
    return [tuple(r) for r in found]


async def test_a_jump_without_a_split_is_proposed_with_its_evidence_and_changes_no_figure(desk: Desk) -> None:
    told = f"opened at 23, 0.315 times the close of {BEFORE}, 73, and no split is listed"
    assert await jumped(desk) == [("MO", told)]
    assert await boundaries.cuts(desk.pool, up_to=DAY) == {}

    version = await desk.pool.fetchval("SELECT xmin::text FROM series_boundary")
    await desk.run(check_splits)
    assert await desk.pool.fetchval("SELECT xmin::text FROM series_boundary") == version, "nothing new, nothing written"


async def restate_close(desk: Desk, close: float) -> None:
    await desk.pool.execute(
        "UPDATE daily_bar SET open = $1, high = $1, low = $1, close = $1 WHERE symbol = 'MO' AND trading_date = $2",
        close,
        BEFORE,
    )


async def test_a_proposal_goes_with_the_jump_and_a_decision_stays(desk: Desk) -> None:
    assert await jumped(desk)
    await restate_close(desk, 24.0)
    await desk.run(check_splits)
    assert await desk.pool.fetchval("SELECT count(*) FROM series_boundary") == 0

    await say(desk.pool, "MO", DAY, State.REJECTED)
    await restate_close(desk, 73.0)
    await desk.run(check_splits)
    assert await desk.pool.fetchval("SELECT state FROM series_boundary") == "rejected"


async def test_a_word_that_is_new_makes_figures_stale_once_and_the_same_again_does_not(desk: Desk) -> None:
    assert await say(desk.pool, "MO", SPUN_OFF)
    noted = "SELECT load_id FROM coverage WHERE data_set = $1"
    first = await desk.pool.fetchval(noted, data_sets.BOUNDARIES)
    assert first is not None
    assert not await say(desk.pool, "MO", SPUN_OFF)
    assert await desk.pool.fetchval(noted, data_sets.BOUNDARIES) == first
    assert await say(desk.pool, "A", SPUN_OFF, State.REJECTED)
    assert await desk.pool.fetchval(noted, data_sets.BOUNDARIES) == first, "what was never accepted moves no figure"
    assert await say(desk.pool, "MO", SPUN_OFF, State.REJECTED)
    assert await desk.pool.fetchval(noted, data_sets.BOUNDARIES) != first


DAYS = st.integers(0, 9).map(lambda number: SESSIONS[number])
HISTORIES = st.dictionaries(st.sampled_from("ABCD"), st.sets(DAYS, min_size=1).map(sorted), max_size=4)
CUTS = st.dictionaries(st.sampled_from("ABCDE"), DAYS)


@given(HISTORIES, CUTS)
def test_a_history_from_its_boundaries_on_is_each_symbols_own_rows_since(
    stored: dict[str, list[dt.date]], first: dict[str, dt.date]
) -> None:
    pairs = [(symbol, day) for symbol in sorted(stored) for day in stored[symbol]]
    prices = np.arange(len(pairs), dtype=float)
    history = BarHistory(
        symbols=sorted(stored),
        offsets=np.cumsum([0, *(len(stored[symbol]) for symbol in sorted(stored))]),
        days=np.array([day for _, day in pairs], dtype="datetime64[D]"),
        close=prices,
        volume=prices * 2,
    ).from_on(first)
    found = [
        (symbol, history.days[at].item(), history.close[at], history.volume[at])
        for number, symbol in enumerate(history.symbols)
        for at in range(history.offsets[number], history.offsets[number + 1])
    ]
    assert found == [
        (symbol, day, float(at), 2.0 * at)
        for at, (symbol, day) in enumerate(pairs)
        if day >= first.get(symbol, dt.date.min)
    ]
    assert all(np.diff(history.offsets) > 0), "no symbol without a row"


@given(st.lists(st.tuples(DAYS, st.sampled_from("ABCD"), st.booleans()), unique_by=lambda one: one[:2]), CUTS)
def test_slots_from_their_boundaries_on_keep_their_volumes(
    stored: list[tuple[dt.date, str, bool]], first: dict[str, dt.date]
) -> None:
    ordered = sorted(stored, key=lambda one: not one[2])
    rows = [(day, symbol, "traded" if traded else "no_trades") for day, symbol, traded in ordered]
    volumes = np.zeros((sum(traded for *_, traded in stored), SLOTS_PER_DAY))
    volumes[:, 0] = np.arange(len(volumes))
    left, traded = boundaries.from_on(first, rows, volumes)
    assert left == [row for row in rows if row[0] >= first.get(row[1], dt.date.min)]
    own = [at for at, row in enumerate(rows[: len(volumes)]) if row[0] >= first.get(row[1], dt.date.min)]
    assert traded[:, 0].tolist() == own


async def test_of_two_companies_that_had_a_symbol_the_one_that_is_called_so_today_is_meant(desk: Desk) -> None:
    """As META was: a fund's, which is METV now, and then the present name of what was traded as FB."""
    day, before = SESSIONS[-20], SESSIONS[-21]
    await desk.pool.execute(
        "INSERT INTO listed_ticker (symbol, is_active, last_seen, added_at, changed_at, state, issuer_since) VALUES "
        "('META', true, $1, now(), now(), 'listed', $2), ('METV', true, $1, now(), now(), 'listed', NULL)",
        DAY,
        SESSIONS[-5],
    )
    await desk.pool.execute(
        "INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, found_at) VALUES "
        "('META', $1, 'renamed', 'METV', now()), ('FB', $2, 'renamed', 'META', now())",
        SESSIONS[-8],
        SESSIONS[-5],
    )
    await put_bars(
        desk, lambda _, on: [row("FB", 300.0), row("META", 15.0)] if on in (day, before) else [], sessions=40
    )
    async with desk.pool.acquire() as connection:
        meta = await boundaries.around(connection, "META", day)
        fund = await boundaries.around(connection, "METV", day)
    assert (meta.traded_as, meta.open_on, meta.close_before) == ("FB", 300.0, 300.0)
    assert (fund.traded_as, fund.open_on, fund.close_before) == ("META", 15.0, 15.0)
    await say(desk.pool, "META", day)
    (listed,) = await boundaries.find(desk.pool, decided=True)
    assert (listed.symbol, listed.company) == ("META", "METV"), "as it was traded, and whose it is today"
