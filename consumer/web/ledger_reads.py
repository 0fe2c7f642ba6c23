"""The routes that read the ledger: a day and its runs, what sessions hold and lack, dead letters, who did what."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.completeness.sessions import SessionCoverage, Span, sessions_of
from consumer.cycle.publication import read_day_status
from consumer.cycle.run_report import read_run
from consumer.postgres import (
    actions,
    boundaries,
    cycles,
    dead_letters,
    findings,
    letter_causes,
    run_timeline,
    session_conditions,
)
from consumer.postgres.actions import KeptAction
from consumer.postgres.boundaries import Boundary
from consumer.postgres.dead_letters import KeptLetter, Selection
from consumer.postgres.findings import KeptFinding
from consumer.postgres.letter_causes import Cause
from consumer.postgres.pool import Pool
from consumer.verdict.reading import judge_sessions
from consumer.verdict.ruler import Expectations
from consumer.verdict.states import DataSetVerdict
from consumer.web.asked import MOST_ID, MOST_SESSIONS, ActionsAsked, LettersAsked, SpanAsked, read_query
from consumer.web.bodies import BadRequest
from consumer.web.etags import tagged_json
from consumer.web.problems import problem
from consumer.web.routes import Route
from contract.flat_fields import BadField, quote, read_field
from contract.reports import DayStatus, RunReport
from market.calendar_errors import CalendarError
from market.schedule import Schedule

if TYPE_CHECKING:
    from aiohttp import web

    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection
    from consumer.web.monitor import Monitor

RUNS_SHOWN = 20


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle: *kind* is schedule, request or backfill, which is of the sessions *first_day* to *trading_day*."""

    id: int
    kind: str
    occasion: str
    first_day: dt.date | None
    trading_day: dt.date
    report: RunReport


class DayOfRuns(msgspec.Struct, frozen=True, kw_only=True):
    """A session: what stands of it, and the newest runs that were about it, newest first."""

    date: dt.date
    status: DayStatus
    runs: list[Run]


class CoveredLine(DataSetVerdict, frozen=True, kw_only=True):
    """The verdict on one data set of one session, and whether somebody should see to it."""

    trading_day: dt.date
    is_gap: bool


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of `maintenance coverage`, or of `maintenance gaps`, newest first; *gaps*: how many are gaps."""

    count: int
    gaps: int
    sessions: list[CoveredLine]


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters, oldest first, and what of their causes is only counted; *more*: there are others."""

    count: int
    more: bool
    letters: list[KeptLetter]
    causes: list[Cause]


class Boundaries(msgspec.Struct, frozen=True, kw_only=True):
    """The boundaries that wait for a person."""

    count: int
    boundaries: list[Boundary]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What is open against the plausibility of sessions."""

    count: int
    findings: list[KeptFinding]


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """What persons asked for and decided, newest first; *next* is the path of what came before."""

    count: int
    actions: list[KeptAction]
    next: str | None


class _At(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger, as whoever looks at an instant sees it."""

    pool: Pool
    schedule: Schedule
    expectations: Expectations
    now: dt.datetime


