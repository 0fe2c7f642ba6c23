"""Names what nobody has verified of the real vendor, each a switch; the defaults are what the service assumes.

`maintenance doctor --live` asks the vendor about every one of them, and is tried here with each turned over.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec


class ShareBasis(StrEnum):
    """Whose shares a dividend is told in where a split is executed on the morning of its ex-day."""

    AFTER = "after"  # those of the ex-day
    BEFORE = "before"


class Assumptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the vendor behaves where its documents are silent."""

    early_extended_close: dt.time = dt.time(17)
    """New York time at which late trading ends on a day of an early close."""
    half_day_stamp: dt.time | None = None
    """`t` of a whole-market row on such a day; None: its close."""
    refused_until: dt.time = dt.time(0)
    """New York time from which a free plan gives the session before; until then as it refuses the day itself."""
    same_evening: bool = False
    """A free plan gives a session once its market has closed."""
    free_history_days: int | None = 730
    delay: dt.timedelta = dt.timedelta(minutes=15)
    """How far a paid plan is behind."""
    snapshot_on_free: bool = False
    silent_minutes: float = 0.0
    """The share of tickers whose newest minute is all zeros in the snapshot."""
    accumulated_over_bars: float = 1.04
    """What the accumulated volume counts for each share that the minute bars count."""
    sorts: bool = True
    """Whether `sort` is obeyed; else rows come in an order of their own."""
    most_rows: int | None = None
    """A page never has more rows than this, whatever `limit` says."""
    range_minutes: int | None = None
    """A page of a range never counts more minutes than this, whatever `limit` says."""
    cuts_silently: bool = False
    """Whether a range that is longer than its limit ends there without a next page."""
    unknown_ticker_is_404: bool = True
    split_day_dividend: ShareBasis | None = None
    """A dividend on the morning of a split, in whose shares; None: there is none."""
    fractional_volumes: bool = True
    upcoming_lacks: dt.date | None = None
    """A closure ahead that the vendor does not tell of."""
