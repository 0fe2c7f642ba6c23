"""Decides by the bars whether a company went from one symbol to another; a listing alone moves no history.

Pure. A rename stands once the new symbol trades, the old one does not, and the price goes on there, splits taken out.
Until then it is open, and both histories stay where they are. Renames that hang together (two companies that exchange
their symbols, one that takes what another leaves) are judged together, each on the first session that bears them out.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

import msgspec

from market.companies import FIGIS, Question, Trading, agreement, continues, distance

#: By so much the price must be nearer to that of who comes than of who was there, where who was there is seen to leave.
_NEARER = math.log(1.1)
_ENOUGH_CODES = 2
PENDING = "the bars have yet to tell"


class Outcome(Enum):
    """What becomes of a rename that a listing shows."""

    OPEN = "open"
    DENIED = "denied"
    CONFIRMED = "confirmed"


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome, since when, and what speaks for it or against it."""

    outcome: Outcome
    changed_on: dt.date
    evidence: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What the bars say of two symbols at once, before a day.

    *first_own* is the first of the sessions right before in which the new symbol traded for itself, *factor* that of
    the splits between the last close under the old one and the first price under the new one.
    """

    first_own: dt.date | None = None
    factor: float = 1.0


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence: by (symbol, day) and by (old symbol, new symbol, day); *sessions* are the days to be judged on."""

    trading: Mapping[tuple[str, dt.date], Trading]
    pairs: Mapping[tuple[str, str, dt.date], Pair]
    sessions: Sequence[dt.date]
    next_session: Callable[[dt.date], dt.date]

    def days_of(self, changed_on: dt.date) -> list[dt.date]:
        """The day that the listing speaks of, and those since: a listing may be early."""
        return [changed_on, *(day for day in self.sessions if day > changed_on)]


def rule(asked: Sequence[Question], bars: Bars) -> dict[str, Ruling]:
    """Rule on every rename of *asked*; by the symbol that is left."""
    renames = {question.known.symbol: question for question in asked if question.is_rename}
    holders = {question.known.symbol for question in asked if not question.is_rename}
    found: dict[str, Ruling] = {}
    for day in sorted({day for question in renames.values() for day in bars.days_of(question.changed_on)}):
        due = {old: question for old, question in renames.items() if question.changed_on <= day}
        sure = {old: question for old, question in due.items() if _is_confirmed(found.get(old))}
        left = {old: question for old, question in due.items() if old not in sure}
        for old, ruling in _rule_together(left, sure, holders, day, bars).items():
            if _is_confirmed(ruling) or old not in found or found[old].outcome is Outcome.OPEN:
                found[old] = ruling
    return found


def _is_confirmed(ruling: Ruling | None) -> bool:
    return ruling is not None and ruling.outcome is Outcome.CONFIRMED


def _rule_together(
    renames: Mapping[str, Question], sure: dict[str, Question], holders: set[str], day: dt.date, bars: Bars
) -> dict[str, Ruling]:
    """Take all for true until one is denied; what leans on that one is asked again without it."""
    standing = dict(renames)
    found: dict[str, Ruling] = {}
    while True:
        beside = sure | standing
        cases = {old: _Case(question, beside, holders, day, bars) for old, question in standing.items()}
        rulings = {old: case.rule() for old, case in cases.items()}
        denied = {old: ruling for old, ruling in rulings.items() if ruling.outcome is Outcome.DENIED}
        found |= denied
        if not denied:
            return found | _as_open_as_what_they_lean_on(cases, rulings)
        standing = {old: question for old, question in standing.items() if old not in denied}


def _as_open_as_what_they_lean_on(cases: Mapping[str, _Case], rulings: dict[str, Ruling]) -> dict[str, Ruling]:
    found = dict(rulings)
    for _ in cases:
        unsettled = {old for old, ruling in found.items() if not _is_confirmed(ruling)}
        for old, case in cases.items():
            if _is_confirmed(found[old]) and unsettled.intersection(case.leans_on()):
                found[old] = msgspec.structs.replace(found[old], outcome=Outcome.OPEN, evidence=PENDING)
    return found


