"""`maintenance backfill`: forecasts what a span of sessions lacks and costs, then has exactly that repaired.

It runs behind all other work: the day's own cycle suspends it, and it goes on afterwards.
"""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from consumer.catalogue.registry import BY_NAME
from consumer.completeness.forecast import Forecast, forecast
from consumer.cycle.opening import BACKFILL_TASKS, LONGEST_BACKFILL
from consumer.cycle.run_report import human_duration
from consumer.terminal.coverage import Span, sessions_of
from consumer.terminal.planner import Planner, planner
from consumer.terminal.refused import usage
from contract.messages import TaskName
from market.calendar_errors import CalendarError
from process.exit_codes import ExitCode
from producers.trigger import request_backfill

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.terminal.coverage import SessionCoverage


class BackfillRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `maintenance backfill`."""

    first: dt.date
    last: dt.date
    task: TaskName
    dry_run: bool


async def run(settings: Settings, request: BackfillRequest) -> int:
    """Say what would be done; without a dry run, ask for it and print the stream entry. Raises CommandRefused."""
    try:
        async with planner(settings, look=request.dry_run) as plan:
            if (refusal := _refusal(plan, request)) is not None:
                raise usage(refusal)
            return await _forecast_and_ask(plan, request)
    except CalendarError as error:
        raise usage(error) from error


def _refusal(plan: Planner, request: BackfillRequest) -> str | None:
    if request.task is not TaskName.CYCLE and request.task not in BACKFILL_TASKS:
        return f"--task {request.task.value} has no past to fill: use ohlc_daily, volume_slots or cycle"
    completed = plan.schedule.calendar.last_completed(plan.now)
    if request.last > completed:
        return f"--to {request.last} is not over yet: {completed} is the last completed session"
    sessions = plan.schedule.calendar.trading_days(request.first, request.last)
    if not sessions:
        return f"no session from {request.first} to {request.last}: give the earlier day to --from"
    if len(sessions) > LONGEST_BACKFILL:
        return f"{len(sessions)} sessions are too many at once: at most {LONGEST_BACKFILL}, ask for parts of it"
    return None


async def _forecast_and_ask(plan: Planner, request: BackfillRequest) -> int:
    console = Console(stderr=True)
    tasks = BACKFILL_TASKS if request.task is TaskName.CYCLE else (request.task,)
    names = [task.value for task in tasks]
    sessions = plan.schedule.calendar.trading_days(request.first, request.last)
    found = await sessions_of(plan, Span(first=sessions[0], last=sessions[-1]))
    gaps = [one for one in found if one.is_gap and BY_NAME[one.one.data_set].task in tasks]
    expected = await forecast(plan.context(sessions[-1], first_day=sessions[0], tasks=names), plan.pace)
    console.print(_gap_words(gaps), highlight=False)
    console.print(forecast_words(expected), highlight=False)
    if request.dry_run or not expected.parts:
        return ExitCode.OK
    entry_id = await request_backfill(
        plan.reached.redis, sessions[0], sessions[-1], task=request.task, requested_by="maintenance backfill"
    )
    sys.stdout.write(f"{entry_id}\n")
    return ExitCode.OK


def _gap_words(gaps: list[SessionCoverage]) -> str:
    if not gaps:
        return "no gaps"
    return "\n".join(
        f"{gap.trading_day} {gap.one.data_set}: {gap.one.state.value}"
        + (f", {gap.one.missing:,} missing" if gap.one.missing else "")
        for gap in gaps
    )


def forecast_words(expected: Forecast) -> str:
    """Say what a forecast means for a person."""
    if not expected.requests:
        return "0 requests: nothing to fetch"
    each = ", ".join(f"{count:,} {name}" for name, count in expected.requests.items())
    time = f", at least {human_duration(expected.seconds_by_budget)} by the request budget"
    assumed = "".join(f"\n  assuming {line}" for line in expected.assumes)
    return f"{expected.total:,} requests ({each}){time if expected.seconds_by_budget else ''}{assumed}"
