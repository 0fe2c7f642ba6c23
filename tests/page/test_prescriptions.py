"""What a person is told to do about what is found: commands that exist, neighbours folded, nothing hidden."""

from __future__ import annotations

import datetime as dt
import re
import shlex

import pytest

from consumer.checks.asked_work import Work as Asked
from consumer.checks.pending_work import Held as HeldEntry
from consumer.checks.pending_work import HeldAs, PendingWork
from consumer.page.calendar import Doing, Work, calendar_of, under_way
from consumer.page.found import Found, Kind, Prescription
from consumer.page.prescriptions import MOST_OF_A_KIND, prescriptions
from consumer.page.waits import of_holders, of_run, of_time
from consumer.postgres.boundaries import Boundary
from consumer.postgres.boundaries import State as BoundaryState
from consumer.postgres.dead_letters import KeptLetter
from consumer.postgres.findings import KeptFinding
from consumer.postgres.findings import State as FindingState
from consumer.postgres.letter_causes import Cause
from consumer.postgres.states import LetterState
from consumer.terminal.app import app
from contract import data_sets as sets
from contract.reports import CycleState, RunReport, SessionState
from market.findings import Kind as FindingKind
from tests.verdict.worlds import CALENDAR, World, at, bars

DAY = dt.date(2025, 11, 11)
NOON = at(DAY, "12:00")


def letter(number: int, *, fingerprint: str = "6798b14e") -> KeptLetter:
    return KeptLetter(
        dead_letter_id=number,
        stream="maintenance:tasks",
        entry_id=f"{number}-0",
        reason="task 'no_such_task' is unknown",
        fingerprint=fingerprint,
        deliveries=1,
        dead_at=NOON,
        fields={},
        trading_day=None,
        task=None,
        part=None,
        state=LetterState.OPEN,
        settled_at=None,
        settled_by=None,
        settled_reason=None,
    )


def finding(kind: FindingKind) -> KeptFinding:
    return KeptFinding(
        finding_id=7,
        trading_day=DAY,
        data_set=sets.DAILY_BARS,
        kind=kind,
        reason="98 % of closes are those of the day before",
        symbols=["A", "B", "C", "D"],
        evidence={},
        contested_at=None,
        load_id=1,
        found_at=NOON,
        rechecked_at=None,
        state=FindingState.OPEN,
        settled_at=None,
        settled_by=None,
        settled_reason=None,
    )


BOUNDARY = Boundary(
    symbol="ABC",
    company="ABC",
    boundary_day=DAY,
    state=BoundaryState.PROPOSED,
    evidence="opened at 3, the close before was 30",
    found_at=NOON,
    decided_at=None,
    decided_by=None,
    decided_reason=None,
)


def entry(standing: HeldAs, *, part: str = "bars:2025-11-11", idle: float = 40.0) -> HeldEntry:
    return HeldEntry(
        stream="maintenance:tasks",
        entry_id="1-0",
        standing=standing,
        work=Asked(trading_day=DAY, task="ohlc_daily", part=part, cycle=1),
        holder="worker-one",
        idle_seconds=idle,
        lease_seconds=10.0,
        deliveries=2,
        max_deliveries=5,
    )


def pending(*held: HeldEntry) -> PendingWork:
    return PendingWork(now=NOON, held=list(held), held_in_all=len(held), queued=0, parked=[], parked_in_all=0)


def everything() -> Found:
    """One of each kind."""
    world = World(DAY).loaded("17:02").without(floats=True).hold(sets.DAILY_BARS, dt.date(2025, 11, 7), short())
    world.slots(None).sets("16:00", "cache:atr", "atr")
    return Found(
        judged=world.judged("22:30"),
        findings=[finding(FindingKind.REPEATED), finding(FindingKind.ROWS)],
        accepted=[finding(FindingKind.VOLUME)],
        letters=[letter(1), letter(2)],
        causes=[],
        boundaries=[BOUNDARY],
        caches=False,
        pending=pending(entry(HeldAs.ABANDONED), entry(HeldAs.LAST_DELIVERY), entry(HeldAs.RUNNING)),
    )


def short() -> object:
    return bars(at(dt.date(2025, 11, 7), "20:17"), loaded=10_000, missing=1_000)


