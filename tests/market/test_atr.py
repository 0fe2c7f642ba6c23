"""Holds the ATR to published tables, to TA-Lib, and the market-wide version to the scalar one."""

import itertools

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from market.atr import latest_atr, true_range, wilder_atr

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


@settings(deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), max_size=12), st.integers(1, 20))
def test_the_whole_market_at_once_equals_one_symbol_at_a_time(seed: int, lengths: list[int], period: int):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    bars = random_bars(seed, int(offsets[-1]))
    expected = [
        wilder_atr(*(prices[start:end] for prices in bars), period=period)[-1] if end > start else np.nan
        for start, end in itertools.pairwise(offsets)
    ]
    np.testing.assert_array_equal(latest_atr(*bars, offsets, period=period), expected)


def test_one_bar_decides_whether_there_is_an_average():
    high, low, close = random_bars(1, 29)
    latest = latest_atr(high, low, close, np.array([0, 14, 29]))
    assert np.isnan(latest[0])
    assert latest[1] == pytest.approx(true_range(high[14:], low[14:], close[14:])[1:].mean(), abs=1e-12)


def test_rows_outside_the_offsets_are_left_alone():
    bars = random_bars(2, 60)
    padded = [np.concatenate([[np.nan], prices, [np.nan]]) for prices in bars]
    offsets = np.array([0, 30, 60])
    np.testing.assert_array_equal(latest_atr(*padded, offsets + 1), latest_atr(*bars, offsets))


def test_a_missing_price_spoils_its_own_symbol_only():
    high, low, close = random_bars(3, 60)
    close[40] = np.nan
    latest = latest_atr(high, low, close, np.array([0, 30, 60]))
    assert np.isfinite(latest[0])
    assert np.isnan(latest[1])
    assert np.isnan(wilder_atr(high[30:], low[30:], close[30:])[-1])


def test_a_missing_last_close_of_the_neighbour_does_not_reach_the_next_symbol():
    high, low, close = random_bars(4, 60)
    expected = latest_atr(high, low, close, np.array([0, 30, 60]))[1]
    close[29] = np.nan
    assert latest_atr(high, low, close, np.array([0, 30, 60]))[1] == expected


def test_the_inputs_are_not_written_to():
    bars = random_bars(5, 40)
    before = [prices.copy() for prices in bars]
    latest_atr(*bars, np.array([0, 20, 40]))
    wilder_atr(*bars)
    for prices, kept in zip(bars, before, strict=True):
        np.testing.assert_array_equal(prices, kept)


def test_an_empty_market_has_no_averages():
    nothing = np.empty(0)
    assert latest_atr(nothing, nothing, nothing, np.array([0])).shape == (0,)
    assert true_range(nothing, nothing, nothing).shape == (0,)
    assert np.isnan(latest_atr(nothing, nothing, nothing, np.array([0, 0, 0]))).tolist() == [True, True]


@pytest.mark.parametrize("offsets", [[], [0, 41], [-1, 40], [0, 30, 20], [[0, 40]]])
def test_offsets_that_cannot_be_meant_are_refused(offsets: list[int]):
    with pytest.raises(ValueError, match="offsets"):
        latest_atr(*random_bars(6, 40), np.array(offsets, dtype=np.int64))


def test_wrong_shapes_and_periods_are_refused():
    high, low, close = random_bars(7, 40)
    with pytest.raises(ValueError, match="one length"):
        true_range(high, low[1:], close)
    with pytest.raises(ValueError, match="one length"):
        true_range(high.reshape(2, 20), low.reshape(2, 20), close.reshape(2, 20))
    with pytest.raises(ValueError, match="at least one"):
        wilder_atr(high, low, close, period=0)
    with pytest.raises(ValueError, match="at least one"):
        latest_atr(high, low, close, np.array([0, 40]), period=0)
