"""Who takes over from whom, who joins, who waits: as tables, without a database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from consumer.cycle.opening import joins, replaces, request_from, tasks_of
from consumer.delivery.errors import Busy, DataRejected
from consumer.postgres.cycle_changes import Request
from consumer.postgres.cycles import Cycle
from contract.messages import ALL_TASKS, TaskMessage, TaskName
from contract.reports import CycleState
from tests.cycle.stack import AT_FIVE, CALENDAR, DAY, EVENING, SCHEDULE, new_york

YESTERDAY = dt.date(2025, 11, 10)
EVERYTHING = tuple(task.value for task in ALL_TASKS)
BARS_ONLY = ("ohlc_daily", "redis_sync")
DUE = {"POST_MARKET+1h": AT_FIVE, "CLOSED+15m": new_york(DAY, "20:15")}


def cycle(**changed: Any) -> Cycle:
    """A running scheduled cycle of today's first look."""
    fields: dict[str, Any] = {
        "cycle_id": 1, "trading_day": DAY, "occasion": "POST_MARKET+1h", "scheduled": True, "due_at": AT_FIVE,
        "requested_by": "catch-up", "tasks": EVERYTHING, "force": False, "state": "running", "run_pass": 1,
        "opened_at": AT_FIVE, "pass_started_at": AT_FIVE, "finished_at": None, "next_pass_at": None,
        "give_up_at": EVENING, "reason": None, "missing": (), "warnings": (),
    }  # fmt: skip
    values = {**fields, **changed}
    return Cycle(**{**values, "state": CycleState(values["state"])})


def asked(**changed: Any) -> Cycle:
    """A running cycle that a person asked for."""
    return cycle(**{"scheduled": False, "occasion": "request:1-0", "requested_by": "maria", **changed})


def rule(text: str = "CLOSED+15m", **changed: Any) -> Request:
    fields: dict[str, Any] = {
        "trading_day": DAY, "occasion": text, "scheduled": True, "due_at": DUE[text], "requested_by": "catch-up",
        "tasks": EVERYTHING, "force": False, "give_up_at": EVENING,
    }  # fmt: skip
    return Request(**{**fields, **changed})


def person(**changed: Any) -> Request:
    return rule(**{"scheduled": False, "occasion": "request:2-0", "due_at": EVENING, **changed})


YESTERDAYS = {"trading_day": YESTERDAY, "due_at": AT_FIVE - dt.timedelta(days=1)}


@pytest.mark.parametrize(
    ("request_", "other", "expected"),
    [
        (rule(), cycle(), True),
        (rule(), cycle(state="waiting"), True),
        (rule(), cycle(**YESTERDAYS), True),
        (rule(), cycle(state="waiting", **YESTERDAYS), True),
        (rule("POST_MARKET+1h"), cycle(occasion="CLOSED+15m", due_at=DUE["CLOSED+15m"]), False),
        (rule(trading_day=YESTERDAY, due_at=YESTERDAYS["due_at"]), cycle(), False),
        (rule(), asked(), True),
        (rule(), asked(trading_day=YESTERDAY), False),
        (rule(), asked(force=True), False),
        (rule(force=True), asked(force=True), True),
        (person(), cycle(), False),
        (person(), cycle(state="waiting"), True),
        (person(), cycle(state="waiting", **YESTERDAYS), False),
        (person(tasks=BARS_ONLY), cycle(state="waiting"), False),
        (person(), asked(state="waiting", tasks=BARS_ONLY), True),
        (person(), asked(state="waiting", force=True), False),
    ],
)
def test_a_request_takes_over_exactly_what_it_does_as_well(request_: Request, other: Cycle, expected: bool) -> None:
    assert replaces(request_, other) is expected


