"""Holds the ATR to published tables, to TA-Lib, and the one that runs over a whole market to the scalar one."""

import itertools

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from market.atr import RunningAtr, bars_needed, true_range, wilder_atr

# The sample of 30 QQQ bars with which StockCharts explains ATR, as public code reproduces it
# (the low of index 24 with its well-known typing error, hence a true range of 6.77).
QQQ_HIGH = np.array([
    48.70, 48.72, 48.90, 48.87, 48.82, 49.05, 49.20, 49.35, 49.92, 50.19, 50.12, 49.66, 49.88, 50.19, 50.36,
    50.57, 50.65, 50.43, 49.63, 50.33, 50.29, 50.17, 49.32, 48.50, 48.32, 46.80, 47.80, 48.39, 48.66, 48.79,
])  # fmt: skip
QQQ_LOW = np.array([
    47.79, 48.14, 48.39, 48.37, 48.24, 48.64, 48.94, 48.86, 49.50, 49.87, 49.20, 48.90, 49.43, 49.73, 49.26,
    50.09, 50.30, 49.21, 48.98, 49.61, 49.20, 49.43, 48.08, 47.64, 41.55, 44.28, 47.31, 47.20, 47.90, 47.73,
])  # fmt: skip
QQQ_CLOSE = np.array([
    48.16, 48.61, 48.75, 48.63, 48.74, 49.03, 49.07, 49.32, 49.91, 50.13, 49.53, 49.50, 49.75, 50.03, 50.31,
    50.52, 50.41, 49.34, 49.37, 50.23, 49.24, 49.93, 48.43, 48.18, 46.57, 45.41, 47.77, 47.72, 48.62, 47.85,
])  # fmt: skip

HAND_HIGH = np.array([10, 11, 12, 11.5, 13, 12.8])
HAND_LOW = np.array([9, 9.5, 10.5, 10, 11, 12])
HAND_CLOSE = np.array([9.5, 11, 11, 10.5, 12.5, 12.1])


