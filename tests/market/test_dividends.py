"""The factor of an ex-day, by the worked examples of others, and by what must hold of it whatever is paid."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.dividends import SMALLEST_FACTOR, Dividend, day_factor, payments

# Yahoo's help on its adjusted close ("adhering to Center for Research in Security Prices (CRSP) standards"): paid, the
# close before, the multiplier as printed there.
EXAMPLES = [(0.08, 24.96, 0.9968), (2.40, 16.51, 0.8546), (1.25, 51.20, 0.9756)]

prices = st.floats(1e-4, 1e6)
shares = st.floats(1e-6, 0.999)


@pytest.mark.parametrize(("paid", "close", "multiplier"), EXAMPLES)
def test_the_factor_is_that_of_the_worked_examples(paid: float, close: float, multiplier: float) -> None:
    assert day_factor([paid], close) == pytest.approx(multiplier, abs=5e-5)


@given(prices, shares, st.floats(0.01, 2.0))
def test_a_factor_makes_the_days_return_the_return_with_what_was_paid(close: float, share: float, move: float) -> None:
    """Held over the ex-day: what it is worth and what was paid, over what it cost, if paid out is put back at once."""
    paid, opened = close * share, close * (1 - share) * move
    factor = day_factor([paid], close)
    assert factor is not None
    assert 0 < factor < 1
    exact = Fraction(opened) / (Fraction(close) - Fraction(paid))
    assert opened / (close * factor) == pytest.approx(float(exact), rel=1e-9)


@given(prices, shares, st.floats(1e-3, 1e3))
def test_a_split_of_payment_and_price_alike_changes_no_factor(close: float, share: float, ratio: float) -> None:
    paid = close * share
    assert day_factor([paid * ratio], close * ratio) == pytest.approx(day_factor([paid], close), rel=1e-9)


@given(prices, st.lists(st.floats(1e-6, 0.2), min_size=1, max_size=4))
def test_several_payments_of_a_day_are_one_of_their_sum(close: float, shares_: list[float]) -> None:
    paid = [close * share for share in shares_]
    exact = 1 - sum(map(Fraction, paid)) / Fraction(close)
    assert day_factor(paid, close) == pytest.approx(float(exact), rel=1e-9)
    assert day_factor(paid[::-1], close) == pytest.approx(float(exact), rel=1e-9)


@given(prices, st.floats(1.0, 1e6))
def test_a_payment_of_all_that_a_share_costs_has_no_factor(close: float, times: float) -> None:
    assert day_factor([close * times], close) is None
    assert day_factor([close * (1 - SMALLEST_FACTOR / 10)], close) is None


def test_nothing_paid_takes_nothing_off() -> None:
    assert day_factor([], 10.0) == 1.0


def test_a_payment_listed_under_two_symbols_is_one_and_an_ordinary_one_beside_a_special_one_are_two() -> None:
    day = dt.date(2025, 11, 11)
    old, new = (
        Dividend(symbol=name, ex_day=day, amount=0.5, currency="USD", kind="recurring") for name in ("FB", "META")
    )
    special = Dividend(symbol="META", ex_day=day, amount=9.0, currency="USD", kind="special")
    assert [one.amount for one in payments([old, new, special])] == [9.0, 0.5]
