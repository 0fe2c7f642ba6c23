"""Says what to read of the ledger: every declared data set by what it covers, whatever sets there are.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import CACHES, DATA_SETS
from consumer.data_sets.declaration import Covers
from consumer.postgres.holdings import CountedTable, Wanted
from contract import data_sets as names
from contract.messages import ALL_TASKS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from consumer.data_sets.declaration import DataSet
    from consumer.tasks.terms import Terms


def wanted_of_sessions(days: Iterable[dt.date]) -> Wanted:
    """What a verdict on *days* needs."""
    judged = [one for one in DATA_SETS if one.in_verdict]
    by_symbol, beside = (
        next((one.name for one in judged if one.covers is covers), None)
        for covers in (Covers.SYMBOL_AND_SESSION, Covers.BESIDE)
    )
    return msgspec.structs.replace(_wanted(judged, tuple(days)), by_symbol=by_symbol, beside=beside)


def wanted_for_a_plan(terms: Terms) -> Wanted:
    """What the plan of a cycle needs: the sessions of the windows, and the coverage of its day."""
    windows = [terms.sessions(getattr(terms.options, one.window)) for one in DATA_SETS if one.window]
    days = sorted({day for window in windows for day in window})
    wanted = _wanted(DATA_SETS, tuple(days))
    by_day = (*wanted.by_day, names.RETENTION)
    return msgspec.structs.replace(wanted, by_day=by_day, day=terms.day, first_day=terms.cycle.first_day)


def _wanted(own: Sequence[DataSet], days: tuple[dt.date, ...]) -> Wanted:
    present = [one.name for one in own if one.covers is Covers.PRESENT]
    rest = [one for one in own if one.covers in (Covers.SYMBOL, Covers.NEWEST_SESSION, Covers.NOTE)]
    return Wanted(
        days=days,
        by_session={one.name: _counted(one) for one in own if one.covers is Covers.SESSION},
        by_fetch=tuple(present),
        by_day=(*(one.name for one in rest), *CACHES),
        counted={one.name: table for one in rest if (table := _counted(one)) is not None},
        tasks=tuple(task.value for task in ALL_TASKS),
    )


def _counted(one: DataSet) -> CountedTable | None:
    table = one.counted_table
    if table is None or table.day_column is None:
        return None
    return CountedTable(table=table.name, day_column=table.day_column)
