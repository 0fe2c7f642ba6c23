"""Holds relative volume to hand-computed answers, and shows what is zero and what is unknown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from market.rvol import mean_accumulated_volume, relative_volume

# Five earlier sessions of one symbol, three slots each.
EARLIER = np.array([[100, 200, 300], [200, 200, 200], [300, 400, 500], [0, 100, 200], [400, 100, 300.0]])
VOLUMES = EARLIER[:, np.newaxis, :]
ALL = np.ones(VOLUMES.shape, dtype=bool)
TODAY = np.array([[400, 300, 600.0]])


def test_the_cumulative_ratio_of_the_known_answer():
    found = relative_volume(TODAY, VOLUMES, ALL)
    np.testing.assert_allclose(found, [[2.0, 1.75, 1.8571428571]], atol=1e-9)


def test_means_are_in_shares():
    np.testing.assert_allclose(mean_accumulated_volume(VOLUMES, ALL), [[200, 400, 700]])


def test_slots_after_an_early_close_are_left_out_not_zero():
    observed = ALL.copy()
    observed[4, 0, 2] = False
    closed_early = VOLUMES.copy()
    closed_early[4, 0, 2] = 0.0
    mean = mean_accumulated_volume(closed_early, observed)
    np.testing.assert_allclose(mean, [[200, 400, (600 + 600 + 1200 + 300) / 4]])
    as_if_zero = mean_accumulated_volume(closed_early, ALL)
    assert mean[0, 2] > as_if_zero[0, 2]


def test_what_stands_in_an_unobserved_slot_does_not_matter():
    observed = ALL.copy()
    observed[4, 0, 2] = False
    expected = mean_accumulated_volume(VOLUMES, observed)
    for anything in (0.0, 1e9, np.nan):
        volumes = VOLUMES.copy()
        volumes[4, 0, 2] = anything
        np.testing.assert_array_equal(mean_accumulated_volume(volumes, observed), expected)


def test_a_sum_is_unknown_after_a_hole():
    observed = ALL.copy()
    observed[0, 0, 1] = False
    mean = mean_accumulated_volume(VOLUMES, observed)
    np.testing.assert_allclose(mean, [[200, 425, 725]])


def test_a_slot_that_no_session_observed_has_no_mean_and_no_ratio():
    observed = ALL.copy()
    observed[:, :, 2] = False
    assert np.isnan(mean_accumulated_volume(VOLUMES, observed))[0].tolist() == [False, False, True]
    assert np.isnan(relative_volume(TODAY, VOLUMES, observed))[0].tolist() == [False, False, True]
    assert np.isnan(mean_accumulated_volume(VOLUMES[:0], ALL[:0])).all()


def test_a_session_without_the_symbol_s_data_is_left_out():
    observed = ALL.copy()
    observed[3] = False
    np.testing.assert_allclose(mean_accumulated_volume(VOLUMES, observed), [[250, 475, 800]])


def test_a_mean_of_zero_gives_no_ratio():
    silent = np.zeros_like(VOLUMES)
    assert np.isnan(relative_volume(TODAY, silent, ALL)).all()


def test_an_empty_slot_today_carries_the_sum_on():
    found = relative_volume(np.array([[400.0, 0.0, 0.0]]), VOLUMES, ALL)
    np.testing.assert_allclose(found, [[2.0, 1.0, 400 / 700]])


@given(
    hnp.arrays(np.float64, (3, 2, 6), elements=st.floats(0, 1e9)),
    hnp.arrays(np.int64, (3, 2), elements=st.integers(0, 6)),
)
def test_the_mean_equals_a_plain_loop(volumes: np.ndarray, ends: np.ndarray):
    observed = np.arange(6) < ends[:, :, np.newaxis]
    expected = np.full((2, 6), np.nan)
    for symbol, slot in np.ndindex(2, 6):
        sums = [volumes[s, symbol, : slot + 1].sum() for s in range(3) if slot < ends[s, symbol]]
        if sums:
            expected[symbol, slot] = sum(sums) / len(sums)
    np.testing.assert_allclose(mean_accumulated_volume(volumes, observed), expected, rtol=1e-12)


def test_one_row_of_flags_a_session_is_enough():
    volumes = np.repeat(VOLUMES, 4, axis=1)
    flags = ALL.copy()
    flags[4, 0, 2] = False
    found = mean_accumulated_volume(volumes, flags)
    np.testing.assert_array_equal(found, mean_accumulated_volume(volumes, np.repeat(flags, 4, axis=1)))


def test_the_inputs_are_not_written_to():
    volumes, observed, today = VOLUMES.copy(), ALL.copy(), TODAY.copy()
    relative_volume(today, volumes, observed)
    np.testing.assert_array_equal(volumes, VOLUMES)
    np.testing.assert_array_equal(observed, ALL)
    np.testing.assert_array_equal(today, TODAY)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="sessions, symbols, slots"):
        mean_accumulated_volume(EARLIER, ALL)
    with pytest.raises(ValueError, match="broadcast"):
        mean_accumulated_volume(VOLUMES, ALL[:2])
    with pytest.raises(ValueError, match="today has shape"):
        relative_volume(TODAY[0], VOLUMES, ALL)
