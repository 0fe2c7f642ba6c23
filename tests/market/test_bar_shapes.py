"""Holds the judgement of bars to: flat ones, odd ranges and opens, and copies of any session before are found."""

from __future__ import annotations

import pytest

from market.findings import Kind
from market.session_bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Floats
from tests.market.drawn_market import DAYS, NEWEST, changed, drawn, kinds, market_of


def test_bars_of_one_price_are_found() -> None:
    sessions = drawn(14)

    def by(figures: Floats) -> None:
        figures[:, OPEN:CLOSE] = figures[:, [CLOSE]]

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions), NEWEST) == {NEWEST: {Kind.FLAT}}


@pytest.mark.parametrize("column", [HIGH, LOW])
def test_highs_and_lows_that_lie_apart_as_they_never_do_are_found(column: int) -> None:
    sessions = drawn(15)

    def by(figures: Floats) -> None:
        figures[:, column] *= 10.0 if column == HIGH else 0.1

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions)) == {NEWEST: {Kind.RANGES}}


def test_a_day_of_panic_with_five_times_the_range_passes() -> None:
    sessions = drawn(16)

    def by(figures: Floats) -> None:
        figures[:, HIGH], figures[:, LOW] = figures[:, HIGH] * 1.06, figures[:, LOW] * 0.94

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions)) == {}


def test_opens_that_are_closes_are_found() -> None:
    sessions = drawn(17)

    def by(figures: Floats) -> None:
        figures[:, OPEN] = figures[:, CLOSE]

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions)) == {NEWEST: {Kind.OPENS}}


@pytest.mark.parametrize("column", [slice(OPEN, VOLUME), VOLUME])
@pytest.mark.parametrize("back", [1, 3, 4])
def test_prices_or_volumes_of_any_session_before_are_found(column: slice | int, back: int) -> None:
    sessions = drawn(18)

    def by(figures: Floats) -> None:
        figures[:, column] = sessions[DAYS[4 - back]].figures[:, column]

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions), NEWEST) == {NEWEST: {Kind.REPEATED}}