class _Case:
    """One rename on one day, beside the others that stand."""

    def __init__(
        self, question: Question, standing: Mapping[str, Question], holders: set[str], day: dt.date, bars: Bars
    ) -> None:
        self.question, self.day, self.next_session = question, day, bars.next_session
        self.old, self.new = question.symbols
        self.before, self.since = bars.trading[self.old, day], bars.trading[self.new, day]
        self.pair = bars.pairs.get((self.old, self.new, day), Pair())
        others = [other for other in standing.values() if other is not question]
        self.takers = [other.known.symbol for other in others if other.listed.symbol == self.old]
        self.is_taken = bool(self.takers)
        self.is_another_by_code = self.old in holders
        self.leaves_too = self.new in standing
        self.is_known_otherwise = self.new in holders
        self.has_rival = any(other.listed.symbol == self.new and other.known.active for other in others)

    def rule(self) -> Ruling:
        if self.has_rival:
            return self._ruling(Outcome.DENIED, f"{self.new} is listed with the codes of two companies")
        if self.since.first_from is None:
            return self._ruling(Outcome.OPEN, PENDING)
        if doubt := self._doubt(self.since.first_from):
            return self._ruling(Outcome.DENIED, doubt)
        by_figi = agreement(self.question.known, self.question.listed, FIGIS)[0]
        return self._ruling(Outcome.CONFIRMED, "FIGI" if by_figi else "CIK and type")

    def _doubt(self, first: dt.date) -> str:
        """Why the bars deny it; empty where they bear it out."""
        said = f"{self.new} is listed with its code"
        is_free = not self.is_taken and not self.is_another_by_code
        if is_free and self.before.last is not None and self.before.last >= first:
            return f"{said}, and both trade"
        if not self._goes_on():
            return f"{said}, and the price of {self.old} does not continue there"
        if self._has_a_history_of_its_own() and not self._breaks_with_its_own():
            return f"{said}, and has a history of its own"
        if self.is_another_by_code and not self.is_taken and not self._is_bare():
            return f"{said}, and the price goes on under {self.old}"
        return ""

    def leans_on(self) -> list[str]:
        """The old symbols of those without which this one would be denied."""
        leaning = list(self.takers)
        if self._has_a_history_of_its_own() and not self._breaks_by_itself():
            leaning.append(self.new)
        return leaning

    def _goes_on(self) -> bool:
        close, price = self.before.close_before, self.since.open_from
        # A listed split that no price has borne out yet may be none.
        return continues(close, price, self.pair.factor) or continues(close, price)

    def _has_a_history_of_its_own(self) -> bool:
        own, ended = self.pair.first_own, self.before.before
        return own is not None and (ended is None or own <= ended or self.is_known_otherwise)

    def _breaks_with_its_own(self) -> bool:
        """Whether the first price is no longer that of who had the new symbol, but of who comes."""
        own = distance(self.since.close_before, self.since.open_from, self.since.factor)
        other = distance(self.before.close_before, self.since.open_from, self.pair.factor)
        if own is None or other is None:
            return False
        if self.leaves_too:
            return own - other >= _NEARER
        return self._breaks_by_itself()

    def _breaks_by_itself(self) -> bool:
        return not continues(self.since.close_before, self.since.open_from, self.since.factor)

    def _is_bare(self) -> bool:
        """Whether the old symbol, listed with other codes, is no longer its company's by more than one field."""
        agree, differ = agreement(self.question.known, self.question.listed)
        if agree >= _ENOUGH_CODES and not differ:
            return True
        return self.before.first_from is None or not continues(
            self.before.close_before, self.before.open_from, self.before.factor
        )

    def _ruling(self, outcome: Outcome, evidence: str) -> Ruling:
        changed_on = self._since_when() if outcome is Outcome.CONFIRMED else self.question.changed_on
        return Ruling(outcome=outcome, changed_on=changed_on, evidence=evidence)

    def _since_when(self) -> dt.date:
        last, first = self.before.last, self.pair.first_own
        if not self.is_taken and not self.is_another_by_code and last is not None and last >= self.day:
            return self.next_session(last)  # it traded under the old symbol for longer than the listing says
        if first is not None and not self._has_a_history_of_its_own():
            return first  # it trades under the new symbol for longer
        return self.day


def involved(question: Question, asked: Sequence[Question]) -> list[str]:
    """The old symbols of the renames that would give the symbol of *question* to another company."""
    symbol = question.known.symbol
    return [q.known.symbol for q in asked if q.is_rename and symbol in q.symbols]
