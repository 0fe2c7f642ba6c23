"""Holds trades to: sums as plain additions have them, unknown where a bar does not say, statistics of the sample."""

from __future__ import annotations

import datetime as dt
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.slot_weighing import Slots, weigh_trades
from market.trades import baseline
from market.trading_calendar import TradingCalendar
from market.volume_slots import UNKNOWN_TRADES, bin_volumes, slot_start_ms, unknown_trades

CALENDAR = TradingCalendar()
DAYS = (dt.date(2025, 10, 31), dt.date(2025, 11, 3))  # with a clock change between them
STARTS = np.array([slot_start_ms(CALENDAR.session(day)) for day in DAYS], dtype=np.int64)
U = UNKNOWN_TRADES

# A bar: session, minute of the grid (some beside it), shares, and what it says of its trades.
BARS = st.dictionaries(
    st.tuples(st.integers(0, 1), st.integers(-3, 963)),
    st.tuples(
        st.one_of(st.just(0.0), st.floats(1e-6, 1e12)), st.one_of(st.none(), st.integers(0, 10**9), st.integers(0, 3))
    ),
    max_size=60,
)


def arrays_of(bars: dict[tuple[int, int], tuple[float, int | None]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    stamps = [int(STARTS[session]) + minute * 60_000 for session, minute in bars]
    volumes = [volume for volume, _ in bars.values()]
    trades = [U if count is None else count for _, count in bars.values()]
    return np.array(stamps, dtype=np.int64), np.array(volumes, dtype=np.float64), np.array(trades, dtype=np.int64)


@given(BARS)
def test_trades_add_up_by_slot_and_one_bar_that_does_not_say_leaves_its_slot_unknown(
    bars: dict[tuple[int, int], tuple[float, int | None]],
) -> None:
    stamps, volumes, trades = arrays_of(bars)
    expected = {(session, slot): 0 for session in range(2) for slot in range(192)}
    silent = set()
    for (session, minute), (volume, count) in bars.items():
        if not 0 <= minute < 960:
            continue
        expected[session, minute // 5] += count or 0
        if volume > 0 and not count:
            silent.add((session, minute // 5))
    for cell, total in expected.items():
        if cell in silent or total > 10**9:
            expected[cell] = U
    found = bin_volumes(stamps, volumes, STARTS, trades)
    assert found.trades is not None
    assert {cell: int(found.trades[cell]) for cell in expected} == expected
    assert np.array_equal(found.volumes, bin_volumes(stamps, volumes, STARTS).volumes), "trades decide no volume"


def test_bars_that_are_not_asked_for_trades_have_none() -> None:
    assert bin_volumes(STARTS[:1], np.ones(1), STARTS).trades is None


def test_unknown_is_counted_where_there_is_volume_and_nowhere_else() -> None:
    volumes = np.array([0.0, 5.0, 5.0, 0.0])
    assert unknown_trades(volumes, np.array([U, U, 3, 0])) == 1
    assert unknown_trades(volumes, None) == 2


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 10**9), st.integers(0, 9)), min_size=4, max_size=4),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_mean_and_deviation_are_those_of_the_sample_of_sessions_that_observed(sessions: list[list[int | None]]) -> None:
    trades = np.array([[[count or 0 for count in one]] for one in sessions], dtype=np.float64)
    observed = np.array([[[count is not None for count in one]] for one in sessions])
    found = baseline(trades, observed)
    for place in range(4):
        seen = [one[place] for one in sessions if one[place] is not None]
        assert found.days[0, place] == len(seen)
        mean = statistics.mean(seen) if seen else math.nan
        deviation = statistics.stdev(seen) if len(seen) > 1 else math.nan
        assert found.mean[0, place] == pytest.approx(mean, rel=1e-12, nan_ok=True)
        assert found.deviation[0, place] == pytest.approx(deviation, rel=1e-9, abs=1e-9, nan_ok=True)


def test_what_is_observed_must_have_the_shape_of_the_trades() -> None:
    with pytest.raises(ValueError, match="their shape"):
        baseline(np.ones((2, 1, 3)), np.ones((2, 1, 1), dtype=bool))


# A later answer about a final session: volumes, trades before; the same after; the daily bar's count; what stays.
@pytest.mark.parametrize(
    ("before", "after", "bar", "stored", "outweighed"),
    [
        pytest.param(((9, 5), (3, 2)), ((9, 5), (4, 2)), None, (4, 2), (), id="a count that grows is taken"),
        pytest.param(((9, 5), (3, 2)), ((9, 5), (3, 1)), None, (3, 2), (1,), id="one that falls alone is not"),
        pytest.param(((9, 5), (3, 2)), ((9, 4), (3, 1)), None, (3, 1), (), id="it may fall with its volume"),
        pytest.param(((9, 5), (3, 2)), ((9, 5), (3, 1)), 4, (3, 1), (), id="and where the daily bar bears it out"),
        pytest.param(((9, 5), (3, 2)), ((9, 5), (3, 1)), 5, (3, 2), (1,), id="but not where it denies it"),
        pytest.param(((9, 5), (3, 2)), ((9, 5), (U, 2)), None, (3, 2), (), id="what is not said any more still stands"),
        pytest.param(((9, 5), (3, 2)), ((9, 6), (3, U)), None, (3, U), (), id="unless the slot is another one by now"),
        pytest.param(((9, 5), (U, U)), ((9, 5), (3, 2)), 1, (3, 2), (), id="what was never known is told first"),
    ],
)
def test_counts_are_weighed_by_themselves(
    before: tuple[tuple[int, ...], ...],
    after: tuple[tuple[int, ...], ...],
    bar: int | None,
    stored: tuple[int, ...],
    outweighed: tuple[int, ...],
) -> None:
    stands, answer = (
        Slots(volumes=np.array(volumes, dtype=np.float64), trades=np.array(trades, dtype=np.int64))
        for volumes, trades in (before, after)
    )
    trades, fallen = weigh_trades(stands, answer, bar)
    assert tuple(trades.tolist()) == stored
    assert tuple(np.flatnonzero(fallen).tolist()) == outweighed
