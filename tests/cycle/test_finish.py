"""The verdict on a pass, as a table."""

from __future__ import annotations

import datetime as dt

import pytest

from consumer.cycle.lacks import summarised
from consumer.cycle.outcome import NOT_YET_RETRY, UNAVAILABLE_RETRIES, Left, PassEnd, judge
from consumer.data_sets.volume_slots import unproven_lines
from consumer.postgres.part_outcomes import EndedPart
from consumer.postgres.states import PartState
from contract.failures import FailureClass

NOW = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)
GIVE_UP_AT = NOW + dt.timedelta(hours=13)
NOTHING = Left(missing=())
LACK = Left(missing=("ohlc_daily bars:2025-11-11",))
REST = Left(missing=(), goes_on=True, cut=True)  # what this plan brings bit by bit


def part(state: str, failed_as: FailureClass | None = None) -> EndedPart:
    ended = PartState(state)
    return EndedPart(task="ohlc_daily", part="bars", state=ended, failure_class=failed_as, reason=None, warnings=[])


DONE, NOT_YET = part("done"), part("not_yet")
AWAY, WRONG = part("failed", FailureClass.UNAVAILABLE), part("failed", FailureClass.BAD_REQUEST)


@pytest.mark.parametrize(
    ("left", "ended", "state"),
    [
        (NOTHING, [], "complete"),
        (NOTHING, [DONE], "complete"),
        (NOTHING, [DONE, AWAY], "complete"),  # another part brought it: only the lack counts
        (LACK, [DONE], "partial"),
        (LACK, [WRONG], "partial"),
        (LACK, [AWAY], "waiting"),
        (LACK, [NOT_YET], "waiting"),
        (LACK, [WRONG, AWAY], "waiting"),
        (REST, [DONE], "waiting"),
    ],
)
def test_complete_needs_an_empty_plan_and_waiting_a_reason_to_hope(
    left: Left, ended: list[EndedPart], state: str
) -> None:
    outcome = judge(left, ended, PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    assert outcome.state == state
    assert outcome.missing == left.missing
    assert (outcome.next_pass_at is not None) == (state == "waiting")


def test_what_no_pass_can_help_is_failed_whatever_else_is_so() -> None:
    outcome = judge(
        NOTHING, [AWAY, NOT_YET], PassEnd(run_pass=1, fatal="KeyRejected: no", now=NOW, give_up_at=GIVE_UP_AT)
    )
    assert (outcome.state, outcome.reason, outcome.next_pass_at) == ("failed", "KeyRejected: no", None)


def test_a_vendor_that_is_away_is_tried_ever_more_rarely() -> None:
    delays = []
    for run_pass in range(1, 9):
        outcome = judge(LACK, [AWAY], PassEnd(run_pass=run_pass, now=NOW, give_up_at=GIVE_UP_AT))
        assert outcome.next_pass_at is not None
        delays.append(outcome.next_pass_at - NOW)
    assert tuple(delays[: len(UNAVAILABLE_RETRIES)]) == UNAVAILABLE_RETRIES
    assert set(delays[len(UNAVAILABLE_RETRIES) :]) == {UNAVAILABLE_RETRIES[-1]}


def test_what_is_not_published_yet_is_asked_for_every_quarter_of_an_hour() -> None:
    outcome = judge(LACK, [NOT_YET, AWAY], PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    assert outcome.next_pass_at == NOW + NOT_YET_RETRY
    assert outcome.reason == "not yet published by the vendor"


def test_what_a_plan_brings_bit_by_bit_goes_on_at_once_but_not_against_a_vendor_that_is_away() -> None:
    on = judge(REST, [DONE], PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    away = judge(REST, [AWAY], PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    over = judge(REST, [DONE], PassEnd(run_pass=1, now=GIVE_UP_AT, give_up_at=GIVE_UP_AT))
    assert (on.next_pass_at, away.next_pass_at) == (NOW, NOW + UNAVAILABLE_RETRIES[0])
    assert (over.state, over.missing) == ("complete", ())


def test_a_pass_that_was_cut_goes_on_beside_what_is_overdue_and_one_that_was_not_waits_a_while() -> None:
    overdue = Left(missing=LACK.missing, goes_on=True, cut=True)
    on = judge(overdue, [DONE], PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    assert (on.state, on.missing, on.next_pass_at) == ("waiting", LACK.missing, NOW)
    over = judge(overdue, [DONE], PassEnd(run_pass=9, now=GIVE_UP_AT, give_up_at=GIVE_UP_AT))
    assert (over.state, over.missing) == ("partial", LACK.missing)
    all_asked = Left(missing=(), goes_on=True)
    again = judge(all_asked, [DONE], PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    assert again.next_pass_at == NOW + NOT_YET_RETRY


def test_a_plan_that_gives_the_day_after_midnight_is_not_asked_before() -> None:
    midnight = NOW + dt.timedelta(hours=4)
    later = Left(missing=LACK.missing, published_at=midnight)
    outcome = judge(later, [NOT_YET], PassEnd(run_pass=1, now=NOW, give_up_at=GIVE_UP_AT))
    assert outcome.next_pass_at == midnight


def test_no_pass_begins_after_the_next_session_has_opened() -> None:
    close = GIVE_UP_AT - dt.timedelta(minutes=3)
    assert judge(LACK, [NOT_YET], PassEnd(run_pass=1, now=close, give_up_at=GIVE_UP_AT)).next_pass_at == GIVE_UP_AT
    assert judge(LACK, [NOT_YET], PassEnd(run_pass=1, now=GIVE_UP_AT, give_up_at=GIVE_UP_AT)).state == "partial"


def test_a_few_unproven_symbols_are_the_vendors_oddities_and_many_are_a_hole() -> None:
    few, many = dt.date(2025, 11, 10), dt.date(2025, 11, 11)
    assert unproven_lines({few: (110, 11_000), many: (111, 11_000)}) == [
        "volume_slots 2025-11-11: 111 of 11000 symbols have no slot and no proof that nobody traded"
    ]


def test_equal_warnings_are_counted_and_a_flood_of_them_is_cut() -> None:
    assert summarised(["b", "a", "b"]) == ["b (x2)", "a"]
    assert summarised([str(n) for n in range(25)])[-1] == "and 5 more"
