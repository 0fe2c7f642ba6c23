"""Holds the judgement of sessions to: what cannot be is found, what has happened passes, and a small market is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.findings import Kind
from market.plausibility import MINIMUM, denied_volume, judge
from market.session_bars import CLOSE, VOLUME, Floats, SessionBars
from tests.market.drawn_market import DAYS, NEWEST, TICKERS, changed, drawn, kinds, market_of, times
from tests.market.plausibility_year import Year, alarms, make_year, pairs_by_chance, trials

if TYPE_CHECKING:
    import datetime as dt


@pytest.fixture(scope="module")
def year() -> Year:
    return make_year(700)


def test_a_year_with_a_crash_half_days_expiries_and_a_rebalancing_has_no_false_alarm(year: Year) -> None:
    assert len(year.days) > 250
    assert alarms(year) == {}


def test_every_wrong_answer_is_caught_on_every_day_that_is_tried(year: Year) -> None:
    for name, tally in trials(year, every=21).items():
        assert tally.standing == tally.days > 10, name
        assert tally.first == tally.days or name == "two symbols swapped", name
        assert tally.first > 0.5 * tally.days, name


def test_pairs_are_hardly_ever_named_by_chance() -> None:
    assert pairs_by_chance(1_000, 40, busier=10.0) == 0


@given(seed=st.integers(0, 10_000), fall=st.floats(-0.20, 0.25), then=st.floats(-0.20, 0.25))
@settings(max_examples=25, deadline=None)
def test_what_circuit_breakers_allow_passes_two_days_in_a_row(seed: int, fall: float, then: float) -> None:
    assert judge(market_of(drawn(seed, nights={3: fall, 4: then})), DAYS) == {}


@given(seed=st.integers(0, 10_000), factor=st.sampled_from([0.01, 0.1, 0.5, 0.66, 1.5, 2.0, 7.0, 100.0]))
@settings(max_examples=25, deadline=None)
def test_a_market_at_a_multiple_of_its_prices_is_found_and_only_that_session(seed: int, factor: float) -> None:
    sessions = drawn(seed)
    sessions[NEWEST] = changed(sessions[NEWEST], times(factor))
    assert kinds(market_of(sessions)) == {NEWEST: {Kind.PRICES}}


@pytest.mark.parametrize("wrong", DAYS[:-1])
def test_of_sessions_that_are_judged_together_the_wrong_one_is_suspect_wherever_it_stands(wrong: dt.date) -> None:
    sessions = drawn(1)
    sessions[wrong] = changed(sessions[wrong], times(100.0))
    assert kinds(market_of(sessions)) == {wrong: {Kind.PRICES}}


def test_a_suspect_session_is_nobodys_measure() -> None:
    sessions = drawn(2)
    sessions[DAYS[3]] = changed(sessions[DAYS[3]], times(100.0))
    market = market_of(sessions, suspect=frozenset({DAYS[3]}))
    assert kinds(market, NEWEST) == {}


def test_where_two_sessions_have_the_same_prices_and_neither_is_proven_both_are_suspect() -> None:
    sessions = drawn(3)
    sessions[NEWEST] = msgspec.structs.replace(sessions[DAYS[3]])
    found = judge(market_of(sessions), DAYS)
    assert found.keys() == {DAYS[3], NEWEST}
    assert found[NEWEST][0].kind is Kind.REPEATED
    assert found[NEWEST][0].reason.startswith(
        "100% of 240 closes, 100% of the volumes, and 100% of the whole bars, are those of 2025-11-06"
    )
    assert kinds(market_of(sessions), NEWEST) == {NEWEST: {Kind.REPEATED}}, "the other one was judged before"


def test_the_prices_of_a_later_session_are_found_too() -> None:
    sessions = drawn(4)
    sessions[DAYS[1]] = msgspec.structs.replace(sessions[DAYS[2]])
    assert kinds(market_of(sessions), DAYS[1]) == {DAYS[1]: {Kind.REPEATED}}


def test_a_tenth_of_equal_closes_is_an_ordinary_day() -> None:
    sessions = drawn(5)

    def by(figures: Floats) -> None:
        figures[: TICKERS // 10, CLOSE] = sessions[DAYS[3]].figures[: TICKERS // 10, CLOSE]

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert judge(market_of(sessions), [NEWEST]) == {}


@pytest.mark.parametrize(("factor", "passes"), [(0.3, True), (0.6, True), (4.0, True), (0.1, False), (9.0, False)])
def test_half_days_and_rebalancings_pass_and_a_tenth_or_nine_times_the_volume_does_not(
    factor: float, passes: bool
) -> None:
    sessions = drawn(6)

    def by(figures: Floats) -> None:
        figures[:, VOLUME] *= factor

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions), NEWEST) == ({} if passes else {NEWEST: {Kind.VOLUME}})


def test_volumes_of_zero_are_one_finding() -> None:
    sessions = drawn(7)

    def by(figures: Floats) -> None:
        figures[:, VOLUME] = 0.0

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions), NEWEST) == {NEWEST: {Kind.NO_VOLUME}}


def test_an_exchange_is_judged_by_itself_and_named() -> None:
    exchange_of = {f"S{number:04}": "XNYS" if number < 110 else "XNAS" for number in range(TICKERS)}
    sessions = drawn(8)

    def by(figures: Floats) -> None:
        figures[:110, :VOLUME] *= 1.45

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    (found,) = judge(market_of(sessions, exchange_of=exchange_of), [NEWEST])[NEWEST]
    assert (found.kind, found.evidence["exchange"]) == (Kind.PRICES, "XNYS")
    assert found.reason.startswith("XNYS: the median close is 1.4")
    assert {exchange_of[symbol] for symbol in found.symbols} == {"XNYS"}


def test_an_exchange_of_which_most_is_gone_is_found_by_the_symbols_it_lacks() -> None:
    exchange_of = {f"S{number:04}": "XNYS" if number < 110 else "XNAS" for number in range(TICKERS)}
    sessions = drawn(9)
    whole = sessions[NEWEST]
    sessions[NEWEST] = SessionBars(symbols=whole.symbols[100:], figures=whole.figures[100:])
    (found,) = judge(market_of(sessions, exchange_of=exchange_of), [NEWEST])[NEWEST]
    assert found.kind is Kind.EXCHANGE
    assert set(found.symbols) <= set(whole.symbols[:100])


def test_a_split_is_no_jump_and_no_swap() -> None:
    sessions = drawn(10)

    def by(figures: Floats) -> None:
        figures[:60, :VOLUME] /= 10

    sessions[NEWEST] = changed(sessions[NEWEST], by)
    assert kinds(market_of(sessions), NEWEST) == {NEWEST: {Kind.SCATTERED}}
    split = {NEWEST: frozenset(f"S{number:04}" for number in range(60))}
    assert kinds(market_of(sessions, splits=split), NEWEST) == {}


def test_two_that_changed_places_are_named_and_a_pair_of_jumpers_is_not() -> None:
    sessions = drawn(11)
    figures = sessions[DAYS[3]].figures.copy()
    figures[0], figures[1] = [10.0, 10.2, 9.9, 10.0, 50_000.0], [80.0, 81.0, 79.0, 80.0, 900_000.0]
    sessions[DAYS[3]] = SessionBars(symbols=sessions[DAYS[3]].symbols, figures=figures)

    def newest(first: list[float], second: list[float]) -> dict[dt.date, set[Kind]]:
        def by(own: Floats) -> None:
            own[0], own[1] = first, second

        market = market_of({DAYS[3]: sessions[DAYS[3]], NEWEST: changed(sessions[NEWEST], by)})
        return kinds(market, NEWEST)

    assert newest([81.0, 82.0, 80.0, 81.5, 700_000.0], [10.1, 10.3, 9.9, 9.8, 60_000.0]) == {NEWEST: {Kind.SWAPPED}}
    assert newest([11.0, 82.0, 10.9, 81.5, 700_000.0], [79.0, 79.5, 9.7, 9.8, 60_000.0]) == {}, "opened where they were"
    assert newest([81.0, 82.0, 80.0, 81.5, 70_000.0], [10.1, 10.3, 9.9, 9.8, 960_000.0]) == {}, "volumes are their own"


def test_below_a_hundred_symbols_in_common_nothing_is_judged() -> None:
    sessions = drawn(12, tickers=MINIMUM - 1)
    sessions[NEWEST] = changed(sessions[NEWEST], times(100.0))
    assert judge(market_of(sessions), DAYS) == {}
    assert denied_volume([f"S{number}" for number in range(50)], MINIMUM - 1) is None


def test_sessions_months_apart_are_no_neighbours() -> None:
    sessions = drawn(13)
    far = {DAYS[0]: sessions[DAYS[0]], NEWEST: changed(sessions[NEWEST], times(3.0))}
    market = msgspec.structs.replace(market_of(far), order={DAYS[0]: 0, NEWEST: 160})
    assert judge(market, [NEWEST]) == {}
