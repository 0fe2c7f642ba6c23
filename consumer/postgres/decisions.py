"""Names who decided, as the record keeps it beside what was decided."""

from __future__ import annotations

import datetime as dt

import msgspec

COMMAND_LINE = "command line"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on a cycle, a letter, a finding or a boundary; *via*: by which way he gave it."""

    by: str
    at: dt.datetime
    reason: str | None = None
    via: str = COMMAND_LINE
