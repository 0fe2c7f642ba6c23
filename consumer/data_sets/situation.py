"""Holds what a plan is made of, as one value: the cycle's terms and what stands; says what is stale of it.  Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from consumer.postgres.holdings import Covered, Holdings
from consumer.tasks.slot_files import FilesSeen
from consumer.tasks.terms import Terms
from contract import data_sets


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle about to be planned: its terms, what stands, and what is *planned* so far (names of data sets).

    *left_out*: what is not asked for, as the vendor's plan never brings it; nothing waits for it, or follows from it.
    *files*: which flat files are out. *marks*: by cache the write that Redis holds.
    """

    terms: Terms
    holdings: Holdings
    now: dt.datetime
    files: FilesSeen = FilesSeen()
    marks: Mapping[str, int] = {}
    planned: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    def is_planned(self, *names: str) -> bool:
        """Whether any of these data sets is planned."""
        return not self.planned.isdisjoint(names)

    def on_day(self, data_set: str) -> Covered | None:
        """What is covered of the cycle's day."""
        return self.holdings.on_day.get(data_set)

    def is_stale(self, data_set: str, made_from: tuple[str, ...]) -> bool:
        """Whether the cycle's day has none, or it was computed before one of its inputs changed."""
        computed = self.on_day(data_set)
        if computed is None:
            return True
        if computed.retired:
            return False
        changed = [at for name in made_from if (at := self.holdings.changed_at.get(name)) is not None]
        return any(at > computed.fetched_at for at in changed)

    def is_outdated(self, data_set: str) -> bool:
        """Whether what describes the present was last fetched before the cycle's day asks for."""
        newest = self.holdings.newest.get(data_set)
        return newest is None or newest.fetched_at < self.terms.fresh_since(self.terms.day)

    def is_known(self, data_set: str) -> bool:
        """Whether it was ever loaded."""
        return data_set in self.holdings.newest

    def settled(self, data_set: str, day: dt.date) -> bool:
        """Whether the session of *day* is covered, and needs no fetching again; what retention deleted is."""
        held = self.holdings.of(data_set).get(day)
        if held is None:
            return False
        return held.retired or (held.oldest is not None and held.oldest >= self.terms.settled_since(day))

    def facts(self, data_set: str) -> Any:
        """What the data set has read for its own plan; None where that was not asked."""
        return self.holdings.facts.get(data_set)

    @property
    def present_day(self) -> dt.date:
        """The session whose evening it was when the pass began."""
        listed = self.holdings.newest.get(data_sets.UNIVERSE)
        newest = None if listed is None else listed.trading_day
        return self.terms.present_day(self.terms.cycle.pass_started_at, newest)
