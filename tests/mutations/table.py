"""Lists changes that would break an invariant of delivery, each with the test that must catch it."""

from __future__ import annotations

import msgspec

READING = "consumer/delivery/reading.py"
JUDGING = "consumer/delivery/judging.py"
LEASE = "consumer/delivery/lease.py"
WORKER = "consumer/delivery/worker.py"
LEDGER = "consumer/postgres/ledger.py"
CYCLES = "consumer/postgres/cycles.py"
RUNNER = "consumer/cycle/runner.py"
FAILURES = "consumer/cycle/failures.py"
OPENING = "consumer/cycle/opening.py"
PART_ENDS = "consumer/postgres/part_ends.py"
SCHEDULES = "tests/simulator/test_simulator.py::test_a_schedule_that_failed_comes_to_a_good_end"
SCRIPTS = "consumer/delivery/scripts"
OWNERSHIP = "tests/delivery/test_ownership_and_recovery.py"
BOUNDS = "tests/delivery/test_bounds.py"
PROCESSES = "tests/delivery/test_processes.py"
FENCE = "tests/postgres/test_fence.py"


class Mutation(msgspec.Struct, frozen=True, kw_only=True):
    """In *file* the text *old* becomes *new*: then *test* must fail. *what* says in words what was broken."""

    invariant: str
    what: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        invariant="I1",
        what="leases are not renewed",
        file=LEASE,
        old="            lost = self._beat(ids)",
        new="            return True\n            lost = self._beat(ids)",
        test=f"{BOUNDS}::test_a_part_of_ten_leases_is_begun_once_and_its_beats_are_no_deliveries",
    ),
    Mutation(
        invariant="I1",
        what="a beat counts as a delivery",
        file=f"{SCRIPTS}/prelude.lua",
        old="consumer, 0, id, 'JUSTID')\nend",
        new="consumer, 0, id)\nend",
        test=f"{BOUNDS}::test_a_part_of_ten_leases_is_begun_once_and_its_beats_are_no_deliveries",
    ),
    Mutation(
        invariant="I2",
        what="the beat waits for the event loop",
        file=LEASE,
        old="        sent_at = time.monotonic()\n        try:",
        new="        ticked = threading.Event()\n        self._loop.call_soon_threadsafe(ticked.set)\n"
        "        ticked.wait()\n"
        "        sent_at = time.monotonic()\n        try:",
        test=f"{OWNERSHIP}::test_the_lease_is_kept_while_a_handler_blocks_the_event_loop_for_two_leases",
    ),
    Mutation(
        invariant="I2",
        what="a wedged process keeps its lease for ever",
        file=LEASE,
        old="                os._exit(WEDGED_EXIT_CODE)",
        new="                pass",
        test=f"{PROCESSES}::test_a_handler_in_an_endless_loop_ends_its_process_after_its_deadline",
    ),
    Mutation(
        invariant="I2",
        what="nobody is told that the deadline has passed",
        file=LEASE,
        old='self._tell(held, DeadlinePassed(f"no end after {held.allowed_s:g} s"))',
        new="pass",
        test=f"{BOUNDS}::test_work_that_does_not_end_is_cancelled_at_its_deadline_and_tried_again",
    ),
    Mutation(
        invariant="I3",
        what="a token is issued without looking who holds the entry",
        file=f"{SCRIPTS}/begin.lua",
        old="  if not pending then return 'LOST' end",
        new="  pending = pending or {0, 0, 0, 1}",
        test=f"{OWNERSHIP}::test_a_frozen_owner_that_wakes_can_neither_begin_nor_settle_nor_take_back",
    ),
    Mutation(
        invariant="I3",
        what="a settlement does not look who holds the entry",
        file=f"{SCRIPTS}/settle.lua",
        old="  if not pending then return 'LOST' end",
        new="  pending = pending or {0, 0, 0, 1}",
        test=f"{OWNERSHIP}::test_a_frozen_owner_that_wakes_can_neither_begin_nor_settle_nor_take_back",
    ),
    Mutation(
        invariant="I3",
        what="a beat takes the entry back from its new owner",
        file=f"{SCRIPTS}/beat.lua",
        old="if owned(ARGV[i], ARGV[2]) then",
        new="if true then",
        test=f"{PROCESSES}::test_a_frozen_process_that_wakes_leaves_its_successor_alone",
    ),
    Mutation(
        invariant="I3",
        what="a write does not check its fence",
        file=LEDGER,
        old='"AND fence = $4 AND part.state',
        new='"AND $4::bigint IS NOT NULL AND part.state',
        test=f"{FENCE}::test_a_worker_that_was_followed_commits_nothing",
    ),
    Mutation(
        invariant="I3",
        what="beginning does not raise the part's fence",
        file=LEDGER,
        old="UPDATE part SET fence = $4, holder",
        new="UPDATE part SET fence = greatest(1, $4 - $4), holder",
        test=f"{FENCE}::test_a_worker_that_was_followed_commits_nothing",
    ),
    Mutation(
        invariant="I3",
        what="a frozen transaction is never ended",
        file="consumer/postgres/session.py",
        old='"idle_in_transaction_session_timeout": milliseconds',
        new='"idle_in_transaction_session_timeout": "0"',
        test=f"{FENCE}::test_a_transaction_frozen_with_the_parts_row_in_hand_is_ended_and_its_successor_goes_on",
    ),
    Mutation(
        invariant="I3",
        what="whoever was followed says how the part ended",
        file=PART_ENDS,
        old='Ownership.OPEN if row["fence"] <= fence else Ownership.TAKEN',
        new="Ownership.OPEN",
        test=f"{FENCE}::test_whoever_was_followed_may_not_say_how_the_part_ended",
    ),
    Mutation(
        invariant="I3",
        what="a cancelled cycle's parts commit",
        file=CYCLES,
        old="    if cycle is None or cycle.state in CALLED_OFF:",
        new="    if cycle is None:",
        test=f"{FENCE}::test_a_cancellation_amid_a_commit_lets_nothing_through",
    ),
    Mutation(
        invariant="I4",
        what="entries of dead consumers are not looked for",
        file=WORKER,
        old="        claimed = await self._stream.claim_apart(",
        new="        return []\n        claimed = await self._stream.claim_apart(",
        test=f"{PROCESSES}::test_a_process_killed_amid_its_work_blocks_nobody",
    ),
    Mutation(
        invariant="I5",
        what="what follows is not sent with the acknowledgement",
        file=f"{SCRIPTS}/settle.lua",
        old="  for _, message in ipairs(successors) do put(message) end\n",
        new="",
        test=f"{OWNERSHIP}::test_an_acknowledgement_sends_what_follows_in_the_same_step",
    ),
    Mutation(
        invariant="I5",
        what="what is committed and was not sent is never sent again",
        file="consumer/delivery/outbox.py",
        old="return await stream.enqueue(await outbox.unsent(now=now))",
        new="return 0 * await stream.enqueue((await outbox.unsent(now=now))[:0])",
        test="tests/delivery/test_outbox.py::"
        "test_killed_at_any_point_between_commit_and_acknowledgement_all_work_is_done_once",
    ),
    Mutation(
        invariant="I6",
        what="a committed part begins again",
        file=LEDGER,
        old="          AND state IN ('ready', 'running', 'retrying')\n          AND EXISTS",
        new="          AND EXISTS",
        test=f"{FENCE}::test_what_is_committed_is_not_begun_again_nor_committed_twice",
    ),
    Mutation(
        invariant="I6",
        what="two entries of one work are both begun",
        file=f"{SCRIPTS}/begin.lua",
        old="if standing and standing ~= id then",
        new="if false then",
        test="tests/delivery/test_group_commit.py::test_two_entries_of_one_work_begun_at_once_are_begun_once",
    ),
    Mutation(
        invariant="I7",
        what="deliveries are not counted before the work",
        file=JUDGING,
        old="if deliveries > self._options.max_deliveries:",
        new="if False:",
        test=f"{PROCESSES}::test_a_message_that_kills_its_process_is_dead_lettered_and_the_others_go_on",
    ),
    Mutation(
        invariant="I7",
        what="a suspect runs beside others",
        file=WORKER,
        old="suspect_after=self._suspect_after, alone=alone",
        new="suspect_after=0",
        test=f"{OWNERSHIP}::test_an_entry_that_lost_its_consumers_again_and_again_runs_alone",
    ),
    Mutation(
        invariant="I7",
        what="what is rejected is tried again",
        file="consumer/delivery/settle.py",
        old="        case DataRejected():",
        new="        case LeaseLost():",
        test=f"{OWNERSHIP}::test_what_is_rejected_goes_to_the_dead_letters_at_once",
    ),
    Mutation(
        invariant="I8",
        what="an entry without a message stays pending",
        file=READING,
        old="                await self._forget(entry_id, stream=stream)\n",
        new="",
        test=f"{BOUNDS}::test_entries_trimmed_by_hand_leave_no_ghost_whoever_held_them",
    ),
    Mutation(
        invariant="I9",
        what="entries stay in the stream when they are done",
        file=f"{SCRIPTS}/prelude.lua",
        old="  redis.call('XDEL', KEYS[1], id)\n",
        new="",
        test=f"{BOUNDS}::test_streams_hold_what_is_left_and_nothing_unfinished_is_trimmed",
    ),
    Mutation(
        invariant="I10",
        what="a lost group is not made again",
        file=WORKER,
        old="                joined = False\n",
        new="",
        test=f"{BOUNDS}::test_a_destroyed_group_is_made_again_without_a_hot_loop_and_the_work_goes_on",
    ),
    Mutation(
        invariant="I11",
        what="a fence counter that went back is not lifted",
        file=RUNNER,
        old="            await self._stream.raise_fence(behind.seen)\n",
        new="",
        test="tests/cycle/test_fence_behind.py::"
        "test_a_fence_counter_that_went_back_is_lifted_over_what_the_ledger_has_seen",
    ),
    Mutation(
        invariant="I12",
        what="a Redis that does not answer ends the reader",
        file=WORKER,
        old="            except RedisError as error:\n                failures += 1",
        new="            except ZeroDivisionError as error:\n                failures += 1",
        test="tests/faults/test_redis_restored.py::test_a_redis_killed_amid_a_cycle_is_waited_for",
    ),
    Mutation(
        invariant="I12",
        what="what a lost reply had brought is left to its lease",
        file=WORKER,
        old="elif not first and (entries :=",
        new="elif False and (entries :=",
        test="tests/delivery/test_lost_replies.py::test_what_a_lost_reply_had_brought_is_run_without_waiting_for_a_lease",
    ),
    Mutation(
        invariant="I13",
        what="the database allows two cycles for a day and occasion",
        file="consumer/postgres/migrations/0001_ledger.sql",
        old="    UNIQUE (trading_day, occasion)",
        new="    CHECK (pass > 0)",
        test=f"{FENCE}::test_the_database_itself_allows_one_cycle_for_a_day_and_occasion_and_one_that_runs",
    ),
    Mutation(
        invariant="I13",
        what="the database allows two running cycles",
        file="consumer/postgres/migrations/0001_ledger.sql",
        old="CREATE UNIQUE INDEX cycle_one_running",
        new="CREATE INDEX cycle_one_running",
        test=f"{FENCE}::test_the_database_itself_allows_one_cycle_for_a_day_and_occasion_and_one_that_runs",
    ),
    Mutation(
        invariant="I14",
        what="due cycles are not found from the calendar",
        file="consumer/cycle/catch_up.py",
        old="            messages += await self._due(now)",
        new="            messages += []",
        test="tests/cycle/test_whole_cycle.py::test_provisional_data_is_refetched_at_quarter_past_eight_and_not_before",
    ),
    Mutation(
        invariant="I15",
        what="what is due later is handed out at once",
        file=f"{SCRIPTS}/prelude.lua",
        old="  if message.due > now then park(message)",
        new="  if false then park(message)",
        test=f"{BOUNDS}::test_what_waits_for_three_days_is_delivered_once_and_held_by_nobody_until_then",
    ),
    Mutation(
        invariant="I16",
        what="a released entry waits for its lease",
        file=f"{SCRIPTS}/prelude.lua",
        old="'IDLE', lease_ms * 10, ",
        new="'IDLE', 0, ",
        test=f"{OWNERSHIP}::test_a_released_entry_is_claimable_at_once_and_the_delivery_does_not_count",
    ),
    Mutation(
        invariant="I16",
        what="a released delivery counts",
        file=f"{SCRIPTS}/settle.lua",
        old="ending == 'release' and math.max((tonumber(detail) or pending[4]) - 1, 0) or pending[4]",
        new="pending[4]",
        test=f"{OWNERSHIP}::test_stopping_hands_back_running_work_at_once_and_uncounted",
    ),
    Mutation(
        invariant="I16",
        what="a consumer that leaves uncounts a delivery a second time",
        file=f"{SCRIPTS}/leave.lua",
        old="if pending[3] < tonumber(ARGV[3]) then",
        new="if true then",
        test=f"{OWNERSHIP}::test_leaving_uncounts_only_what_was_still_running",
    ),
    Mutation(
        invariant="I17",
        what="dead consumers are not collected",
        file=f"{SCRIPTS}/collect.lua",
        old="if info.pending == 0 and",
        new="if false and",
        test=f"{BOUNDS}::test_a_thousand_starts_and_deaths_leave_no_consumer_key_or_pending_entry",
    ),
    Mutation(
        invariant="I17",
        what="a consumer that holds something is removed, and its entry destroyed",
        file=f"{SCRIPTS}/collect.lua",
        old="if info.pending == 0 and",
        new="if",
        test=f"{BOUNDS}::test_a_thousand_starts_and_deaths_leave_no_consumer_key_or_pending_entry",
    ),
    Mutation(
        invariant="I18",
        what="a claim looks at all that is pending",
        file=READING,
        old="LOOKED_AT = 1000",
        new="LOOKED_AT = 1000000",
        test=f"{BOUNDS}::test_no_command_looks_at_all_of_a_hundred_thousand_pending_entries",
    ),
    Mutation(
        invariant="I5",
        what="who joins a cycle sends nothing of it",
        file=OPENING,
        old="served=Served.JOINED, suspended=suspended, parts=tuple(parts))",
        new="served=Served.JOINED, suspended=suspended)",
        test=SCHEDULES,
    ),
    Mutation(
        invariant="I5",
        what="a request that waits sends nothing of what it waits for",
        file=FAILURES,
        old="return await self._of_the_running_cycle()",
        new="return []",
        test=SCHEDULES,
    ),
    Mutation(
        invariant="I4",
        what="parts of a cycle that was called off long ago stay open",
        file=CYCLES,
        old='"UNION SELECT cycle_id FROM part WHERE state',
        new='"UNION SELECT cycle_id FROM part WHERE false AND state',
        test=SCHEDULES,
    ),
    Mutation(
        invariant="I3",
        what="what was set aside is closed in whatever pass",
        file=PART_ENDS,
        old='"part.cycle_id = ended.cycle_id AND part.pass <= ended.pass "',
        new='"part.cycle_id = ended.cycle_id "',
        test=SCHEDULES,
    ),
    Mutation(
        invariant="I3",
        what="a next pass leaves at work whom it sets aside",
        file=RUNNER,
        old="await self._set_aside(begun.suspended)",
        new="pass",
        test=SCHEDULES,
    ),
)
