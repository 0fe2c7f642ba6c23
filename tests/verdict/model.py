"""A short model of what a session's data are, written from docs/verdict.md alone: plain facts, no code of the product.

It knows one plan (a paid one) and the default schedule, a handful of symbols and of sessions.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

CLOSE, FIRST_DUE, FINAL = dt.time(16), dt.time(17), dt.time(20, 15)  # New York, on ordinary days


class Slot(NamedTuple):
    """What stands of one session and symbol."""

    outcome: str
    at: dt.datetime


class Symbol(NamedTuple):
    """Listed from the first to the last of these days; None is without end."""

    first: dt.date | None
    last: dt.date | None


class Facts:
    """What happened."""

    def __init__(self, days: list[dt.date], slot_days: int) -> None:
        self.days = days
        self.slot_days = days[-slot_days:]
        self.bars: dict[dt.date, dt.datetime] = {}
        self.bar_lost: set[dt.date] = set()
        self.slots: dict[tuple[dt.date, str], Slot] = {}
        self.symbols: dict[str, Symbol] = {}
        self.asked: set[str] = set()
        self.present: dict[str, dt.datetime] = {}  # data set: fetched last
        self.computed: dict[str, tuple[dt.date, dt.datetime]] = {}  # data set or cache: newest day, when
        self.suspect: set[dt.date] = set()
        self.retired: set[dt.date] = set()
        self.no_floats = False

    def expected(self, day: dt.date) -> list[str]:
        """The symbols that were listed on *day*."""
        return [
            name for name, one in self.symbols.items()
            if (one.first is None or one.first <= day) and (one.last is None or day <= one.last)
        ]  # fmt: skip

    def state(self, day: dt.date, instants: dict[str, dt.datetime]) -> str:
        """The state of *day*, whose close and final instant are *instants*."""
        if day in self.retired:
            return "retired"
        has_bars = day in self.bars
        kept = day in self.slot_days or any(one == day for one, _ in self.slots)
        there = [self.slots[day, name] for name in self.expected(day) if (day, name) in self.slots]
        if not has_bars and not there:
            return "missing"
        wanted = {"universe", "splits", "dividends"} | (set() if self.no_floats else {"floats"})
        holes = [
            not has_bars,
            day in self.bar_lost,
            kept and len(there) < len(self.expected(day)),
            kept and not there,
            kept and any(slot.outcome == "unproven" for slot in there),  # of so few symbols each is above 1 %
            any(self.present.get(name, instants["epoch"]) < instants["close"] for name in wanted),
            any(self.computed.get(name, (dt.date.min,))[0] < day for name in ("atr", "derived", "caches")),
            any(name not in self.asked and (self.symbols[name].first or day) <= day for name in self.active()),
            not self.active(),
        ]
        if any(holes):
            return "partial"
        if day in self.suspect:
            return "suspect"
        stamps = [self.bars[day], *(slot.at for slot in there if kept)]
        stamps += [self.present[name] for name in wanted]
        stamps += [when for newest, when in self.computed.values() if newest == day]
        return "final" if min(stamps) >= instants["final"] else "provisional"

    def active(self) -> list[str]:
        return [name for name, one in self.symbols.items() if one.last is None]

    def condition(self, state: str, due: dt.datetime, now: dt.datetime) -> str:
        if state in ("missing", "partial") and now < due:
            return "pending"
        return {"final": "available", "provisional": "pending", "partial": "degraded", "suspect": "degraded",
                "missing": "missing", "retired": "missing"}[state]  # fmt: skip
