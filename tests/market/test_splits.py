"""Shows that bars from before a split are comparable with those after it."""

import datetime as dt
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.atr import true_range
from market.splits import ContradictorySplits, Split, price_factors

DAYS = np.array(["2024-06-06", "2024-06-07", "2024-06-10", "2024-06-11"], dtype="datetime64[D]")
LATER = dt.date(2024, 6, 30)


def split(day: str, split_from: float, split_to: float, symbol: str = "NVDA") -> Split:
    return Split(
        symbol=symbol,
        execution_day=dt.date.fromisoformat(day),
        split_from=split_from,
        split_to=split_to,
        kind="forward_split",
    )


NVDA = split("2024-06-10", 1, 10)


def test_nvidia_s_ten_for_one_leaves_no_trace_in_range_or_volume():
    days = DAYS[1:3]
    high, low, close = np.array([1216.92, 123.09]), np.array([1180.22, 117.01]), np.array([1208.88, 121.79])
    volume = np.array([41_238_499.0, 314_162_647.0])
    factors = price_factors(days, [NVDA], as_of=dt.date(2024, 6, 10))

    assert true_range(high * factors, low * factors, close * factors)[1] == pytest.approx(6.08, abs=1e-9)
    assert true_range(high, low, close)[1] == pytest.approx(1091.87, abs=1e-9)
    adjusted = volume / factors
    assert adjusted[1] / adjusted[0] == pytest.approx(0.762, abs=5e-4)
    assert volume[1] / volume[0] == pytest.approx(7.62, abs=5e-3)


def test_only_days_before_the_execution_day_are_adjusted():
    np.testing.assert_allclose(price_factors(DAYS, [NVDA], as_of=LATER), [0.1, 0.1, 1, 1])


def test_a_split_still_to_come_changes_nothing():
    assert price_factors(DAYS, [NVDA], as_of=dt.date(2024, 6, 9)).tolist() == [1, 1, 1, 1]
    assert price_factors(DAYS, [NVDA], as_of=dt.date(2024, 6, 10)).tolist() == [0.1, 0.1, 1, 1]


def test_a_reverse_split_raises_earlier_prices():
    np.testing.assert_allclose(price_factors(DAYS, [split("2024-06-11", 20, 1)], as_of=LATER), [20, 20, 20, 1])


def test_days_need_no_order_and_may_be_absent():
    np.testing.assert_allclose(price_factors(DAYS[::-1], [NVDA], as_of=LATER), [1, 1, 0.1, 0.1])
    assert price_factors(DAYS[:0], [NVDA], as_of=LATER).shape == (0,)
    assert price_factors(DAYS, [], as_of=LATER).tolist() == [1, 1, 1, 1]


@given(st.lists(st.tuples(st.integers(1, 28), st.integers(1, 20), st.integers(1, 20)), unique_by=lambda row: row[0]))
def test_factors_multiply_whatever_the_order_of_the_splits(rows: list[tuple[int, int, int]]):
    splits = [split(f"2024-06-{day:02d}", old, new) for day, old, new in rows]
    found = price_factors(DAYS, splits, as_of=LATER)
    expected = [
        math.prod(s.split_from / s.split_to for s in splits if np.datetime64(s.execution_day) > day) for day in DAYS
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(price_factors(DAYS, splits[::-1], as_of=LATER), found, rtol=1e-12)


def test_a_split_listed_twice_counts_once():
    twice = [NVDA, NVDA, split("2024-06-10", 10, 100)]
    np.testing.assert_allclose(price_factors(DAYS, twice, as_of=LATER), [0.1, 0.1, 1, 1])


def test_two_ratios_on_one_day_are_refused_with_both_named():
    with pytest.raises(ContradictorySplits, match="NVDA has splits of 10 and 4 for one on 2024-06-10"):
        price_factors(DAYS, [NVDA, split("2024-06-10", 1, 4)], as_of=LATER)


def test_splits_of_several_symbols_are_refused():
    with pytest.raises(ValueError, match="one symbol"):
        price_factors(DAYS, [NVDA, split("2024-06-07", 1, 2, symbol="nvda")], as_of=LATER)


@pytest.mark.parametrize("shares", [0.0, -1.0, math.nan, math.inf])
def test_a_ratio_that_is_none_cannot_be_built_or_decoded(shares: float):
    with pytest.raises(ValueError, match="cannot split"):
        split("2024-06-10", shares, 10)
    row = {"symbol": "A", "execution_day": "2024-06-10", "split_from": 1, "split_to": 0, "kind": ""}
    with pytest.raises(msgspec.ValidationError, match="cannot split"):
        msgspec.convert(row, Split)
