"""Lists the schedules, each with the cure that it needs: taken out, it must not come to a good end."""

from __future__ import annotations

import msgspec

from tests.simulator.directed import TWO_PARTS, Schedule
from tests.simulator.schedules import called_off, lost_fence, lost_work
from tests.simulator.workload import Workload

ONE_IS_LATE = Workload(
    first=(msgspec.structs.replace(TWO_PARTS.first[0], not_yet=True), *TWO_PARTS.first[1:]), added=()
)

# By name: the schedule, and the cure of `cures` that it needs; none where the simulator itself was at fault.
SCHEDULES: dict[str, tuple[Schedule, str | None]] = {
    "an opener's request is taken out and appended again": (
        Schedule(directions=lost_work.its_request_is_taken_out_and_appended_again), "a joiner sends what is ready"
    ),
    "an opener's request is given up while another waits": (
        Schedule(directions=lost_work.its_request_is_given_up_while_another_waits),
        "a waiting request sends what is ready",
    ),
    "an opener's request is gone and another waits": (
        Schedule(directions=lost_work.another_request_waits_for_it), "a waiting request sends what is ready"
    ),
    "closing what was cancelled is refused a lock": (
        Schedule(directions=called_off.closing_is_refused_a_lock), "no open part outlives its cycle"
    ),
    "whoever set a backfill aside freezes before closing": (
        Schedule(directions=called_off.whoever_set_a_backfill_aside_freezes_before_closing),
        "only the pass that was set aside is closed",
    ),
    "whoever set a backfill aside freezes before withdrawing": (
        Schedule(directions=called_off.whoever_set_a_backfill_aside_freezes_before_withdrawing),
        "what was withdrawn of a newer pass is sent again",
    ),
    "the next pass of the day's cycle sets a backfill aside": (
        Schedule(directions=called_off.the_next_pass_sets_a_backfill_aside, workload=ONE_IS_LATE),
        "a next pass stops what it sets aside",
    ),
    "a pass is acknowledged when the next has begun": (
        Schedule(directions=called_off.a_pass_is_acknowledged_when_the_next_has_begun, workload=ONE_IS_LATE), None
    ),
    "a message of the last pass stands when the next begins": (
        Schedule(
            directions=called_off.a_message_of_the_last_pass_stands_when_the_next_begins,
            workload=ONE_IS_LATE,
            catches_up=True,
        ),
        None,
    ),
    "a duplicate is dropped before the lift": (
        Schedule(directions=lost_fence.a_duplicate_is_dropped_before_the_lift, catches_up=True), None
    ),
    "the cycle is cancelled before its parts are closed": (
        Schedule(directions=lost_fence.the_cycle_is_cancelled_before_its_parts_are_closed, catches_up=True), None
    ),
    "the answer that a token is too old is lost": (
        Schedule(directions=lost_fence.the_answer_is_lost, catches_up=True), None
    ),
    "a lost counter is lifted by whoever is told": (
        Schedule(directions=lost_fence.it_is_lifted_by_whoever_is_told, catches_up=True), "a lost counter is lifted"
    ),
}  # fmt: skip
