"""Says until when each data set of a session has to be there, and whether it has missed that.

Pure. Each due time of the session's own has a deadline, in New York's hours and by the plan: what the plan brings next
morning is not late tonight. What falls due at a later due time has to be fetched again since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS
from consumer.data_sets.declaration import Covers
from consumer.postgres.missed_deadlines import MissedDeadline
from consumer.verdict.states import LACKING, DataSetVerdict, SessionVerdict

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from consumer.verdict.ruler import Ruler

#: Each symbol has a phase of its own: being there is enough.
BY_PHASES = frozenset(one.name for one in DATA_SETS if one.covers is Covers.SYMBOL)


def with_deadline(one: DataSetVerdict, ruler: Ruler, day: dt.date) -> DataSetVerdict:
    """Return it with the deadline of its oldest due time that is not served; where all are, of the newest."""
    occurrences = [occurrence.due_at for occurrence in ruler.schedule.occurrences(day)]
    due = [due_at for due_at in occurrences if due_at <= ruler.now] or occurrences[:1]
    unserved = [due_at for due_at in due if not _serves(one, due_at)]
    due_at = max(unserved[0] if unserved else due[-1], one.due_at)
    deadline = ruler.deadline(due_at, day)
    missed = bool(unserved) and not one.later and not one.beside and ruler.now > deadline
    return msgspec.structs.replace(one, asked_at=due_at, deadline=deadline, deadline_missed=missed)


def _serves(one: DataSetVerdict, due_at: dt.datetime) -> bool:
    """What the plan brings after *due_at* serves it by being there: nothing more could be had then."""
    if one.state in LACKING:
        return False
    if one.data_set in BY_PHASES or one.retired or due_at < one.due_at:
        return True
    return one.since is not None and one.since >= due_at


def missed_deadlines(verdicts: Iterable[SessionVerdict]) -> list[MissedDeadline]:
    """Return what of *verdicts* has missed its deadline, newest session first, each in the verdict's order."""
    return [
        MissedDeadline(
            trading_day=verdict.trading_day,
            data_set=one.data_set,
            due_at=one.asked_at,
            deadline=one.deadline,
            why=one.why,
        )
        for verdict in sorted(verdicts, key=lambda verdict: verdict.trading_day, reverse=True)
        for one in verdict.data_sets
        if one.deadline_missed and one.asked_at is not None and one.deadline is not None
    ]


def has_come(verdicts: Mapping[dt.date, SessionVerdict], missed: MissedDeadline) -> bool:
    """Whether what was *missed* is there by now: not where the plan, a deadline or retention ended the waiting."""
    verdict = verdicts.get(missed.trading_day)
    one = None if verdict is None else verdict.of(missed.data_set)
    if one is None or one.retired or one.deadline_missed:
        return False
    return _serves(one, missed.due_at)
