"""Names what became of one file of an export."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """What became of it."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"  # the file says already what stands
    MISSING = "missing"
    PARTIAL = "partial"
    RETIRED = "retired"  # deleted by retention; a file of before stays
    UNWRITABLE = "unwritable"  # a row holds what Parquet has no value for
    NONE = "none"  # nothing of that session is kept of it


#: Nothing was written though something should stand; a file of before stays as it was.
LACKS = frozenset({Outcome.MISSING, Outcome.PARTIAL, Outcome.UNWRITABLE})


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One file: *key* is its path below the export's own. *state* is the data set's, as in the file."""

    data_set: str
    trading_day: dt.date | None
    outcome: Outcome
    key: str
    state: str | None = None
    rows: int = 0
    bytes: int = 0
    why: str | None = None

    @property
    def words(self) -> str:
        """For a person, in one line."""
        what = self.data_set if self.trading_day is None else f"{self.trading_day} {self.data_set}"
        if self.outcome is Outcome.WRITTEN:
            state = f"{self.state}, " if self.state else ""
            return f"{what}: written, {state}{self.rows:,} rows, {self.bytes:,} bytes"
        return f"{what}: {self.outcome}" + (f" ({self.why})" if self.why else "")
