"""Holds the unbroken stretch to: it ends at the newest session and begins after the last hole."""

from __future__ import annotations

import datetime as dt

import pytest

from market.holes import unbroken_since

DAYS = tuple(dt.date(2025, 11, day) for day in (3, 4, 5, 6, 7))


@pytest.mark.parametrize(("lacking", "first"), [((), 0), ((0,), 1), ((1, 2), 3), ((3,), 4), ((0, 3), 4)])
def test_it_begins_after_the_last_session_that_nothing_proves(lacking: tuple[int, ...], first: int) -> None:
    proven = {day for number, day in enumerate(DAYS) if number not in lacking}
    assert unbroken_since(DAYS, proven) == DAYS[first]


def test_a_newest_session_that_is_not_proven_has_no_stretch() -> None:
    with pytest.raises(ValueError, match="2025-11-07 is not proven"):
        unbroken_since(DAYS, DAYS[:-1])
