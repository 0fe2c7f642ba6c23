"""Lays the verdicts out as a table of sessions by data set, with what is being done about each cell.  Pure.

What is queued or running is never shown as what it will be: a cell says what stands and, first, what is being done.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import BY_NAME, DATA_SETS
from consumer.postgres.cycles import Cycle
from consumer.postgres.run_timeline import OpenWork
from consumer.verdict import words
from consumer.verdict.gaps import is_behind, is_gap
from consumer.verdict.states import DataSetVerdict, SessionState, SessionVerdict
from contract import data_sets as sets
from contract.messages import TaskName
from contract.reports import CycleState
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.verdict.reading import Judged
    from consumer.verdict.ruler import Ruler
    from market.trading_calendar import TradingCalendar


class Doing(StrEnum):
    """What is being done about a cell."""

    RUNNING = "running"
    QUEUED = "queued"  # planned and not begun, or the cycle waits for its next pass


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A data set of the table, and what it is."""

    name: str
    meaning: str


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One data set of one session. *late*: its deadline is over and it is not there.

    *due*: by when it is expected, while that is still to come. *backfilled*: a backfill brought what stands.
    """

    data_set: str
    state: SessionState
    doing: Doing | None = None
    late: bool = False
    due: str | None = None
    is_gap: bool = False
    outdated: bool = False
    backfilled: bool = False
    beside: bool = False
    counted: str | None = None
    why: str | None = None


class SessionRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session in all, and a cell for each data set that is judged of it."""

    trading_day: dt.date
    state: SessionState
    sentence: str
    closes: str
    early_close: bool = False
    in_progress: bool = False
    doing: Doing | None = None
    late: bool = False
    is_gap: bool = False
    cells: tuple[Cell, ...] = ()


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A weekday on which the exchange was or will be shut, and why."""

    day: dt.date
    reason: str


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions, newest first; *before*: the day to ask for to see older ones."""

    columns: tuple[Column, ...]
    sessions: tuple[SessionRow, ...]
    closed: tuple[Closed, ...]
    before: dt.date | None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is under way: the cycles that have not ended, their open parts, and which past cycles were backfills."""

    cycles: tuple[Cycle, ...] = ()
    open: tuple[OpenWork, ...] = ()
    backfills: frozenset[int] = frozenset()


SHOWN = tuple(one for one in DATA_SETS if one.in_verdict and one.is_of_sessions)
#: What has no rows of its own a session: lists, details, figures, caches.
OTHERS = "others"
CLOSURES_AHEAD = dt.timedelta(days=7)
COLUMNS = (
    *(Column(name=one.name, meaning=one.meaning) for one in SHOWN),
    Column(name=OTHERS, meaning="lists, details, figures and caches as of the session"),
)


def calendar_of(judged: Judged, days: Sequence[dt.date], work: Work) -> Calendar:
    """Return the table of *days*, which were judged."""
    ruler = judged.ruler
    rows = [_row(judged.verdicts[day], ruler, work) for day in sorted(days, reverse=True)]
    calendar = ruler.schedule.calendar
    first = min(days)
    return Calendar(
        columns=COLUMNS,
        sessions=tuple(rows),
        closed=tuple(_closures(calendar, first, max(days) + CLOSURES_AHEAD)),
        before=calendar.previous_trading_day(first) if first > calendar.FIRST_DAY + CLOSURES_AHEAD else None,
    )


def under_way(table: Calendar) -> dict[tuple[dt.date, str], Doing]:
    """Return what is being done, by session and column."""
    return {
        (row.trading_day, cell.data_set): cell.doing
        for row in table.sessions
        for cell in row.cells
        if cell.doing is not None
    }


def _closures(calendar: TradingCalendar, first: dt.date, last: dt.date) -> Iterable[Closed]:
    day = min(last, calendar.LAST_DAY)
    while day >= first:
        reason = calendar.closure_name(day)
        if reason is not None and day.weekday() < 5:
            yield Closed(day=day, reason=reason)
        day -= dt.timedelta(days=1)


def _row(verdict: SessionVerdict, ruler: Ruler, work: Work) -> SessionRow:
    shown = {one.name for one in SHOWN}
    cells = [_cell(one, verdict, ruler, work) for one in verdict.data_sets if one.data_set in shown]
    others = [_cell(one, verdict, ruler, work) for one in verdict.data_sets if one.data_set not in shown]
    if others:
        cells.append(_summed(others))
    session = ruler.schedule.calendar.session(verdict.trading_day)
    doing = [cell.doing for cell in (*cells, *others) if cell.doing is not None and not cell.beside]
    return SessionRow(
        trading_day=verdict.trading_day,
        state=verdict.state,
        sentence=words.sentence(verdict),
        closes=f"{session.closes_at.astimezone(NEW_YORK):%H:%M} ET",
        early_close=session.early_close,
        in_progress=ruler.now < session.closes_at,
        doing=Doing.RUNNING if Doing.RUNNING in doing else Doing.QUEUED if doing else None,
        late=any(cell.late for cell in cells),
        is_gap=is_behind(verdict, ruler),
        cells=tuple(cells),
    )


def _cell(one: DataSetVerdict, verdict: SessionVerdict, ruler: Ruler, work: Work) -> Cell:
    day = verdict.trading_day
    due = words.new_york(one.due_at, day) if ruler.now < one.due_at or one.later else None
    return Cell(
        data_set=one.data_set,
        state=one.state,
        doing=_doing(one, day, work),
        late=one.deadline_missed,
        due=due if one.state in _UNTIL_DUE else None,
        is_gap=is_gap(one, verdict, ruler),
        outdated=one.outdated,
        backfilled=one.cycle in work.backfills,
        beside=one.beside,
        counted=_counted(one),
        why=one.why,
    )


_UNTIL_DUE = (SessionState.MISSING, SessionState.PARTIAL)
#: The worst of several cells first.
_WORST = (
    SessionState.MISSING,
    SessionState.PARTIAL,
    SessionState.SUSPECT,
    SessionState.PROVISIONAL,
    SessionState.RETIRED,
    SessionState.FINAL,
)


def _summed(cells: Sequence[Cell]) -> Cell:
    """What has no rows of its own a session, in one cell: as the worst of them; missing only where all are."""
    states = {cell.state for cell in cells}
    worst = next(state for state in _WORST if state in states)
    if worst is SessionState.MISSING and len(states) > 1:
        worst = SessionState.PARTIAL
    lacking = [cell for cell in cells if cell.state in _UNTIL_DUE]
    dues = [cell.due for cell in lacking if cell.due is not None]
    doing = [cell.doing for cell in cells if cell.doing is not None]
    return Cell(
        data_set=OTHERS,
        state=worst,
        doing=Doing.RUNNING if Doing.RUNNING in doing else Doing.QUEUED if doing else None,
        late=any(cell.late for cell in cells),
        due=dues[-1] if dues and len(dues) == len(lacking) else None,
        is_gap=any(cell.is_gap for cell in cells),
        outdated=any(cell.outdated for cell in cells),
        counted=", ".join(cell.data_set for cell in lacking) or None,
        why="; ".join(f"{cell.data_set}: {cell.why}" for cell in lacking if cell.why) or None,
    )


def _counted(one: DataSetVerdict) -> str | None:
    if one.state is SessionState.PARTIAL and one.expected:
        return f"{one.loaded + one.empty:,} of {one.expected:,}"
    return None


def _doing(one: DataSetVerdict, day: dt.date, work: Work) -> Doing | None:
    """By the parts that name the session; else by those of a cycle that is for it, where it lacks or is not final."""
    task = _task_of(one.data_set)
    named = [each for each in work.open if each.task == task and each.about == day]
    if named and one.data_set in _BY_SESSION:
        return Doing.RUNNING if any(each.running for each in named) else Doing.QUEUED
    if one.state is SessionState.RETIRED or (one.state is SessionState.FINAL and not one.outdated):
        return None
    return next((found for cycle in work.cycles if (found := _by_cycle(cycle, one, day, work)) is not None), None)


def _by_cycle(cycle: Cycle, one: DataSetVerdict, day: dt.date, work: Work) -> Doing | None:
    task = _task_of(one.data_set)
    own = day == cycle.trading_day if cycle.first_day is None else cycle.first_day <= day <= cycle.trading_day
    if task not in cycle.tasks or not own:
        return None
    parts = [each for each in work.open if each.cycle_id == cycle.cycle_id and each.task == task and not each.about]
    if cycle.state is CycleState.WAITING:
        return Doing.QUEUED
    if any(each.running for each in parts):
        return Doing.RUNNING
    planned = any(each.cycle_id == cycle.cycle_id and each.task == TaskName.CYCLE for each in work.open)
    # Before it is planned, and while only its end is left, what lacks of it is still to come.
    return Doing.QUEUED if parts or planned else None


#: Whose parts name the session that they are about.
_BY_SESSION = frozenset(one.name for one in SHOWN if one.is_asked_for and one.piecemeal is None)


def _task_of(data_set: str) -> str:
    return TaskName.REDIS_SYNC.value if data_set == sets.CACHES_ALL else BY_NAME[data_set].task.value