@pytest.mark.parametrize(
    ("request_", "running", "expected"),
    [
        (person(), cycle(), True),
        (person(tasks=BARS_ONLY), cycle(), True),
        (person(), asked(tasks=BARS_ONLY), False),
        (person(trading_day=YESTERDAY), cycle(), False),
        (person(force=True), cycle(), False),
        (person(force=True), asked(force=True), True),
        (person(), asked(force=True), True),
        (rule("POST_MARKET+1h"), cycle(occasion="CLOSED+15m", due_at=DUE["CLOSED+15m"]), True),
    ],
)
def test_a_request_joins_only_a_cycle_that_does_all_of_it(request_: Request, running: Cycle, expected: bool) -> None:
    assert joins(request_, running) is expected


def wanted(message: TaskMessage, *, now: dt.datetime = EVENING) -> Request:
    return request_from(message, "7-0", calendar=CALENDAR, schedule=SCHEDULE, now=now)


def test_a_request_without_a_day_means_the_last_completed_one() -> None:
    found = wanted(TaskMessage(task=TaskName.CYCLE), now=new_york(DAY, "15:59"))
    assert (found.trading_day, found.occasion, found.tasks) == (YESTERDAY, "request:7-0", EVERYTHING)


def entry_id_of(instant: dt.datetime) -> str:
    return f"{int(instant.timestamp() * 1000)}-0"


def test_a_request_without_a_day_stays_with_the_day_on_which_it_was_made() -> None:
    made = entry_id_of(new_york(DAY, "15:59"))
    for delivered in (new_york(DAY, "15:59"), new_york(DAY, "16:01"), EVENING + dt.timedelta(days=3)):
        found = request_from(
            TaskMessage(task=TaskName.CYCLE), made, calendar=CALENDAR, schedule=SCHEDULE, now=delivered
        )
        assert found.trading_day == YESTERDAY


@pytest.mark.parametrize("origin", ["7-0", "99999999999999-0", "figures-12", "18446744073709551614-1"])
def test_an_id_that_is_no_instant_of_the_past_means_the_present(origin: str) -> None:
    found = request_from(TaskMessage(task=TaskName.CYCLE), origin, calendar=CALENDAR, schedule=SCHEDULE, now=EVENING)
    assert found.trading_day == DAY


def test_one_task_means_itself_and_the_caches_made_from_it() -> None:
    assert tasks_of(TaskName.OHLC_DAILY) == BARS_ONLY
    assert tasks_of(TaskName.REDIS_SYNC) == ("redis_sync",)


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        ({"trading_day": dt.date(2025, 11, 15)}, "Saturday"),
        ({"trading_day": dt.date(2025, 12, 25)}, "Christmas"),
        ({"trading_day": dt.date(2025, 11, 12)}, "has not closed yet: ask again after 21:00 UTC"),
        ({"trading_day": dt.date(1990, 1, 2)}, "1998"),
        ({"rule": "AT_NOON"}, "write POST_MARKET or CLOSED"),
        ({"rule": "CLOSED+99999999999999h"}, "unreadable offset"),
        ({"rule": "CLOSED+15m POST_MARKET+1h"}, "send a message for each"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_cure(message: dict[str, Any], cure: str) -> None:
    with pytest.raises(DataRejected, match=cure.replace("+", r"\+")):
        wanted(TaskMessage(task=TaskName.CYCLE, **message))


def test_a_rule_that_is_not_due_yet_waits_for_its_instant() -> None:
    early = new_york(DAY, "20:15") - dt.timedelta(seconds=2)
    with pytest.raises(Busy) as refused:
        wanted(TaskMessage(task=TaskName.CYCLE, trading_day=DAY, rule="CLOSED+15m"), now=early)
    assert refused.value.delay == dt.timedelta(seconds=2)

    found = wanted(TaskMessage(task=TaskName.CYCLE, trading_day=DAY, rule="CLOSED+15m"))
    assert (found.scheduled, found.due_at, found.occasion) == (True, new_york(DAY, "20:15"), "CLOSED+15m")
