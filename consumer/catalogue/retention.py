"""Says what is older than its retention, as the declarations and the operator have it.  Pure.

By default no market data and none of its coverage is ever deleted, only what tells how data came to be, after
WORKING_RECORDS_DAYS. Of a data set with a retention a deleted session is *retired*: it was whole, it is not missing,
not planned and not backfilled again.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS, TABLES
from consumer.data_sets.tables import Kept, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.data_sets.declaration import DataSet

WORKING_RECORDS = "working_records"
WORKING_RECORDS_DAYS = 400
#: What is retired of one data set in a night, at most: the first night after years must end before the next close.
MOST_SESSIONS = 60


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions of *data_set* before the day *before* go, with their rows of *tables*; their coverage says so."""

    data_set: str
    tables: tuple[Table, ...]
    before: dt.date


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of *table* whose age column is before the instant *before* go, but those that are still referred to."""

    table: Table
    before: dt.datetime


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """All that is over its time."""

    retired: tuple[Retired, ...] = ()
    removed: tuple[Removed, ...] = ()


def may_be_kept() -> Mapping[str, int]:
    """Return what a retention can be set for, and the fewest days each can have: its window needs them."""
    return {one.name: fewest for one in DATA_SETS if (fewest := _fewest_days(one)) is not None} | {WORKING_RECORDS: 30}


def too_short(kept_days: Mapping[str, int], windows: Mapping[str, int]) -> list[str]:
    """Say what is kept for less than its window of so many sessions, which a plan would fetch again each night."""
    lines = []
    for one in DATA_SETS:
        if one.window is not None and one.name in kept_days:
            needed = windows[one.window] * 8 // 5 + 10  # 252 sessions are 365 days
            if kept_days[one.name] < needed:
                lines.append(f"{one.name}={kept_days[one.name]}d is less than its window: write {needed}d or more")
    return lines


def _fewest_days(one: DataSet) -> int | None:
    if not any(table.kept is Kept.MARKET_DATA and table.day_column for table in one.tables):
        return None
    return 60 if one.window is None else 400  # what figures of a year are made of; the option may be larger


def due(kept_days: Mapping[str, int], *, now: dt.datetime, day: dt.date) -> Due:
    """Return what is over its time at *now*; *kept_days* by data set, and of the working records.

    Sessions age by the market's own present, the trading day *day*: in a replay the clock is years ahead of it.
    """
    retired = [
        Retired(data_set=one.name, tables=tables, before=day - dt.timedelta(days=kept_days[one.name]))
        for one in DATA_SETS
        if one.name in kept_days
        and (tables := tuple(table for table in one.tables if table.kept is Kept.MARKET_DATA and table.day_column))
    ]
    before = now - dt.timedelta(days=kept_days.get(WORKING_RECORDS, WORKING_RECORDS_DAYS))
    records = [table for table in TABLES.values() if table.kept is Kept.WORKING_RECORDS and table.age_column]
    return Due(retired=tuple(retired), removed=tuple(Removed(table=table, before=before) for table in records))