class LedgerHandlers:
    """One method a route."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        # Judging years of sessions takes a second of a core: one who asks for it at a time.
        self._turn = asyncio.Lock()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/cycles/{day}", self.day, answer=DayOfRuns, tagged=True),
            Route("GET", "/runs/{id}", self.run, answer=Run, tagged=True),
            Route("GET", "/coverage", self.coverage, SpanAsked, answer=Covered, tagged=True),
            Route("GET", "/gaps", self.gaps, SpanAsked, answer=Covered, tagged=True),
            Route("GET", "/dead-letters", self.letters, LettersAsked, answer=Letters, tagged=True),
            Route("GET", "/findings", self.findings, answer=Findings, tagged=True),
            Route("GET", "/boundaries", self.boundaries, answer=Boundaries, tagged=True),
            Route("GET", "/actions", self.actions, ActionsAsked, answer=Actions, tagged=True),
        ]

    async def day(self, request: web.Request) -> web.Response:
        """What stands of a session, and the runs about it; 404 where there is no session on that day."""
        day, monitor = day_in(request), self._monitor
        now = monitor.now()
        try:
            monitor.calendar.session(day)
        except CalendarError as error:
            return problem(404, str(error))
        async with monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            judged = await judge_sessions(connection, monitor.expectations, now=now, days=[day])
            stored = (await session_conditions.read_conditions(connection, [day])).get(day)
            verdict = judged.verdicts[day]
            since = stored.state_since if stored is not None and stored.state == verdict.state else None
            status = await read_day_status(connection, verdict, since, now=now)
            about = await run_timeline.cycles_about(connection, day, also=[], most=RUNS_SHOWN)
            found = DayOfRuns(date=day, status=status, runs=[await _run(connection, one, now=now) for one in about])
        unclocked = msgspec.structs.replace(found, status=msgspec.structs.replace(status, updated_at=verdict.due_at))
        return tagged_json(request, found, but=msgspec.to_builtins(unclocked))

    async def run(self, request: web.Request) -> web.Response:
        """One run: what it has done so far; 404 where there is none of that number."""
        number = number_in(request)
        async with self._monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            cycle = await cycles.find_cycle(connection, number)
            found = None if cycle is None else await _run(connection, cycle, now=self._monitor.now())
        if found is None:
            return problem(404, f"there is no run {number}: GET /cycles/YYYY-MM-DD lists those of a day")
        return tagged_json(request, found)

    async def coverage(self, request: web.Request) -> web.Response:
        """What every session holds of each data set, as `maintenance coverage` says it."""
        found = await self._sessions(request)
        return tagged_json(request, _covered(found, found))

    async def gaps(self, request: web.Request) -> web.Response:
        """What sessions lack, as `maintenance gaps` says it."""
        found = await self._sessions(request)
        return tagged_json(request, _covered([one for one in found if one.is_gap], found))

    async def letters(self, request: web.Request) -> web.Response:
        """What was given up, as `maintenance dead-letters list` says it."""
        asked = read_query(request, LettersAsked)
        async with self._monitor.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            found = await dead_letters.find(connection, Selection(), settled=asked.settled)
            causes = await letter_causes.read_causes(connection)
        shown = found[: asked.limit]
        return tagged_json(
            request, Letters(count=len(shown), more=len(found) > len(shown), letters=shown, causes=list(causes))
        )

    async def findings(self, request: web.Request) -> web.Response:
        """Which sessions are suspect and why, as `maintenance findings list` says it."""
        found = await findings.find(self._monitor.pool)
        return tagged_json(request, Findings(count=len(found), findings=list(found)))

    async def boundaries(self, request: web.Request) -> web.Response:
        """Where a series may have to be cut, as `maintenance boundary list` says it."""
        found = await boundaries.find(self._monitor.pool, decided=False)
        return tagged_json(request, Boundaries(count=len(found), boundaries=list(found)))

    async def actions(self, request: web.Request) -> web.Response:
        """What persons asked for and decided, with who and why."""
        asked = read_query(request, ActionsAsked)
        found = await actions.find(self._monitor.pool, most=asked.limit + 1, before=asked.before)
        shown = found[: asked.limit]
        following = f"/actions?limit={asked.limit}&before={shown[-1].action_id}" if len(found) > len(shown) else None
        return tagged_json(request, Actions(count=len(shown), actions=shown, next=following))

    async def _sessions(self, request: web.Request) -> list[SessionCoverage]:
        asked, monitor = read_query(request, SpanAsked), self._monitor
        _refuse_wide(asked, monitor)
        at = _At(pool=monitor.pool, schedule=monitor.schedule, expectations=monitor.expectations, now=monitor.now())
        async with self._turn:
            try:
                return await sessions_of(at, Span(first=asked.first, last=asked.to))
            except CalendarError as error:
                raise BadRequest(f"{error}: ask for sessions of the calendar") from error


def day_in(request: web.Request) -> dt.date:
    """The day of the path. Raises BadRequest."""
    try:
        return read_field("day", request.match_info["day"], dt.date)  # type: ignore[no-any-return]
    except BadField as error:
        right = request.path.replace(request.match_info["day"], "2025-11-11")
        raise BadRequest(f"{error}: {request.method} {right}") from error


def number_in(request: web.Request) -> int:
    """The number of the path. Raises BadRequest."""
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 19 and 1 <= int(text) <= MOST_ID):
        raise BadRequest(f"{quote(text)} is no number: write one such as 1")
    return int(text)


def _refuse_wide(asked: SpanAsked, monitor: Monitor) -> None:
    last = asked.to or monitor.calendar.last_completed(monitor.now())
    if asked.first is None:
        return
    if asked.first > last:
        raise BadRequest(f"from={asked.first} is after to={last}: exchange them, or leave one of them out")
    try:
        count = len(monitor.calendar.trading_days(asked.first, last))
    except CalendarError as error:
        raise BadRequest(f"{error}: ask for sessions of the calendar") from error
    if count > MOST_SESSIONS:
        raise BadRequest(f"{count} sessions are too many at once: at most {MOST_SESSIONS}, ask for parts of it")


async def _run(connection: Connection, cycle: Cycle, *, now: dt.datetime) -> Run:
    kind = "backfill" if cycle.first_day is not None else "schedule" if cycle.scheduled else "request"
    return Run(
        id=cycle.cycle_id,
        kind=kind,
        occasion=cycle.occasion,
        first_day=cycle.first_day,
        trading_day=cycle.trading_day,
        report=await read_run(connection, cycle, now=now),
    )


def _covered(shown: list[SessionCoverage], found: list[SessionCoverage]) -> Covered:
    lines = [
        CoveredLine(trading_day=one.trading_day, is_gap=one.is_gap, **msgspec.structs.asdict(one.one)) for one in shown
    ]
    return Covered(count=len(lines), gaps=sum(one.is_gap for one in found), sessions=lines)
