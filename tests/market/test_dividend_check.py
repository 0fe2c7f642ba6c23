"""Which dividends a price must show, which it shows, and of which nothing can be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.dividend_check import FEWEST_NIGHTS, Sight, is_large, ordinary_night, sight_of
from market.split_check import OvernightPrices

CALM, WILD = 0.004, 0.03  # half of a share's nights move it by less than that


def around(close: float, opened: float, closed: float | None = None) -> OvernightPrices:
    return OvernightPrices(close_before=close, open_after=opened, close_after=opened if closed is None else closed)


@pytest.mark.parametrize(
    ("paid", "prices", "ordinary", "sight"),
    [
        pytest.param([10.0], around(100, 90), CALM, Sight.SHOWN, id="it opens lower by what is paid"),
        pytest.param([10.0], around(100, 94), CALM, Sight.SHOWN, id="the night made some of it good"),
        pytest.param([10.0], around(100, 100), CALM, Sight.NOT_SHOWN, id="it opens where it closed"),
        pytest.param([10.0], around(100, 97), CALM, Sight.NOT_SHOWN, id="it fell by less than half"),
        pytest.param([10.0], around(100, 108), CALM, Sight.NOT_SHOWN, id="it rose"),
        pytest.param([10.0], around(100, 100, 90), CALM, Sight.SHOWN, id="the first print is of before"),
        pytest.param([10.0], around(100, 60), CALM, Sight.SHOWN, id="bad news besides"),
        pytest.param([4.0, 6.0], around(100, 90), CALM, Sight.SHOWN, id="two payments of a day"),
        pytest.param([4.0], around(100, 100), CALM, Sight.UNCHECKED, id="less than a twentieth"),
        pytest.param([10.0], around(100, 100), WILD, Sight.UNCHECKED, id="such a night is nothing unusual for it"),
        pytest.param([30.0], around(100, 100), WILD, Sight.NOT_SHOWN, id="and this one would be"),
        pytest.param([10.0], around(100, 100), None, Sight.UNCHECKED, id="nobody knows its nights"),
        pytest.param([10.0], None, CALM, Sight.UNCHECKED, id="no price around that morning"),
        pytest.param([100.0], around(100, 1), CALM, Sight.NOT_SHOWN, id="all that it cost"),
        pytest.param([500.0], around(100, 100), None, Sight.NOT_SHOWN, id="more than it cost"),
        pytest.param([], around(100, 90), CALM, Sight.UNCHECKED, id="nothing paid"),
    ],
)
def test_a_large_dividend_is_shown_or_not_and_of_a_small_one_nothing_is_said(
    paid: list[float], prices: OvernightPrices | None, ordinary: float | None, sight: Sight
) -> None:
    assert sight_of(paid, prices, ordinary) is sight


@given(st.floats(1.0, 1e4), st.floats(0.06, 0.9), st.floats(0.97, 1.0299))
def test_a_price_that_falls_by_what_is_paid_shows_it_through_ordinary_noise(
    close: float, share: float, noise: float
) -> None:
    opened = close * (1 - share) * noise
    assert sight_of([close * share], around(close, opened), CALM) is Sight.SHOWN


@given(st.floats(1.0, 1e4), st.floats(0.06, 0.9), st.floats(1e-3, 1e3))
def test_a_split_of_all_of_it_changes_nothing(close: float, share: float, ratio: float) -> None:
    raw = sight_of([close * share], around(close, close), CALM)
    assert sight_of([close * share * ratio], around(close * ratio, close * ratio), CALM) is raw


def test_half_of_the_nights_are_ordinary_whatever_one_split_did() -> None:
    nights = [1.01, 0.99, 1.005, 0.995, 1.002, 1 / 7]
    assert ordinary_night(nights) == pytest.approx(0.01, abs=3e-3)
    assert ordinary_night(nights[: FEWEST_NIGHTS - 1]) is None


def test_only_what_takes_a_twentieth_of_a_price_is_large() -> None:
    assert [is_large([paid], 100.0) for paid in (0.5, 4.99, 5.01, 99.0, 100.0, 1e6)] == [False, False, *[True] * 4]
