"""Holds the RVOL averages to known answers: what counts as zero, and what is left out of the mean."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from consumer.tasks.rvol_caches import rvol_averages
from market.splits import Split
from market.volume_slots import first_unobserved_slot
from tests.tasks.conftest import CALENDAR, DAY

SESSIONS = CALENDAR.last_trading_days(5, up_to=DAY)
FULL = [192] * 5
OPEN = 66

Volumes = dict[int, float]


def averages(
    rows: dict[tuple[dt.date, str], Volumes | str],
    *,
    sessions: tuple[dt.date, ...] = SESSIONS,
    observed_until: list[int] = FULL,
    **options: Any,
) -> dict[str, dict[int, str]]:
    """*rows*: slots and volumes, or an outcome, for each session and symbol. Answers as slot -> text."""
    traded = {key: value for key, value in rows.items() if not isinstance(value, str)}
    volumes = np.zeros((len(traded), 192))
    for number, slots in enumerate(traded.values()):
        volumes[number, list(slots)] = list(slots.values())
    named = [(*key, "traded") for key in traded]
    named += [(*key, value) for key, value in rows.items() if isinstance(value, str)]
    found = rvol_averages(
        sessions, observed_until, named, volumes, splits=options.get("splits", {})
    )  # fmt: skip
    return {symbol: dict(zip(map(int, flat[::2]), flat[1::2], strict=True)) for symbol, flat in found.items()}


def every_day(volumes: Volumes | str, symbol: str = "A") -> dict[tuple[dt.date, str], Volumes | str]:
    return {(day, symbol): volumes for day in SESSIONS}


def test_the_mean_is_of_accumulated_volumes_and_carries_on_over_empty_slots() -> None:
    days = ([100, 200, 300], [200, 200, 200], [300, 400, 500], [0, 100, 200], [400, 100, 300])
    rows = {
        (day, "A"): {OPEN + n: float(v) for n, v in enumerate(own)} for day, own in zip(SESSIONS, days, strict=True)
    }
    found = averages(rows)["A"]
    assert (found[OPEN], found[OPEN + 1], found[OPEN + 2]) == ("200", "400", "700")
    assert {found[slot] for slot in range(OPEN + 2, 192)} == {"700"}
    assert {found[slot] for slot in range(OPEN)} == {"0"}
    assert found.keys() == set(range(192))


def test_values_are_whole_numbers_cut_not_rounded_and_zeros_are_said() -> None:
    found = averages({**every_day("no_trades"), (SESSIONS[0], "A"): {OPEN: 4.0, OPEN + 1: 5.9}})["A"]
    assert found[OPEN] == "0"  # 4 / 5
    assert found[OPEN + 1] == "1"  # 9.9 / 5


def test_a_session_without_a_trade_counts_as_zero() -> None:
    found = averages({**every_day("no_trades"), (SESSIONS[0], "A"): {OPEN: 500.0}})["A"]
    assert found[OPEN] == "100"


def test_an_unproven_session_is_left_out() -> None:
    found = averages({**every_day({OPEN: 500.0}), (SESSIONS[1], "A"): "unproven"})["A"]
    assert found[OPEN] == "500"


def test_a_session_without_a_row_is_left_out() -> None:
    rows = every_day({OPEN: 500.0})
    del rows[SESSIONS[2], "A"]
    assert averages(rows)["A"][OPEN] == "500"


def test_slots_after_an_early_close_are_left_out_not_zero() -> None:
    """2025-11-28, the day after Thanksgiving, closes at 13:00: slot 108."""
    sessions = CALENDAR.last_trading_days(5, up_to=dt.date(2025, 12, 1))
    until = [first_unobserved_slot(CALENDAR.session(day)) for day in sessions]
    assert until == [192, 192, 192, 108, 192]
    rows: dict[tuple[dt.date, str], Volumes | str] = {(day, "A"): {OPEN: 100.0, 120: 100.0} for day in sessions}
    rows[sessions[3], "A"] = {OPEN: 50.0, 110: 7.0}  # some traders stay on after the early close
    found = averages(rows, sessions=sessions, observed_until=until)["A"]
    assert (found[107], found[108], found[119]) == ("90", "100", "100")
    assert (found[120], found[191]) == ("200", "200")


@pytest.mark.parametrize(("new_shares", "wanted"), [(7.0, "1240"), (10.0, "1720"), (0.1, "136"), (3.0, "600")])
def test_volumes_of_before_a_split_are_counted_in_shares_of_after(new_shares: float, wanted: str) -> None:
    split = Split(symbol="A", execution_day=SESSIONS[4], split_from=1.0, split_to=new_shares, kind="forward_split")
    found = averages({**every_day({OPEN: 200.0}), (SESSIONS[4], "A"): {OPEN: 600.0}}, splits={"A": [split]})["A"]
    assert found[OPEN] == wanted


def test_a_mean_that_arithmetic_left_a_hair_short_is_not_cut() -> None:
    """75 for one: 3 / (1 / 75) is 224.99999999999997 in floats."""
    split = Split(symbol="A", execution_day=SESSIONS[4], split_from=1.0, split_to=75.0, kind="forward_split")
    rows: dict[tuple[dt.date, str], Volumes | str] = {(SESSIONS[0], "A"): {OPEN: 3.0}}
    assert 3 / (1 / 75) < 225
    assert averages(rows, splits={"A": [split]})["A"][OPEN] == "225"


def test_symbols_do_not_mix_and_those_without_volume_have_an_average_of_zero() -> None:
    found = averages({**every_day({OPEN: 10.0}), **every_day({OPEN: 30.0}, "B"), **every_day("no_trades", "C")})
    assert (found["A"][OPEN], found["B"][OPEN]) == ("10", "30")
    assert found["C"] == dict.fromkeys(range(192), "0")


def test_a_slot_is_absent_only_where_no_session_observed_it() -> None:
    """The one session that is known of B closed early."""
    rows = {**every_day({OPEN: 10.0}), (SESSIONS[3], "B"): {OPEN: 7.0}, (SESSIONS[1], "C"): "unproven"}
    found = averages(rows, observed_until=[192, 192, 192, 108, 192])
    assert found["A"].keys() == set(range(192))
    assert found["B"].keys() == set(range(108))
    assert (found["B"][0], found["B"][107]) == ("0", "7")
    assert "C" not in found, "of it nothing is known"


def test_no_rows_give_no_averages() -> None:
    assert averages({}) == {}


def test_volumes_beyond_any_days_by_their_splits_are_not_said_and_cost_no_other_symbol() -> None:
    absurd = Split(symbol="A", execution_day=SESSIONS[-1], split_from=1.0, split_to=1e6, kind="forward_split")
    rows = {**every_day({OPEN: 1e12}), **every_day({OPEN: 5.0}, "B")}
    found = averages(rows, splits={"A": [absurd]})
    assert (found["A"], found["B"][OPEN]) == ({}, "5")
