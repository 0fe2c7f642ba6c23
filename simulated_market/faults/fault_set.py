"""Holds the faults in force and says which of them strike a request.

A fault names what goes wrong, where (endpoint, paths, day) and how often (skip, every, times).  How it looks
to the client is in refusals and distortions.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulated_market.answer import Call


class FaultKind(StrEnum):
    """What goes wrong; the names are those of the JSON."""

    LATENCY = "latency"
    DROP = "drop"
    RATE_LIMITED = "rate_limited"
    CALLS_PER_MINUTE = "calls_per_minute"
    NOT_YET = "not_yet"
    NOT_ENTITLED = "not_entitled"
    OUTSIDE_TIMEFRAME = "outside_timeframe"
    NOT_AUTHORIZED_OK = "not_authorized_ok"
    UNKNOWN_KEY = "unknown_key"
    NOT_FOUND = "not_found"
    SERVER_ERROR = "server_error"
    HTML_OK = "html_ok"
    BAD_CURSOR = "bad_cursor"
    TRUNCATED_BODY = "truncated_body"
    EMPTY = "empty"
    TRUNCATED_PAGES = "truncated_pages"
    DUPLICATE_ROWS = "duplicate_rows"
    FOREIGN_TICKER = "foreign_ticker"
    FOREIGN_DAY = "foreign_day"
    NUL_TICKERS = "nul_tickers"
    REPEATED_CURSOR = "repeated_cursor"
    FOREIGN_HOST = "foreign_host"
    DOUBLED_PORT = "doubled_port"
    RESTATED = "restated"
    """Bars of `day` of `tickers` come with other volumes and prices; once it is lifted, they are restated."""
    OTHER_DAY = "other_day"
    """The bars of `day` are those of `other_day`, with the times of `day`."""
    SWAPPED = "swapped"
    """`tickers`, two by two, have each other's bars of a whole day."""
    SCALED = "scaled"
    """Bars of `tickers` (none: all) come with prices times `price_factor` and volumes times `volume_factor`."""
    MISSING_ROWS = "missing_rows"
    """Rows of `tickers`, or the last `share` of all, are not there, and all counts agree with that."""
    HIDDEN_SPLITS = "hidden_splits"
    """Splits of `tickers` (none: all) are not listed: once it is lifted, they are late."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; without a condition it strikes every request."""

    kind: FaultKind
    endpoint: str | None = None
    """grouped_daily, range_bars, tickers, …; None is all of them."""
    paths: str | None = None
    """A regular expression sought in path and query."""
    day: dt.date | None = None
    """Only requests for this day, or for a range around it."""
    skip: int = 0
    """Requests that pass before the first one struck."""
    every: int = 1
    """Strikes each n-th of the requests after that."""
    times: int | None = None
    """Strikes no more often than this."""
    latency_ms: float = 0.0
    retry_after: int | None = None
    empty_body: bool = False
    status: int = 504
    shape: Literal["absent", "list", "null"] = "absent"
    host: str = "https://elsewhere.example"
    rows: int = 2
    """How many rows are added or repeated."""
    tickers: tuple[str, ...] = ()
    other_day: dt.date | None = None
    share: float = 0.5
    volume_factor: float = 1.0
    price_factor: float = 1.0
    limit: int = 5
    window_s: float = 60.0

    def __post_init__(self) -> None:
        if self.every < 1 or self.skip < 0 or self.limit < 1 or not 400 <= self.status <= 599:
            raise ValueError("every and limit count from 1, skip from 0, and status is from 400 to 599")
        re.compile(self.paths or "")

    def concerns(self, call: Call) -> bool:
        """Whether the request meets the fault's conditions."""
        if self.endpoint not in (None, call.endpoint):
            return False
        if self.kind is FaultKind.BAD_CURSOR and "cursor=" not in call.path_and_query:
            return False
        if self.paths is not None and not re.search(self.paths, call.path_and_query):
            return False
        return self.day is None or _covers(call, self.day.isoformat())


class ActiveFault:
    """A fault with its own count of requests met and struck."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.met = 0
        self.struck = 0
        self._accepted: deque[float] = deque()

    def strikes(self, call: Call, seconds: float) -> bool:
        """Counts the request and says whether it is struck; *seconds* is a clock that never runs back."""
        fault = self.fault
        if not fault.concerns(call):
            return False
        self.met += 1
        beyond = self.met - fault.skip
        struck = beyond > 0 and beyond % fault.every == 0 and (fault.times is None or self.struck < fault.times)
        if struck and fault.kind is FaultKind.CALLS_PER_MINUTE:
            struck = not self._accept(seconds)
        self.struck += struck
        return struck

    def _accept(self, seconds: float) -> bool:
        while self._accepted and self._accepted[0] <= seconds - self.fault.window_s:
            self._accepted.popleft()
        if len(self._accepted) >= self.fault.limit:
            return False
        self._accepted.append(seconds)
        return True


class FaultSet:
    """The faults in force; *lasting* ones belong to the plan and survive a replacement."""

    def __init__(self, faults: Iterable[Fault] = (), *, lasting: Iterable[Fault] = ()) -> None:
        self._lasting = [ActiveFault(fault) for fault in lasting]
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Puts these in the place of all others, their counts at zero."""
        self.active = [ActiveFault(fault) for fault in faults]

    def strike(self, call: Call, seconds: float) -> list[Fault]:
        """The faults that strike this request, in the order in which they were given."""
        return [each.fault for each in (*self._lasting, *self.active) if each.strikes(call, seconds)]


def _covers(call: Call, day: str) -> bool:
    if "day" in call.parts:
        return call.parts["day"] == day
    # Range ends are dates or milliseconds; only dates can be compared as text.
    return call.parts.get("first", "~") <= day <= call.parts.get("last", "")
