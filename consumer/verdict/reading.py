"""Reads what stands in one go and judges every session of the window by it.

The one way from the ledger to a verdict: commands, HTTP, reports and the catch-up all take it, so none of them can say
another thing than the others.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.asking import wanted_of_sessions
from consumer.postgres import coverage
from consumer.postgres.holdings import Holdings
from consumer.postgres.holdings_reader import read_holdings
from consumer.verdict import service
from consumer.verdict.judge import judge, ruler_of
from consumer.verdict.ruler import Expectations, Ruler
from consumer.verdict.states import SessionState, SessionVerdict
from contract import data_sets as sets
from contract.messages import ALL_TASKS
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool
    from consumer.verdict.service import Serving


#: A deadline is kept up to its last instant.
JUST_AFTER = dt.timedelta(microseconds=1)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts on some sessions, by day, and what they were judged by."""

    verdicts: dict[dt.date, SessionVerdict]
    holdings: Holdings
    ruler: Ruler

    @property
    def last_run(self) -> dt.date | None:
        """The newest session that is provisional, final or suspect."""
        return max((day for day, one in self.verdicts.items() if one.is_whole), default=None)

    @property
    def last_final(self) -> dt.date | None:
        return max((day for day, one in self.verdicts.items() if one.state is SessionState.FINAL), default=None)

    @property
    def serving(self) -> Serving:
        """How the newest due time stands."""
        due = self.ruler.schedule.latest_due(self.ruler.now)
        whole = frozenset(task.value for task in ALL_TASKS)
        worked_on = any(
            other.first_day is None and other.trading_day >= due.trading_day and whole <= set(other.tasks)
            for other in self.holdings.unended
        )
        verdict = self.verdicts.get(due.trading_day) or judge(due.trading_day, self.holdings, self.ruler)
        return service.serving(verdict, self.ruler, worked_on=worked_on)

    @property
    def _deadlines(self) -> list[dt.datetime]:
        """Those to come; the instant after one is the first at which it is missed."""
        found = (one.deadline for verdict in self.verdicts.values() for one in verdict.data_sets)
        return [deadline + JUST_AFTER for deadline in found if deadline is not None]

    @property
    def next_change_at(self) -> dt.datetime | None:
        """When the first of these verdicts becomes another one though nothing is loaded meanwhile."""
        now = self.ruler.now
        dues = [one.due_at for verdict in self.verdicts.values() for one in verdict.data_sets]
        turns = [*dues, *(due_at + self.ruler.expectations.deadline for due_at in dues), *self._deadlines]
        return min((turn for turn in turns if turn > now), default=None)


async def judge_sessions(
    connection: Connection,
    expectations: Expectations,
    *,
    now: dt.datetime,
    days: Sequence[dt.date],
    every_set: bool = False,
) -> Judged:
    """Judge the sessions of *days*; with *every_set* as if slots were kept of any day.

    Wants a repeatable-read transaction, so that a verdict is of one instant.
    """
    holdings = await read_holdings(connection, wanted_of_sessions(days))
    ruler = ruler_of(holdings, expectations, now)
    verdicts = {day: judge(day, holdings, ruler, every_set=every_set) for day in days}
    return Judged(verdicts=verdicts, holdings=holdings, ruler=ruler)


async def judge_window(
    connection: Connection, expectations: Expectations, *, now: dt.datetime, also: Sequence[dt.date] = ()
) -> Judged:
    """Judge the sessions of the window and *also*; where none of them is whole and final, those before it too.

    Nobody may have been at work for a quarter: the newest whole session is still the newest whole session.
    """
    own = window(expectations, now)
    judged = await judge_sessions(connection, expectations, now=now, days=sorted({*own, *also}))
    known = [judged.verdicts[day] for day in own]
    if any(one.is_whole for one in known) and any(one.state is SessionState.FINAL for one in known):
        return judged
    before = await coverage.days_before(connection, sets.DAILY_BARS, own[0], most=expectations.ohlc_sessions)
    older = await judge_sessions(connection, expectations, now=now, days=before)
    return msgspec.structs.replace(judged, verdicts={**older.verdicts, **judged.verdicts})


async def judge_day(pool: Pool, expectations: Expectations, day: dt.date, *, now: dt.datetime) -> SessionVerdict:
    """Judge one session as it stands now."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        judged = await judge_sessions(connection, expectations, now=now, days=[day])
    return judged.verdicts[day]


def window(expectations: Expectations, now: dt.datetime) -> tuple[dt.date, ...]:
    """Return the sessions of which bars are kept, up to the one that is in progress, ascending."""
    calendar = expectations.schedule.calendar
    front = calendar.last_completed(now)
    today = now.astimezone(NEW_YORK).date()
    ahead = (today,) if today > front and calendar.is_trading_day(today) else ()
    return (*calendar.last_trading_days(expectations.ohlc_sessions, up_to=front), *ahead)