def test_every_command_that_is_prescribed_is_one_that_the_command_line_knows() -> None:
    found = prescriptions(everything())
    assert {one.kind for one in found} >= set(Kind) - {Kind.NOT_IN_PLAN}
    for one in found:
        for text in (one.command, one.recheck):
            for command in re.findall(r"maintenance [^;]+", text or ""):
                words = shlex.split(command)
                if "or" in words or command == "maintenance boundary list":
                    continue
                app.parse_args(words[1:], exit_on_error=False, print_error=False)


def about_slots(found: Found) -> Prescription:
    return next(one for one in prescriptions(found) if one.title.startswith(f"{sets.VOLUME_SLOTS} {DAY}"))


def test_what_is_being_brought_now_is_no_work_for_a_person() -> None:
    world = World(DAY).loaded("17:02").slots(None)
    judged = world.judged("22:30")
    table = calendar_of(judged, [DAY], Work())
    assert under_way(table) == {}
    idle = about_slots(Found(judged=judged))
    running = about_slots(Found(judged=judged, under_way={(DAY, sets.VOLUME_SLOTS): Doing.RUNNING}))
    assert (idle.fillable, idle.command is not None) == (True, True)
    assert (running.fillable, running.command, running.cause[:27]) == (False, None, "it is being brought now")


def test_what_is_left_out_of_a_long_list_is_counted() -> None:
    found = Found(
        judged=World(DAY).loaded("20:17").judged("20:30"),
        letters=[letter(number, fingerprint=f"{number:08x}") for number in range(30)],
    )
    letters = [one for one in prescriptions(found) if one.kind is Kind.DEAD_LETTERS]
    assert len(letters) == MOST_OF_A_KIND
    assert letters[-1].title.endswith(", and 10 more")


def test_letters_that_were_only_counted_are_counted_with_their_cause() -> None:
    cause = Cause(
        stream="maintenance:tasks", fingerprint="6798b14e", seen=1002, not_kept=1000, first_at=NOON, last_at=NOON
    )
    found = Found(judged=World(DAY).loaded("20:17").judged("20:30"), letters=[letter(1), letter(2)], causes=[cause])
    (one,) = [one for one in prescriptions(found) if one.kind is Kind.DEAD_LETTERS]
    assert (one.count, one.title) == (1002, "1,002 given up (6798b14e)")


@pytest.mark.parametrize(("time", "late"), [("17:30", False), ("18:30", True)])
def test_a_cell_says_that_its_deadline_was_missed_once_it_was(time: str, late: bool) -> None:
    table = calendar_of(World(DAY).loaded("17:02").slots(None).judged(time), [DAY], Work())
    cell = next(one for one in table.sessions[0].cells if one.data_set == sets.VOLUME_SLOTS)
    assert (cell.state, cell.late, table.sessions[0].late) == (SessionState.MISSING, late, late)


def test_before_its_time_a_session_waits_for_the_close_and_its_due_time() -> None:
    judged = World(DAY).judged("15:00")
    waits = list(of_time(judged.verdicts[DAY], judged.ruler))
    assert [wait.until for wait in waits] == [at(DAY, "16:00"), at(DAY, "17:00")]
    (row,) = calendar_of(judged, [DAY], Work()).sessions
    assert (row.in_progress, row.cells[0].due, row.is_gap) == (True, "17:00 ET", False)


def test_a_holder_is_told_once_with_how_much_it_holds_and_its_oldest_beat() -> None:
    (wait,) = of_holders([entry(HeldAs.RUNNING, idle=1), entry(HeldAs.ABANDONED, part="bars:2025-11-10")])
    assert wait.what == "worker-one, at work on 2 entries"
    assert "bars:2025-11-10: last beat 40 s ago of a lease of 10 s and nobody has taken it over" in wait.evidence


def test_of_a_running_cycles_notes_only_what_is_tried_again_is_waited_for() -> None:
    notes = ["volume_slots: 2 symbols have no slot", "3 parts are tried again: the vendor answers 503"]
    run = RunReport(cycle=4, trading_day=DAY, state=CycleState.RUNNING, tasks={}, warnings=notes)
    assert [wait.evidence for wait in of_run(run)] == [f"cycle 4: {notes[1]}"]


def test_the_calendar_goes_back_to_where_the_exchange_begins_and_no_further() -> None:
    judged = World(DAY).loaded("20:17").judged("20:30")
    days = sorted(judged.verdicts)[:3]
    assert calendar_of(judged, days, Work()).before == CALENDAR.previous_trading_day(days[0])
