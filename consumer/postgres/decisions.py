"""Names who decided, as the record keeps it beside what was decided."""

from __future__ import annotations

import datetime as dt

import msgspec


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on a cycle or a letter."""

    by: str
    at: dt.datetime
    reason: str | None = None
