"""Shows where bars land in the grid: at its edges, across clock changes, and after an early close."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.calendar_overrides import EarlyClose, Overrides
from market.trading_calendar import NEW_YORK, TradingCalendar
from market.volume_slots import (
    SLOTS_PER_DAY,
    bin_volumes,
    first_unobserved_slot,
    slot_start_ms,
    slot_time,
)

CALENDAR = TradingCalendar()
DAY = dt.date(2025, 11, 12)


def at_ms(day: dt.date, hour: int, minute: int = 0, second: int = 0) -> int:
    instant = dt.datetime.combine(day, dt.time(hour, minute, second), tzinfo=NEW_YORK)
    return int(instant.timestamp() * 1000)


def starts(*days: dt.date) -> np.ndarray:
    return np.array([slot_start_ms(CALENDAR.session(day)) for day in days], dtype=np.int64)


def binned(bars: dict[int, float], *days: dt.date):
    return bin_volumes(
        np.array(list(bars), dtype=np.int64), np.array(list(bars.values()), dtype=np.float64), starts(*days)
    )


@pytest.mark.parametrize(
    ("slot", "time"), [(0, (4, 0)), (66, (9, 30)), (108, (13, 0)), (144, (16, 0)), (191, (19, 55))]
)
def test_slots_start_at_their_new_york_time(slot: int, time: tuple[int, int]):
    assert slot_time(slot) == dt.time(*time)


@pytest.mark.parametrize("slot", [-1, 192])
def test_a_slot_outside_the_day_is_refused(slot: int):
    with pytest.raises(ValueError, match="0 to 191"):
        slot_time(slot)


@pytest.mark.parametrize(
    "day", [dt.date(2025, 3, 7), dt.date(2025, 3, 10), dt.date(2025, 10, 31), dt.date(2025, 11, 3)]
)
def test_the_grid_is_the_same_on_both_sides_of_a_clock_change(day: dt.date):
    bars = {at_ms(day, slot_time(slot).hour, slot_time(slot).minute): slot + 1.0 for slot in range(192)}
    result = binned(bars, day)
    np.testing.assert_array_equal(result.volumes, [np.arange(1.0, 193.0)])
    assert result.outside == 0


def test_minute_bars_add_up_in_their_slot():
    minutes = {at_ms(DAY, 9, 30 + minute): 1.25 for minute in range(10)}
    volumes = binned(minutes, DAY).volumes[0]
    assert volumes[66] == volumes[67] == 6.25
    assert volumes.sum() == 12.5


def test_bars_outside_every_grid_are_counted_not_binned():
    saturday = dt.date(2025, 11, 15)
    bars = {
        at_ms(DAY, 3, 59, 59): 1.0,
        at_ms(DAY, 4): 2.0,
        at_ms(DAY, 19, 59): 4.0,
        at_ms(DAY, 20): 8.0,
        at_ms(saturday, 12): 16.0,
        at_ms(dt.date(2020, 1, 2), 12): 32.0,
    }
    result = binned(bars, DAY, dt.date(2025, 11, 14))
    assert result.outside == 4
    assert (result.volumes[0, 0], result.volumes[0, 191]) == (2.0, 4.0)
    assert result.volumes.sum() == 6.0


@given(st.lists(st.tuples(st.integers(-2000, 9000), st.floats(0, 1e9)), max_size=60), st.randoms())
def test_no_volume_is_lost_or_moved_whatever_the_order(bars: list[tuple[int, float]], random):
    week = CALENDAR.trading_days(dt.date(2025, 3, 7), dt.date(2025, 3, 12))
    expected, outside = np.zeros((len(week), SLOTS_PER_DAY)), 0
    stamps = [at_ms(week[0], 4) + minute * 60_000 for minute, _ in bars]
    for stamp, (_, volume) in sorted(zip(stamps, bars, strict=True)):
        clock = dt.datetime.fromtimestamp(stamp / 1000, NEW_YORK)
        minute_of_grid = (clock.hour - 4) * 60 + clock.minute
        if clock.date() in week and 0 <= minute_of_grid < 960:
            expected[week.index(clock.date()), minute_of_grid // 5] += volume
        else:
            outside += 1
    shuffled = list(zip(stamps, [volume for _, volume in bars], strict=True))
    random.shuffle(shuffled)
    result = bin_volumes(
        np.array([stamp for stamp, _ in shuffled], dtype=np.int64),
        np.array([volume for _, volume in shuffled], dtype=np.float64),
        starts(*week),
    )
    np.testing.assert_allclose(result.volumes, expected, rtol=1e-12)
    assert result.outside == outside


def test_no_bars_give_an_empty_grid_and_no_sessions_an_empty_result():
    nothing = binned({}, DAY)
    assert nothing.volumes.shape == (1, 192)
    assert nothing.volumes.dtype == np.float64
    assert not nothing.volumes.any()
    nowhere = binned({at_ms(DAY, 12): 1.0})
    assert nowhere.volumes.shape == (0, 192)
    assert nowhere.outside == 1


def test_an_early_close_leaves_the_slots_from_its_time_on_unobserved():
    assert first_unobserved_slot(CALENDAR.session(DAY)) == 192
    assert first_unobserved_slot(CALENDAR.session(dt.date(2025, 11, 28))) == 108
    assert first_unobserved_slot(CALENDAR.session(dt.date(2025, 7, 3))) == 108


def test_a_slot_cut_by_an_early_close_is_unobserved_too():
    cut = EarlyClose(day=DAY, closes=dt.time(14, 32), reason="halt")
    session = TradingCalendar(Overrides(early_closes=(cut,))).session(DAY)
    assert slot_time(first_unobserved_slot(session)) == dt.time(14, 30)


def test_arguments_that_do_not_fit_are_refused():
    ascending = starts(DAY, dt.date(2025, 11, 13))
    stamps, volumes = np.zeros(2, dtype=np.int64), np.zeros(2)
    with pytest.raises(ValueError, match="a volume a bar"):
        bin_volumes(stamps, volumes[:1], ascending)
    with pytest.raises(ValueError, match="ascend"):
        bin_volumes(stamps, volumes, ascending[::-1])
    with pytest.raises(ValueError, match="ascend"):
        bin_volumes(stamps, volumes, np.repeat(ascending[:1], 2))
