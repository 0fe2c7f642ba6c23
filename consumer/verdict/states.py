"""Names what a session's data can be, and holds one verdict: of a data set, and of the session in all.

The verdict belongs to the session's data. What a run did about them is a run's (`cycle`, `part`).
"""

from __future__ import annotations

import datetime as dt

import msgspec

from contract.reports import Condition, SessionState

__all__ = ["LACKING", "WHOLE", "Condition", "DataSetVerdict", "SessionState", "SessionVerdict"]

#: States in which a reader may use the session.
WHOLE = frozenset({SessionState.PROVISIONAL, SessionState.FINAL, SessionState.SUSPECT})
LACKING = frozenset({SessionState.MISSING, SessionState.PARTIAL})


class DataSetVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One data set of one session.

    Counts are rows of bars and (session, symbol) pairs of slots: `expected` = `loaded` + `empty` + `unproven` +
    `missing` for slots; of bars it is what there is, or the least that the sessions around make believable. `since` is
    the oldest fetch of what stands. `due_at` is when this plan should have brought it; `later`: the plan brings it
    later than the schedule asks for it, and that instant is still to come. `outdated`: it was not fetched again when
    the schedule asked for it; what stands is what was believed before. `beside`: it comes with another data set's rows
    and decides nothing about the session; counts are of the symbols that traded, `unproven` those of which the source
    did not say it, `missing` those whose row nobody has fetched since it is kept. `deadline`: until when it has to be
    there by its oldest due time that is not served, `asked_at`; `deadline_missed`: it was not.
    """

    data_set: str
    state: SessionState
    condition: Condition
    due_at: dt.datetime
    expected: int = 0
    loaded: int = 0
    empty: int = 0
    unproven: int = 0
    missing: int = 0
    set_aside: int = 0
    restated: int = 0
    since: dt.datetime | None = None
    later: bool = False
    outdated: bool = False
    beside: bool = False
    asked_at: dt.datetime | None = None
    deadline: dt.datetime | None = None
    deadline_missed: bool = False
    why: str | None = None
    source: str | None = None
    request_id: str | None = None
    cycle: int | None = None
    fence: int | None = None

    @property
    def retired(self) -> bool:
        return self.state is SessionState.RETIRED

    @property
    def lacks(self) -> bool:
        """Whether readers miss something that the plan should have brought by now, or brings when it is due."""
        return self.state in LACKING and not self.later and not self.beside


class SessionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A session in all.

    `since`: the fetch from which on its bars and slots are as they are; `last_modified_at`: the newest one. `due_at` is
    the schedule's first due time of the day, `final_at` the instant from which a fetch is final. `not_in_plan`: data
    sets that this plan never brings; they are no part of the verdict.
    """

    trading_day: dt.date
    state: SessionState
    condition: Condition
    due_at: dt.datetime
    final_at: dt.datetime
    data_sets: tuple[DataSetVerdict, ...]
    not_in_plan: tuple[str, ...] = ()
    since: dt.datetime | None = None
    last_modified_at: dt.datetime | None = None

    @property
    def is_whole(self) -> bool:
        return self.state in WHOLE

    @property
    def is_suspect(self) -> bool:
        """Whether something is open against what stands, be it whole or not."""
        return any(one.state is SessionState.SUSPECT for one in self.data_sets)

    @property
    def missed(self) -> tuple[DataSetVerdict, ...]:
        """The data sets that have missed a deadline."""
        return tuple(one for one in self.data_sets if one.deadline_missed)

    def of(self, data_set: str) -> DataSetVerdict | None:
        """The verdict of one data set; None where it is no part of this session."""
        return next((one for one in self.data_sets if one.data_set == data_set), None)
