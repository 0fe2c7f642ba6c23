"""Says what a declaration tells of a table: its columns, and how long its rows are kept."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from market.bounds import Bound


class Kept(Enum):
    """How long rows are kept."""

    #: Market data and its coverage: for ever, unless the operator sets a number of days.
    MARKET_DATA = "for ever, unless a retention is set"
    #: What tells how data came to be: as long as WORKING_RECORDS_KEPT says.
    WORKING_RECORDS = "as long as working records are kept"
    #: One row a symbol, a key or a process: it does not grow with time.
    PRESENT = "as long as what it describes"


class Column:
    """A column: its PostgreSQL *type*, what its values can be (market/bounded_fields.py), and what it means."""

    __slots__ = ("bound", "meaning", "type")

    def __init__(self, type_: str, *, bound: Bound | None = None, meaning: str = "") -> None:
        self.type = type_
        self.bound = bound
        self.meaning = meaning


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of ours.

    *day_column* has the session of a row: what is kept by session goes by it. *age_column* has the instant, or the day,
    by which a working record ages; rows of which *stays* (SQL, of the row `t`) is true do not go, however old.
    """

    name: str
    kept: Kept
    columns: Mapping[str, Column]
    day_column: str | None = None
    age_column: str | None = None
    stays: str = "false"
