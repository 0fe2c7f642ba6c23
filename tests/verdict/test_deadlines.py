"""Until when each data set has to be there, by plan and calendar, in situations with instants worked out by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.verdict import words
from consumer.verdict.deadlines import missed_deadlines
from consumer.verdict.service import Service
from contract import data_sets as sets
from tests.verdict.test_situations import DAY, FREE, by_file, first_look, free_night, tuesday
from tests.verdict.worlds import World, at

MORNING = "2025-11-12T{}-05:00"


def missed(world: World, time: str) -> set[str]:
    """The data sets of the world's day that have missed a deadline at that time."""
    return {one.data_set for one in world.verdict(time).missed}


def test_a_deadline_is_kept_up_to_its_last_instant_and_missed_right_after() -> None:
    assert missed(tuesday(), "18:00") == set()
    assert sets.DAILY_BARS in missed(tuesday(), "18:00:01")
    assert tuesday().verdict("18:00").of(sets.DAILY_BARS).deadline == at(DAY, "18:00")  # type: ignore[union-attr]


def test_it_is_as_long_as_the_operator_says() -> None:
    world = tuesday(deadline=dt.timedelta(hours=3))
    assert missed(world, "19:59") == set()
    assert sets.DAILY_BARS in missed(world, "20:01")


def test_it_moves_with_an_early_close() -> None:
    friday = World(dt.date(2025, 11, 28))  # closes at 13:00: due at 14:00
    assert missed(friday, "14:59") == set()
    assert sets.DAILY_BARS in missed(friday, "15:01")


def test_what_was_there_for_the_first_look_has_to_be_fetched_again_for_the_last() -> None:
    assert missed(first_look(), "21:15") == set()
    assert {sets.DAILY_BARS, sets.VOLUME_SLOTS, sets.CACHES_ALL} <= missed(first_look(), "21:16")
    assert first_look().verdict("20:30").of(sets.DAILY_BARS).deadline == at(DAY, "21:15")  # type: ignore[union-attr]


def test_what_is_whole_and_final_misses_nothing_however_late_it_is_asked() -> None:
    assert missed(tuesday().loaded("20:17"), "2025-11-13T09:00-05:00") == set()


def test_what_the_plan_publishes_after_midnight_is_not_late_tonight() -> None:
    world = tuesday(requests_per_second=5 / 60).without(same_day=True)
    assert sets.DAILY_BARS not in missed(world, "23:59")
    # Due at 00:05; the hour, and the two hours for which a pass of a slow plan asks.
    assert sets.DAILY_BARS not in missed(world, MORNING.format("03:04"))
    assert sets.DAILY_BARS in missed(world, MORNING.format("03:06"))


def test_slots_that_come_as_a_file_at_noon_are_late_at_one_and_the_bars_tonight() -> None:
    assert missed(by_file(), "23:00") == set()
    assert missed(by_file(), MORNING.format("12:59")) == set()
    assert sets.VOLUME_SLOTS in missed(by_file(), MORNING.format("13:01"))
    without_bars = tuesday(slot_files=True).without(range_bars=True).sets("20:17").slots(None)
    late = missed(without_bars, "23:00")
    assert sets.DAILY_BARS in late
    assert sets.VOLUME_SLOTS not in late


def test_slots_that_rotate_through_the_nights_are_not_late_before_the_nights_are_over() -> None:
    half_way = free_night("2025-11-12T00:30-05:00", 10_400)
    assert sets.VOLUME_SLOTS not in missed(half_way, "2025-11-12T09:00-05:00")
    # Five nights from the eleventh end with the open of the eighteenth; three hours more, as for every slow plan.
    lacking = free_night("2025-11-14T05:00-05:00", 4_000)
    assert sets.VOLUME_SLOTS not in missed(lacking, "2025-11-18T12:30-05:00")
    assert sets.VOLUME_SLOTS in missed(lacking, "2025-11-18T12:31-05:00")


def test_nothing_is_late_before_anybody_was_ever_at_work() -> None:
    assert missed(tuesday().empty(), "23:00") == set()


def test_one_deadline_that_is_missed_makes_the_service_late_though_a_cycle_is_at_it() -> None:
    slow = tuesday(requests_per_second=100 / 60).slots("17:10", missing=6_000).at_work()
    # Bars were due at 17:00 and have three hours; slots, a request each, are due at 18:50.
    assert slow.judged("19:59").serving.service is Service.UNDER_WAY
    assert slow.judged("20:01").serving.service is Service.LATE


def test_what_is_missed_is_told_in_a_line_a_deadline_newest_session_first() -> None:
    world = first_look().slots(None)
    judged = world.judged("21:16")
    found = missed_deadlines(judged.verdicts.values())
    assert {(one.trading_day, one.data_set) for one in found} >= {(DAY, sets.DAILY_BARS), (DAY, sets.VOLUME_SLOTS)}
    lines = words.missed_in_words(found)
    assert "volume_slots of Tue 11 Nov by 18:00 ET" in lines
    assert any(line.endswith("of Tue 11 Nov by 21:15 ET") and "daily_bars" in line for line in lines)
    assert words.serving_words(judged.serving).endswith("late (deadline 21:15 ET, missed)")


@pytest.mark.parametrize("hours", [1, 3])
def test_the_verdict_is_made_anew_right_after_the_next_deadline(hours: int) -> None:
    judged = tuesday(deadline=dt.timedelta(hours=hours), requests_per_second=FREE["requests_per_second"]).judged(
        "17:30"
    )
    turns = [one.deadline for one in judged.verdicts[DAY].data_sets if one.deadline and one.deadline > judged.ruler.now]
    assert judged.next_change_at is not None
    assert judged.ruler.now < judged.next_change_at <= min(turns) + dt.timedelta(seconds=1)