def random_bars(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bars of a random walk with gaps, so that each of the three terms of the true range wins at times."""
    rng = np.random.default_rng(seed)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.03, count)))
    spread = close * rng.uniform(0, 0.03, (2, count))
    return close + spread[0], close - spread[1], close


def test_the_hand_vector_gives_its_true_ranges_and_averages():
    bars = HAND_HIGH, HAND_LOW, HAND_CLOSE
    np.testing.assert_allclose(true_range(*bars), [1, 1.5, 1.5, 1.5, 2.5, 0.8], atol=1e-12)
    expected = [np.nan, np.nan, np.nan, 1.5, 1.8333333333, 1.4888888889]
    np.testing.assert_allclose(wilder_atr(*bars, period=3), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("index", "true", "average"),
    [
        (13, 0.46, np.nan), (14, 1.10, 0.567857), (15, 0.48, 0.561582), (20, 1.09, 0.657616),
        (24, 6.77, 1.196653), (27, 1.19, 1.356832), (29, 1.06, 1.307983),
    ],
)  # fmt: skip
def test_the_published_qqq_sample_is_reproduced(index: int, true: float, average: float):
    assert true_range(QQQ_HIGH, QQQ_LOW, QQQ_CLOSE)[index] == pytest.approx(true, abs=1e-9)
    found = wilder_atr(QQQ_HIGH, QQQ_LOW, QQQ_CLOSE)[index]
    assert found == pytest.approx(average, abs=5e-7, nan_ok=True)


@given(st.integers(0, 2**32), st.integers(0, 120), st.integers(1, 30))
def test_every_average_equals_ta_lib_s(seed: int, count: int, period: int):
    bars = random_bars(seed, count)
    found = wilder_atr(*bars, period=period)
    expected = talib.ATR(*bars, timeperiod=period) if count > period else np.full(count, np.nan)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def run_together(bars_of: list[tuple[np.ndarray, ...]], sessions_of: list[list[int]], period: int) -> RunningAtr:
    """Feed bar k of symbol i on session sessions_of[i][k], all symbols of a session together."""
    running = RunningAtr(len(bars_of), period)
    place = [dict(zip(sessions, itertools.count())) for sessions in sessions_of]
    for session in sorted({session for sessions in sessions_of for session in sessions}):
        there = [number for number, sessions in enumerate(place) if session in sessions]
        prices = [[bars_of[number][field][place[number][session]] for number in there] for field in range(3)]
        running.add(np.array(there), *(np.array(column) for column in prices))
    return running


@settings(deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sets(st.integers(0, 50)), max_size=8), st.integers(1, 20))
def test_the_whole_market_session_by_session_equals_one_symbol_at_a_time(
    seed: int, traded: list[set[int]], period: int
) -> None:
    bars_of = [random_bars(seed + number, len(sessions)) for number, sessions in enumerate(traded)]
    running = run_together(bars_of, [sorted(sessions) for sessions in traded], period)
    expected = [wilder_atr(*bars, period=period)[-1] if len(bars[0]) else np.nan for bars in bars_of]
    np.testing.assert_array_equal(running.latest(), expected)
    assert running.bars.tolist() == [len(sessions) for sessions in traded]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 800), st.integers(1, 30), st.floats(1e-2, 1e2))
def test_the_bars_that_are_needed_give_the_average_of_all_bars_to_a_billionth(
    seed: int, earlier: int, period: int, earlier_level: float
) -> None:
    needed = bars_needed(period)
    all_bars = random_bars(seed, earlier + needed)
    for prices in all_bars:
        prices[:earlier] *= earlier_level  # as after a crash, or a rise, that no split explains
    cut = wilder_atr(*(prices[-needed:] for prices in all_bars), period=period)[-1]
    assert cut == pytest.approx(talib.ATR(*all_bars, timeperiod=period)[-1], rel=1e-9)


def test_one_bar_decides_whether_there_is_an_average() -> None:
    short, enough = random_bars(1, 14), random_bars(2, 15)
    latest = run_together([short, enough], [list(range(14)), list(range(15))], 14).latest()
    assert np.isnan(latest[0])
    assert latest[1] == pytest.approx(true_range(*enough)[1:].mean(), abs=1e-12)


@pytest.mark.parametrize("field", [0, 1, 2])
def test_a_missing_price_spoils_its_own_symbol_only(field: int) -> None:
    spoilt, sound = random_bars(3, 30), random_bars(4, 30)
    spoilt[field][10] = np.nan
    latest = run_together([spoilt, sound], [list(range(30))] * 2, 14).latest()
    assert np.isnan(latest[0])
    assert np.isnan(wilder_atr(*spoilt)[-1])
    assert latest[1] == wilder_atr(*sound)[-1]


def test_the_inputs_are_not_written_to() -> None:
    bars = random_bars(5, 40)
    before = [prices.copy() for prices in bars]
    running = RunningAtr(40)
    running.add(np.arange(40), *bars)
    running.add(np.arange(40), *bars)
    wilder_atr(*bars)
    for prices, kept in zip(bars, before, strict=True):
        np.testing.assert_array_equal(prices, kept)


def test_an_empty_market_has_no_averages() -> None:
    nothing = np.empty(0)
    assert true_range(nothing, nothing, nothing).shape == (0,)
    assert RunningAtr(0).latest().shape == (0,)
    assert np.isnan(RunningAtr(3).latest()).tolist() == [True, True, True]


def test_wrong_shapes_and_periods_are_refused() -> None:
    high, low, close = random_bars(7, 40)
    with pytest.raises(ValueError, match="one length"):
        true_range(high, low[1:], close)
    with pytest.raises(ValueError, match="one length"):
        true_range(high.reshape(2, 20), low.reshape(2, 20), close.reshape(2, 20))
    with pytest.raises(ValueError, match="one length"):
        RunningAtr(40).add(np.arange(39), high, low, close)
    with pytest.raises(ValueError, match="at least one"):
        wilder_atr(high, low, close, period=0)
    with pytest.raises(ValueError, match="at least one"):
        RunningAtr(1, period=0)
    with pytest.raises(ValueError, match="at least one"):
        bars_needed(0)
