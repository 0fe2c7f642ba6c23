"""Says of a backfill what it would touch and cost, or why it cannot be; surfaces ask for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import BY_NAME
from consumer.completeness.forecast import Forecast, forecast
from consumer.completeness.sessions import SessionCoverage, Span, sessions_of
from consumer.cycle.opening import BACKFILL_TASKS, LONGEST_BACKFILL
from consumer.cycle.run_report import human_duration
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.completeness.planner import Planner
    from market.schedule import Schedule


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that are to be filled, and by which task; `cycle` is all that have a past."""

    first: dt.date
    last: dt.date
    task: TaskName = TaskName.CYCLE

    @property
    def tasks(self) -> tuple[TaskName, ...]:
        return BACKFILL_TASKS if self.task is TaskName.CYCLE else (self.task,)


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill would do: the sessions of its span, what they lack, and what bringing that would cost."""

    sessions: tuple[dt.date, ...]
    gaps: list[SessionCoverage]
    forecast: Forecast


def refusal(schedule: Schedule, wanted: Backfill, *, now: dt.datetime) -> str | None:
    """Why there is no such backfill, in the words of the command's flags. Raises CalendarError."""
    if wanted.task is not TaskName.CYCLE and wanted.task not in BACKFILL_TASKS:
        return f"--task {wanted.task.value} has no past to fill: use ohlc_daily, volume_slots or cycle"
    completed = schedule.calendar.last_completed(now)
    if wanted.last > completed:
        return f"--to {wanted.last} is not over yet: {completed} is the last completed session"
    sessions = schedule.calendar.trading_days(wanted.first, wanted.last)
    if not sessions:
        return f"no session from {wanted.first} to {wanted.last}: give the earlier day to --from"
    if len(sessions) > LONGEST_BACKFILL:
        return f"{len(sessions)} sessions are too many at once: at most {LONGEST_BACKFILL}, ask for parts of it"
    return None


async def expected_of(plan: Planner, wanted: Backfill) -> Expected:
    """Look at the sessions and ask the plan; nothing is asked of anybody."""
    sessions = plan.schedule.calendar.trading_days(wanted.first, wanted.last)
    found = await sessions_of(plan, Span(first=sessions[0], last=sessions[-1]))
    gaps = [one for one in found if one.is_gap and BY_NAME[one.one.data_set].task in wanted.tasks]
    names = [task.value for task in wanted.tasks]
    cost = await forecast(plan.context(sessions[-1], first_day=sessions[0], tasks=names), plan.pace)
    return Expected(sessions=sessions, gaps=gaps, forecast=cost)


def gap_lines(gaps: list[SessionCoverage]) -> list[str]:
    """A line for each gap."""
    return [
        f"{gap.trading_day} {gap.one.data_set}: {gap.one.state.value}"
        + (f", {gap.one.missing:,} missing" if gap.one.missing else "")
        for gap in gaps
    ]


def forecast_words(expected: Forecast) -> str:
    """Say what a forecast means for a person."""
    if not expected.requests:
        return "0 requests: nothing to fetch"
    each = ", ".join(f"{count:,} {name}" for name, count in expected.requests.items())
    time = f", at least {human_duration(expected.seconds_by_budget)} by the request budget"
    assumed = "".join(f"\n  assuming {line}" for line in expected.assumes)
    return f"{expected.total:,} requests ({each}){time if expected.seconds_by_budget else ''}{assumed}"
