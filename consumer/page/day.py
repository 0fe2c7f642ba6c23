"""Makes the answer on one session: what stands, what ran, who holds what, what it waits for, and what was found."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.checks.pending_work import Held
from consumer.cycle.publication import read_day_status
from consumer.cycle.run_report import read_run
from consumer.page import waits
from consumer.page.calendar import SHOWN, SessionRow, calendar_of
from consumer.page.overview import read_work
from consumer.page.waits import Wait
from consumer.postgres import dead_letters, findings, run_timeline, session_conditions
from consumer.postgres.day_evidence import AsideRow, RestatedRow, restated_of, set_aside_of
from consumer.postgres.dead_letters import KeptLetter, Selection
from consumer.postgres.findings import KeptFinding
from consumer.postgres.run_timeline import PartLine, TaskSpan
from consumer.verdict import words
from consumer.verdict.reading import judge_sessions
from consumer.verdict.states import DataSetVerdict
from contract.reports import CycleState, DayStatus, RunReport

if TYPE_CHECKING:
    from consumer.page.overview import Desk
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection
    from consumer.verdict.states import SessionVerdict
    from consumer.web.monitor import Monitor

RUNS_SHOWN = 8
PARTS_SHOWN = 60
EXAMPLES = 5
_UNENDED = (CycleState.RUNNING, CycleState.WAITING)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle that was about the session: its report, its tasks as a line of time, and the parts that say most."""

    kind: str
    occasion: str
    run_pass: int
    first_day: dt.date | None
    trading_day: dt.date
    report: RunReport
    spans: list[TaskSpan]
    parts: list[PartLine]


class DataSetLine(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a data set, and until when it has time."""

    verdict: DataSetVerdict
    due: str
    deadline: dt.datetime | None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A session, whole. *fillable*: it is over, so that a backfill can be asked for."""

    status: DayStatus
    headline: str
    row: SessionRow
    data_sets: list[DataSetLine]
    runs: list[Run]
    waits: list[Wait]
    held: list[Held]
    restated: list[RestatedRow]
    set_aside: list[AsideRow]
    findings: list[KeptFinding]
    letters: list[KeptLetter]
    fillable: bool


async def read_day(monitor: Monitor, desk: Desk, day: dt.date) -> Day:
    """Read it at one instant. Raises CalendarError where *day* is no session."""
    monitor.calendar.session(day)
    now = monitor.now()
    held = await _held(desk, day)
    async with monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        judged = await judge_sessions(connection, monitor.expectations, now=now, days=[day])
        verdict = judged.verdicts[day]
        # Of an older session also those that brought what stands: each night brings what its window lacks.
        brought = {one.cycle for one in verdict.data_sets if one.cycle is not None}
        about = await run_timeline.cycles_about(connection, day, also=sorted(brought), most=RUNS_SHOWN)
        runs = [await _run(connection, one, now=now) for one in about]
        waiting = [wait for one, run in zip(about, runs, strict=True) for wait in await _waits(connection, one, run)]
        letters = await dead_letters.find(connection, Selection())
        status = await _status(connection, verdict, now=now)
        return Day(
            status=status,
            headline=words.sentence(verdict, status.since, reasons=False),
            row=calendar_of(judged, [day], await read_work(connection, judged, [day])).sessions[0],
            data_sets=[_line(one, day) for one in verdict.data_sets],
            runs=runs,
            waits=[*waiting, *waits.of_holders(held), *waits.of_time(verdict, judged.ruler)],
            held=held,
            restated=await restated_of(connection, day, examples=EXAMPLES),
            set_aside=await set_aside_of(connection, day, examples=EXAMPLES),
            findings=[kept for one in SHOWN for kept in await findings.of_session(connection, one.name, day)],
            letters=[one for one in letters if one.trading_day == day][-RUNS_SHOWN:],
            fillable=day <= judged.ruler.front,
        )


async def _held(desk: Desk, day: dt.date) -> list[Held]:
    pending = await desk.pending()
    return [] if pending is None else [one for one in pending.held if one.work.trading_day == day]


async def _status(connection: Connection, verdict: SessionVerdict, *, now: dt.datetime) -> DayStatus:
    """What `maintenance status` would say of the day, were it the newest."""
    day = verdict.trading_day
    stored = (await session_conditions.read_conditions(connection, [day])).get(day)
    since = stored.state_since if stored is not None and stored.state == verdict.state else None
    return await read_day_status(connection, verdict, since, now=now)


async def _run(connection: Connection, cycle: Cycle, *, now: dt.datetime) -> Run:
    kind = "backfill" if cycle.first_day is not None else "schedule" if cycle.scheduled else "request"
    return Run(
        kind=kind,
        occasion=cycle.occasion,
        run_pass=cycle.run_pass,
        first_day=cycle.first_day,
        trading_day=cycle.trading_day,
        report=await read_run(connection, cycle, now=now),
        spans=await run_timeline.spans_of(connection, cycle),
        parts=await run_timeline.parts_to_tell(connection, cycle, most=PARTS_SHOWN),
    )


async def _waits(connection: Connection, cycle: Cycle, run: Run) -> list[Wait]:
    if cycle.state not in _UNENDED:
        return []
    return list(waits.of_run(run.report, await run_timeline.blocked_of(connection, cycle)))


def _line(one: DataSetVerdict, day: dt.date) -> DataSetLine:
    return DataSetLine(verdict=one, due=words.new_york(one.due_at, day), deadline=one.deadline)
