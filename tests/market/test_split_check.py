"""Holds the check of splits to known mornings and to properties that any split has."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.split_check import OvernightPrices, Proof, looks_like_a_split, proofs
from market.splits import Split

DAY = dt.date(2024, 6, 10)
# NVDA, 10 for 1: market-wide known prices of 2024-06-07 and 2024-06-10.
NVIDIA = OvernightPrices(close_before=1208.88, open_after=120.37, close_after=121.79)
RATIOS = st.sampled_from([(1, 2), (1, 10), (2, 3), (4, 5), (10, 1), (7.5, 1), (1, 1.5)])


def split(split_to: float, split_from: float = 1.0) -> Split:
    return Split(symbol="A", execution_day=DAY, split_from=split_from, split_to=split_to, kind="split")


def prices(ratio: float) -> OvernightPrices:
    return OvernightPrices(close_before=100.0, open_after=100.0 * ratio, close_after=100.0 * ratio)


def test_nvidias_split_is_confirmed_by_its_morning() -> None:
    assert proofs([split(10.0)], NVIDIA) == [Proof.CONFIRMED]


def test_apples_first_print_at_the_old_price_does_not_contradict_its_split() -> None:
    opened_late = OvernightPrices(close_before=645.57, open_after=645.57, close_after=93.7)
    assert proofs([split(7.0)], opened_late) == [Proof.CONFIRMED]


def test_a_split_given_upside_down_is_contradicted() -> None:
    assert proofs([split(1.0, 10.0)], NVIDIA) == [Proof.CONTRADICTED]


def test_one_of_several_ratios_counts_at_most_once() -> None:
    assert proofs([split(5.0), split(10.0), split(100.0, 10.0)], NVIDIA) == [
        Proof.CONTRADICTED, Proof.CONFIRMED, Proof.CONTRADICTED,
    ]  # fmt: skip


def test_a_stock_dividend_cannot_be_told_from_an_ordinary_night_and_counts() -> None:
    assert proofs([split(1.05)], prices(1.02)) == [Proof.UNCHECKED]


def test_without_prices_a_lone_split_counts_and_contradicting_ones_do_not() -> None:
    assert proofs([split(2.0)], None) == [Proof.UNCHECKED]
    assert proofs([split(2.0), split(3.0)], None) == [Proof.CONTRADICTED] * 2


@given(RATIOS, st.floats(0.93, 1.07))
def test_a_true_split_counts_and_one_that_did_not_happen_does_not(ratio: tuple[float, float], night: float) -> None:
    old, new = ratio
    true = split(new, old)
    assert proofs([true], prices(old / new * night)) == [Proof.CONFIRMED]
    assert proofs([true], prices(night)) == [Proof.CONTRADICTED]


@given(st.lists(RATIOS, min_size=1, max_size=4), st.floats(0.01, 100))
def test_never_more_than_one_split_of_a_morning_counts(listed: list[tuple[float, float]], ratio: float) -> None:
    found = proofs([split(new, old) for old, new in listed], prices(ratio))
    assert sum(proof is not Proof.CONTRADICTED for proof in found) <= 1


@pytest.mark.parametrize(("ratio", "suggests"), [(0.143, 7.0), (10.1, 0.1), (0.9, None), (0.36, None), (0.5, 2.0)])
def test_a_jump_suggests_a_split_only_near_a_usual_ratio(ratio: float, suggests: float | None) -> None:
    assert looks_like_a_split(prices(ratio)) == (None if suggests is None else pytest.approx(suggests))


def test_a_jump_that_was_gone_by_the_close_suggests_nothing() -> None:
    assert looks_like_a_split(OvernightPrices(close_before=100.0, open_after=50.0, close_after=99.0)) is None
