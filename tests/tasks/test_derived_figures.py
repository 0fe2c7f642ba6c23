"""Holds the derived figures to known answers: split basis, sessions without trades, sessions that are not stored."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from consumer.postgres import bars, splits
from consumer.postgres.bars import BarHistory
from consumer.postgres.details import store_details
from consumer.tasks.derived_figures import ShareCount, compute_derived, derive, possible, shares_on
from consumer.tasks.part import InputMissing
from consumer.vendor.rows import DailyRow, TickerDetails
from contract import data_sets
from market.splits import Split
from tests.tasks.conftest import CALENDAR, DAY, NOW

if TYPE_CHECKING:
    from consumer.postgres.derived import DerivedFigures
    from tests.tasks.conftest import Desk

SESSIONS = CALENDAR.last_trading_days(30, up_to=DAY)


def history(bars_of: dict[str, dict[dt.date, tuple[float, float]]]) -> BarHistory:
    """Close and volume for each symbol and day."""
    symbols = sorted(bars_of)
    rows = [(day, *bars_of[symbol][day]) for symbol in symbols for day in sorted(bars_of[symbol])]
    close = np.array([row[1] for row in rows])
    return BarHistory(
        symbols=symbols,
        offsets=np.cumsum([0, *(len(bars_of[symbol]) for symbol in symbols)], dtype=np.int64),
        days=np.array([row[0] for row in rows], dtype="datetime64[D]"),
        close=close, volume=np.array([row[2] for row in rows]),
    )  # fmt: skip


def split(day: dt.date, to: float) -> Split:
    return Split(symbol="A", execution_day=day, split_from=1.0, split_to=to, kind="forward_split")


def figures(
    bars_of: dict[str, dict[dt.date, tuple[float, float]]],
    *,
    splits: list[Split] | None = None,
    count: ShareCount | None = None,
) -> DerivedFigures:
    found = derive(history(bars_of), {"A": splits or []}, {} if count is None else {"A": count}, SESSIONS)
    return next(figure for figure in found if figure.symbol == "A")


def test_averages_are_of_the_last_sessions() -> None:
    own = {day: (10.0 + number, 100.0 * number) for number, day in enumerate(SESSIONS)}
    found = figures({"A": own})
    assert found.avg_volume_30d == pytest.approx(100 * sum(range(30)) / 30)
    assert found.avg_volume_10d == pytest.approx(100 * sum(range(20, 30)) / 10)
    assert found.avg_volume_5d == pytest.approx(100 * sum(range(25, 30)) / 5)
    assert found.avg_price_30d == pytest.approx(10 + 29 / 2)
    assert found.last_close == 39.0


def test_sessions_without_a_trade_count_as_zero_from_the_first_bar_on() -> None:
    every = dict.fromkeys(SESSIONS, (1.0, 1.0))
    found = figures({"B": every, "A": {SESSIONS[-8]: (5.0, 800.0), SESSIONS[-2]: (6.0, 500.0)}})
    assert found.avg_volume_30d == found.avg_volume_10d == pytest.approx(1300 / 8)
    assert found.avg_volume_5d == pytest.approx(500 / 5)
    assert found.last_close == 6.0


def test_a_session_whose_bars_are_not_stored_is_none_of_the_n() -> None:
    own = {day: (1.0, 100.0) for day in SESSIONS if day not in (SESSIONS[-2], SESSIONS[-7])}
    found = figures({"A": own})
    assert (found.avg_volume_30d, found.avg_volume_10d, found.avg_volume_5d) == (100.0, 100.0, 100.0)


def sessions_of(found: DerivedFigures) -> tuple[int, int, int]:
    return found.avg_volume_sessions, found.avg_volume_sessions_10d, found.avg_volume_sessions_5d


def test_every_average_says_of_how_many_sessions_it_is() -> None:
    every = dict.fromkeys(SESSIONS, (1.0, 1.0))
    assert sessions_of(figures({"A": every})) == (30, 10, 5)
    assert sessions_of(figures({"B": every, "A": {SESSIONS[-8]: (5.0, 800.0)}})) == (8, 8, 5)
    stored = {day: (1.0, 100.0) for day in SESSIONS if day not in (SESSIONS[-2], SESSIONS[-7])}
    assert sessions_of(figures({"A": stored})) == (28, 8, 4)


def test_a_session_in_which_the_symbols_row_was_set_aside_is_none_of_the_n() -> None:
    aside = (SESSIONS[-3], SESSIONS[-20])
    own = {day: (1.0, 100.0) for day in SESSIONS if day not in aside}
    known = history({"A": own, "B": dict.fromkeys(SESSIONS, (1.0, 1.0))})
    found = derive(known, {}, {}, SESSIONS, {"A": aside})[0]
    assert (found.avg_volume_30d, found.avg_volume_10d, found.avg_volume_5d) == (100.0, 100.0, 100.0)
    assert sessions_of(found) == (28, 9, 4)
    other = derive(known, {}, {}, SESSIONS, {"A": aside})[1]
    assert sessions_of(other) == (30, 10, 5)
    before_its_first = derive(known, {}, {}, SESSIONS, {"B": [SESSIONS[0]]})[1]
    assert sessions_of(before_its_first) == (29, 10, 5)


LONG = CALENDAR.last_trading_days(63, up_to=DAY)


def test_an_average_of_three_months_is_of_63_sessions_on_the_split_basis_of_the_day() -> None:
    own = {day: (1.0, float(number)) for number, day in enumerate(LONG)}
    found = derive(history({"A": own}), {"A": [split(LONG[-1], 7.0)]}, {}, LONG)[0]
    assert found.avg_volume_3m == pytest.approx((7 * sum(range(62)) + 62) / 63)
    assert found.avg_volume_sessions_3m == 63
    assert found.avg_volume_30d == pytest.approx((7 * sum(range(33, 62)) + 62) / 30), "the others as before"
    assert sessions_of(found) == (30, 10, 5)


def test_an_average_of_three_months_counts_from_a_listing_on() -> None:
    every = dict.fromkeys(LONG, (1.0, 1.0))
    found = derive(history({"A": {LONG[-40]: (1.0, 800.0), LONG[-1]: (1.0, 0.0)}, "B": every}), {}, {}, LONG)[0]
    assert (found.avg_volume_3m, found.avg_volume_sessions_3m) == (20.0, 40)


def test_there_is_no_average_of_three_months_across_a_hole() -> None:
    every = dict.fromkeys(LONG, (1.0, 100.0))
    lost = history({"A": {day: bar for day, bar in every.items() if day != LONG[5]}})
    assert derive(lost, {}, {}, LONG)[0].avg_volume_3m is None, "one session is not stored"
    both = history({"A": every, "B": dict.fromkeys(LONG[10:], (1.0, 5.0))})
    aside = derive(both, {}, {}, LONG, {"A": [LONG[7]], "B": [LONG[7]]})
    assert [(one.avg_volume_3m, one.avg_volume_sessions_3m) for one in aside] == [(None, None), (5.0, 53)]
    assert [sessions_of(one) for one in aside] == [(30, 10, 5), (30, 10, 5)], "that is before their window"
    assert derive(history({"A": every}), {}, {}, LONG[1:])[0].avg_volume_3m is None, "62 are no three months"


def test_who_has_not_traded_for_30_sessions_has_no_figures() -> None:
    found = derive(history({"A": {LONG[0]: (1.0, 1.0)}, "B": dict.fromkeys(LONG, (1.0, 1.0))}), {}, {}, LONG)
    assert [one.symbol for one in found] == ["B"]


def test_prices_and_volumes_are_on_the_split_basis_of_the_day() -> None:
    own = dict.fromkeys(SESSIONS[:-1], (70.0, 100.0)) | {SESSIONS[-1]: (10.0, 700.0)}
    found = figures({"A": own}, splits=[split(SESSIONS[-1], 7.0)])
    assert found.avg_volume_30d == pytest.approx(700.0)
    assert found.avg_price_30d == pytest.approx(10.0)


def test_the_last_close_of_a_symbol_halted_over_its_split_is_adjusted() -> None:
    others = dict.fromkeys(SESSIONS, (1.0, 1.0))
    found = figures({"A": {SESSIONS[-3]: (70.0, 100.0)}, "B": others}, splits=[split(SESSIONS[-1], 7.0)])
    assert found.last_close == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("counted_on", "shares"),
    [
        pytest.param(DAY - dt.timedelta(days=1), 700.0, id="counted before the split: seven times as many"),
        pytest.param(DAY, 100.0, id="counted on the day of the split: as counted"),
        pytest.param(DAY + dt.timedelta(days=400), 50.0, id="counted after a later split: half as many"),
    ],
)
def test_a_share_count_is_scaled_by_the_splits_between_it_and_the_day(counted_on: dt.date, shares: float) -> None:
    splits = [split(DAY, 7.0), split(DAY + dt.timedelta(days=300), 2.0)]
    count = ShareCount(shares=100.0, counted_on=counted_on)
    assert shares_on(DAY, count, splits) == pytest.approx(shares)
    found = figures({"A": {DAY: (10.0, 1.0)}}, splits=splits, count=count)
    assert found.market_cap == pytest.approx(shares * 10.0)


def test_without_a_share_count_the_market_cap_is_unknown() -> None:
    assert figures({"A": {DAY: (10.0, 1.0)}}).market_cap is None


def test_no_bars_give_no_figures() -> None:
    assert derive(history({}), {}, {}, SESSIONS) == []


def bar(symbol: str, close: float, volume: float) -> DailyRow:
    return DailyRow(T=symbol, o=close, h=close, l=close, c=close, v=volume, t=0)


async def test_the_part_stores_them_with_their_day(desk: Desk) -> None:
    async with desk.pool.acquire() as connection:
        await bars.replace_bars(connection, SESSIONS[-2], [bar("A", 70.0, 100.0)], load_id=1)
        await bars.replace_bars(connection, DAY, [bar("A", 11.0, 300.0)], load_id=1)
        await splits.upsert_splits(connection, [split(DAY, 7.0)], load_id=1, now=NOW)
        details = TickerDetails(ticker="A", weighted_shares_outstanding=1000.0)
        await store_details(connection, [details], [], now=NOW - dt.timedelta(days=1))
    await desk.cover(data_sets.DAILY_BARS)
    report = await desk.run(compute_derived)
    assert report.rows == 1
    row = await desk.pool.fetchrow("SELECT * FROM ticker_profile")
    assert (row["market_cap"], row["last_close"], row["as_of"]) == (pytest.approx(77_000.0), 11.0, DAY)
    assert row["avg_volume_30d"] == pytest.approx((700 + 300) / 2)
    covered = await desk.pool.fetchrow("SELECT * FROM coverage WHERE data_set = $1", data_sets.DERIVED)
    assert (covered["trading_day"], covered["row_count"], covered["fetched_at"]) == (DAY, 1, NOW)


async def test_without_the_days_bars_nothing_is_derived(desk: Desk) -> None:
    with pytest.raises(InputMissing, match="daily_bars of 2025-11-11"):
        await desk.run(compute_derived)


def test_figures_that_cannot_be_are_not_stored_and_a_market_cap_alone_goes_alone() -> None:
    sound = figures({"A": {DAY: (10.0, 5.0)}}, count=ShareCount(shares=1e6, counted_on=DAY))
    assert possible(sound) == sound
    rich = figures({"A": {DAY: (1e7, 5.0)}}, count=ShareCount(shares=1e13, counted_on=DAY))
    assert (possible(rich), rich.market_cap) == (msgspec.structs.replace(rich, market_cap=None), 1e20)
    yesterday = SESSIONS[-2]
    absurd = figures({"A": {yesterday: (10.0, 1e12)}}, splits=[split(DAY, 1e6)])
    assert possible(absurd) is None


async def test_a_symbol_whose_figures_cannot_be_keeps_what_it_had_and_is_named(desk: Desk) -> None:
    async with desk.pool.acquire() as connection:
        rows = [DailyRow(T=name, o=10, h=10, l=10, c=10, v=1e12, t=0) for name in ("A", "B")]
        await bars.replace_bars(connection, SESSIONS[-2], rows, load_id=1)
        await splits.upsert_splits(connection, [split(DAY, 1e6)], load_id=1, now=NOW)
    await desk.cover(data_sets.DAILY_BARS)
    report = await desk.run(compute_derived)
    assert report.warnings == ("derived: 1 symbols have figures that cannot be, theirs stay as they were",)
    assert await desk.pool.fetchval("SELECT array_agg(symbol) FROM ticker_profile") == ["B"]
