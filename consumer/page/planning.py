"""Makes the forecasts of the page, and asks for a backfill that was forecast: by the plan that the commands ask."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.completeness.backfill import Backfill, expected_of, forecast_words, gap_lines, refusal
from consumer.completeness.forecast import Forecast, forecast
from consumer.completeness.planner import Planner
from consumer.cycle.run_report import human_duration
from consumer.postgres import run_figures
from consumer.postgres.run_figures import Within
from consumer.postgres.source_stamp import read_stamp
from consumer.runtime import connect_blocking_redis
from consumer.vendors import BudgetState, budget_state, flat_file_store
from consumer.web.health import AWAY
from contract.messages import TaskName
from market.calendar_errors import CalendarError
from market.data_source import VENDOR
from market.trading_calendar import NEW_YORK
from producers.trigger import request_backfill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumer.page.signed import AskedBackfill
    from consumer.settings import Settings
    from consumer.web.monitor import Monitor


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill of *first* to *last* would touch and cost. *parts*, by task, are sent back to ask for just that.

    *command* does the same from a terminal.
    """

    first: dt.date
    last: dt.date
    task: TaskName
    sessions: int
    gaps: list[str]
    forecast: Forecast
    words: str
    parts: dict[str, int]
    command: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The stream entry that asks for it."""

    entry_id: str
    first: dt.date
    last: dt.date


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of the vendor, what is being asked, what the next cycle will ask, and what this month has.

    *limits* in words; *state* as Redis has it, None where it does not answer or no requests are counted; *tonight* is
    the forecast of `maintenance plan`; *by_endpoint* sums the cycles opened since the month began in New York.
    """

    limits: str
    state: BudgetState | None
    tonight: Forecast | None
    tonight_words: str
    due_at: dt.datetime | None
    rule: str | None
    month_since: dt.date
    by_endpoint: dict[str, int]
    total: int


class NoSuchBackfill(Exception):
    """There is nothing to be filled there; the text says why."""


class OtherByNow(Exception):
    """The forecast that was shown is not what would be done any more; the text says what would."""


@contextlib.asynccontextmanager
async def _planner(monitor: Monitor, settings: Settings) -> AsyncIterator[Planner]:
    assert settings.redis_url is not None, "the service has a Redis"
    source = await read_stamp(monitor.pool) or VENDOR
    with connect_blocking_redis(settings.redis_url) as cache:
        yield Planner(
            pool=monitor.pool,
            redis=monitor.redis,
            settings=settings,
            schedule=monitor.schedule,
            cache=cache,
            now=monitor.now(),
            source=source,
            flat_files=flat_file_store(settings, source),
        )


async def offer(monitor: Monitor, settings: Settings, wanted: Backfill) -> Offer:
    """Say what the backfill would do. Raises NoSuchBackfill, CalendarError."""
    if (refused := refusal(monitor.schedule, wanted, now=monitor.now())) is not None:
        raise NoSuchBackfill(refused.replace("--", ""))
    async with _planner(monitor, settings) as plan:
        expected = await expected_of(plan, wanted)
    first, last = expected.sessions[0], expected.sessions[-1]
    task = "" if wanted.task is TaskName.CYCLE else f" --task {wanted.task}"
    return Offer(
        first=first,
        last=last,
        task=wanted.task,
        sessions=len(expected.sessions),
        gaps=gap_lines(expected.gaps),
        forecast=expected.forecast,
        words=forecast_words(expected.forecast),
        parts=expected.forecast.parts,
        command=f"maintenance backfill --from {first} --to {last}{task}",
    )


async def ask(monitor: Monitor, settings: Settings, asked: AskedBackfill) -> Accepted:
    """Ask for it, if it is still what was shown. Raises NoSuchBackfill, OtherByNow, CalendarError."""
    now = await offer(monitor, settings, Backfill(first=asked.first, last=asked.last, task=asked.task))
    if not now.parts:
        raise OtherByNow("nothing is left to be filled there")
    if now.parts != asked.parts:
        raise OtherByNow(f"the plan is another one by now: {now.words}")
    entry_id = await request_backfill(
        monitor.redis, now.first, now.last, task=asked.task, requested_by=asked.requested_by
    )
    return Accepted(entry_id=entry_id, first=now.first, last=now.last)


async def budget(monitor: Monitor, settings: Settings) -> Budget:
    """Say what may be asked, and what is and will be."""
    now = monitor.now()
    since = now.astimezone(NEW_YORK).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    try:
        due = monitor.schedule.next_due(now)
    except CalendarError:
        due = None
    async with _planner(monitor, settings) as plan:
        tonight = None
        if due is not None:
            tonight = await forecast(plan.context(due.trading_day, now=due.due_at), plan.pace)
        limits = _limits(plan)
        state = await _state(plan)
    async with monitor.pool.acquire() as connection:
        asked = await run_figures.requests_within(connection, Within(since=since, until=now + dt.timedelta(days=1)))
    return Budget(
        limits=limits,
        state=state,
        tonight=tonight,
        tonight_words="no due time is known" if tonight is None else forecast_words(tonight),
        due_at=None if due is None else due.due_at,
        rule=None if due is None else due.rule.text,
        month_since=since.date(),
        by_endpoint=asked,
        total=sum(asked.values()),
    )


async def _state(plan: Planner) -> BudgetState | None:
    try:
        return await budget_state(plan.settings, plan.redis, plan.source)
    except AWAY:
        return None


def _limits(plan: Planner) -> str:
    pace = plan.pace
    told = [(pace.per_second, "second"), (pace.per_minute, "minute")]
    limits = [f"{count:,} requests a {unit}" for count, unit in told if count is not None]
    if not limits:
        return "no limit is set: requests go out as fast as they are answered"
    return f"{' and '.join(limits)}: 1,000 requests take at least {human_duration(pace.seconds(1000))}"
