"""Says what every session of a span holds of each data set, and which of it somebody should see to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS
from consumer.postgres import coverage
from consumer.verdict.gaps import is_gap
from consumer.verdict.reading import judge_sessions
from consumer.verdict.states import DataSetVerdict
from contract import data_sets as sets

if TYPE_CHECKING:
    from consumer.completeness.planner import Planner
    from consumer.postgres.pool import Connection


class SessionCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One data set of one session, and whether somebody should see to it."""

    trading_day: dt.date
    one: DataSetVerdict
    is_gap: bool


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions asked for; None: from where the data begins, to the last completed day."""

    first: dt.date | None
    last: dt.date | None


async def sessions_of(plan: Planner, span: Span) -> list[SessionCoverage]:
    """Return what every session of *span* has, newest first; by default each data set from where it is kept."""
    calendar = plan.schedule.calendar
    last = span.last or calendar.last_completed(plan.now)
    async with plan.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        first = span.first or await _kept_since(connection, plan, last)
        judged = await judge_sessions(
            connection,
            plan.expectations,
            now=plan.now,
            days=calendar.trading_days(first, last),
            every_set=span.first is not None,
        )
    found = []
    for day in sorted(judged.verdicts, reverse=True):
        verdict = judged.verdicts[day]
        for one in (verdict.of(each.name) for each in reversed(DATA_SETS) if each.is_of_sessions):
            if one is not None and (span.first is not None or judged.ruler.kept(one.data_set, day)):
                found.append(SessionCoverage(trading_day=day, one=one, is_gap=is_gap(one, verdict, judged.ruler)))
    return found


async def _kept_since(connection: Connection, plan: Planner, last: dt.date) -> dt.date:
    """The first session of the window, or the oldest one that is stored."""
    window = plan.schedule.calendar.last_trading_days(plan.expectations.ohlc_sessions, up_to=last)[0]
    oldest = await coverage.first_covered(connection, sets.DAILY_BARS)
    return window if oldest is None else min(window, oldest)
