"""Says whether the newest due time is served, is being served in time, or is late: what `status` exits by.

Pure. Served: all that the plan gives by now is whole, and none of it older than the due time.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from consumer.verdict.deadlines import BY_PHASES
from consumer.verdict.states import WHOLE, DataSetVerdict, SessionState, SessionVerdict

if TYPE_CHECKING:
    from consumer.verdict.ruler import Ruler

#: How long after a due time its cycle may take to be opened: one look of the catch-up, and some more.
OPENING_GRACE = dt.timedelta(minutes=2)


class Service(StrEnum):
    """How the newest due time stands."""

    SERVED = "served"
    UNDER_WAY = "under_way"  # a cycle is at it, and its deadline is still to come
    SUSPECT = "suspect"  # served, but somebody has to look at the data
    LATE = "late"


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """The newest due time, and how it is served."""

    service: Service
    trading_day: dt.date
    rule: str
    due_at: dt.datetime
    deadline: dt.datetime
    deadline_missed: bool = False

    @property
    def is_fine(self) -> bool:
        return self.service in (Service.SERVED, Service.UNDER_WAY)


def serving(verdict: SessionVerdict, ruler: Ruler, *, worked_on: bool) -> Serving:
    """Judge the newest due time by *verdict*, that of its session; *worked_on*: a cycle of all tasks runs or waits.

    What the plan brings later than the schedule asks for it has a due time, and a deadline, of its own.
    """
    due = ruler.schedule.latest_due(ruler.now)
    unserved = [one for one in verdict.data_sets if not _is_served(one, due.due_at)]
    due_at = max([due.due_at, *(one.due_at for one in unserved)])
    deadline = ruler.deadline(due_at, due.trading_day)
    if not unserved and verdict.is_whole:
        service = Service.SUSPECT if verdict.state is SessionState.SUSPECT else Service.SERVED
    elif (worked_on or ruler.now < due_at + OPENING_GRACE) and ruler.now <= deadline and not verdict.missed:
        service = Service.UNDER_WAY
    else:
        service = Service.LATE
    return Serving(
        service=service,
        trading_day=due.trading_day,
        rule=due.rule.text,
        due_at=due.due_at,
        deadline=deadline,
        deadline_missed=bool(verdict.missed),
    )


def _is_served(one: DataSetVerdict, due_at: dt.datetime) -> bool:
    """Details have a phase of their own, a ticker a day of the month: being there is enough."""
    if one.later or one.beside:
        return True
    fresh = one.data_set in BY_PHASES or (one.since is not None and one.since >= due_at)
    return one.state in WHOLE and fresh
