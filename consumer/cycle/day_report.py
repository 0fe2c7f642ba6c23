"""Makes the report on a trading day from its verdict, as stored, and the cycles that worked on it.

Pure. The words of the earlier service (`tasks`, `all_success`) tell what the day's data are, so no later, smaller or
failed cycle changes them; what a cycle did stands in `run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS
from consumer.verdict import words
from contract import data_sets as sets
from contract.messages import ALL_TASKS, TaskName
from contract.reports import Condition, CycleState, DataSetReport, DayStatus, RunReport, SessionState, TaskState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.verdict.states import DataSetVerdict, SessionVerdict

#: What each task brings of a session's verdict.
SETS_OF: dict[TaskName, tuple[str, ...]] = {
    **{task: tuple(one.name for one in DATA_SETS if one.in_verdict and one.task is task) for task in ALL_TASKS},
    TaskName.REDIS_SYNC: (sets.CACHES_ALL,),
}
_AT_WORK = (TaskState.PENDING, TaskState.IN_PROGRESS)


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """What was done for a day: the newest cycle of any tasks, and the newest *whole* one, of all tasks.

    The words of the earlier service are about the whole one.
    """

    whole: RunReport | None = None
    newest: RunReport | None = None


def day_status(verdict: SessionVerdict, since: dt.datetime | None, runs: Runs, *, now: dt.datetime) -> DayStatus:
    """Return the report; *since* when the verdict has been what it is."""
    whole, newest = runs.whole, runs.newest
    return DayStatus(
        date=verdict.trading_day,
        started_at=None if whole is None else whole.started_at,
        completed_at=None if whole is None else whole.completed_at,
        duration_seconds=None if whole is None else whole.duration_seconds,
        all_success=verdict.state in (SessionState.PROVISIONAL, SessionState.FINAL),
        tasks={task.value: task_state(task, verdict, newest) for task in ALL_TASKS},
        state=verdict.state,
        condition=verdict.condition,
        summary=words.sentence(verdict, since),
        since=since,
        due_at=verdict.due_at,
        final_at=verdict.final_at,
        last_modified_at=verdict.last_modified_at,
        missing=words.missing_lines(verdict),
        later=words.later_lines(verdict),
        deadlines_missed=words.missed_lines(verdict),
        not_in_plan=list(verdict.not_in_plan),
        data_sets=data_set_reports(verdict.data_sets),
        run=newest,
        updated_at=now,
    )


def data_set_reports(data_sets: Sequence[DataSetVerdict]) -> dict[str, DataSetReport]:
    """Return what readers are told of each data set, by name."""
    return {
        one.data_set: DataSetReport(
            state=one.state,
            condition=one.condition,
            due_at=one.due_at,
            expected=one.expected,
            loaded=one.loaded,
            empty=one.empty,
            unproven=one.unproven,
            missing=one.missing,
            since=one.since,
            later=one.later,
            deadline=one.deadline,
            deadline_missed=one.deadline_missed,
            source=one.source,
            why=one.why,
        )
        for one in data_sets
    }


def task_state(task: TaskName, verdict: SessionVerdict, run: RunReport | None) -> TaskState:
    """Return what a task has brought of the session; while a cycle is at it, how far that is."""
    own = [one for name in SETS_OF[task] if (one := verdict.of(name)) is not None]
    if not own:
        return TaskState.SKIPPED  # this plan never brings it
    if not any(one.lacks for one in own):
        return TaskState.WAITING if any(one.later for one in own) else TaskState.COMPLETED
    if run is not None and run.state is CycleState.RUNNING and run.tasks[task.value] in _AT_WORK:
        return run.tasks[task.value]
    waits = run is not None and run.state is CycleState.WAITING
    pending = all(one.condition is Condition.PENDING for one in own if one.lacks)
    return TaskState.WAITING if waits or pending else TaskState.FAILED
