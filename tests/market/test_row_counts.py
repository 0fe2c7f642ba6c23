"""Holds the expectation of a session's rows to: cut answers stand out, growth and early closes do not."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from market.row_counts import fewest_believable, short_days

FIRST = dt.date(2025, 11, 3)


def counts(*values: int) -> dict[dt.date, int]:
    return {FIRST + dt.timedelta(days=number): value for number, value in enumerate(values)}


def test_half_a_market_stands_out() -> None:
    assert short_days(counts(11_000, 11_010, 5_500, 11_020, 11_030), ()) == [FIRST + dt.timedelta(days=2)]


def test_an_early_close_may_have_fewer_rows() -> None:
    day = FIRST + dt.timedelta(days=4)
    values = counts(1000, 1000, 1000, 1000, 800)
    assert short_days(values, ()) == [day]
    assert short_days(values, {day}) == []


def test_a_few_sessions_say_nothing() -> None:
    assert fewest_believable([11_000, 11_000], [], early_close=False) == 0
    assert short_days(counts(14, 1), ()) == []


def test_sessions_far_away_do_not_count_against_a_smaller_market_of_then() -> None:
    assert short_days(counts(*[5_000] * 12, *[11_000] * 12), ()) == []


@given(st.lists(st.integers(9_500, 11_000), min_size=2, max_size=40))
def test_an_ordinary_market_is_never_short(values: list[int]) -> None:
    assert short_days(counts(*values), ()) == []
