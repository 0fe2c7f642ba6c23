"""Holds a symbol's history to a model that keeps a fact for each day: no overlap, no gap, the same on every day."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from market.valid_time import OPEN, Facts, Span, carry

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGINS = dt.date(2025, 9, 1)
DAYS = 40  # what the model has; of later days the last one stands
AT = dt.datetime(2025, 9, 1, 22, tzinfo=dt.UTC)
Fact: TypeAlias = tuple[str, int | None, int]  # company, its first session, what is told


def day(number: int) -> dt.date:
    return BEGINS + dt.timedelta(days=number)


def span(fact: Fact, first: int, *, load: int = 1, noted: int = 0) -> Span:
    company, since, told = fact
    facts = Facts(codes=(company,), since=None if since is None else day(since), told=(told,), noted=(noted,))
    return Span(first=day(first), facts=facts, known=(load, AT))


def by_day(spans: Sequence[Span]) -> list[Fact | None]:
    found: list[Fact | None] = []
    for number in range(DAYS):
        holding = [one.facts for one in spans if one.first <= day(number) < one.until]
        assert len(holding) <= 1, "two spans of one day"
        fact = holding[0] if holding else None
        since = None if fact is None or fact.since is None else (fact.since - BEGINS).days
        found.append(None if fact is None else (str(fact.codes[0]), since, fact.told[0]))
    return found


class Model:
    """A fact for each day, and what each kind of news does to the days."""

    def __init__(self) -> None:
        self.days: list[Fact | None] = [None] * DAYS

    @property
    def now(self) -> Fact | None:
        return self.days[-1]

    def tell(self, first: int, fact: Fact) -> None:
        self.days[max(first, 0) :] = [fact] * (DAYS - max(first, 0))

    def date_anew(self, since: int | None) -> None:
        """The company that has it now has it since another day: what is before is whoever's it was right before."""
        assert self.now is not None
        start = DAYS
        while start and (last := self.days[start - 1]) is not None and last[1] == self.now[1]:
            start -= 1
        own = [None if one is None else (one[0], since, one[2]) for one in self.days[start:]]
        self.days[start:] = own
        if since is not None and since <= start:
            self.days[max(since, 0) : start] = [own[0]] * (start - max(since, 0))
        elif since is not None:
            before = self.days[start - 1] if start else None
            self.days[start:since] = [before] * (since - start)

    def give_back(self, fact: Fact) -> None:
        """Whoever had it since was a slip."""
        last = max(n for n, one in enumerate(self.days) if one is not None and one[:2] == fact[:2])
        self.days[last:] = [self.days[last]] * (DAYS - last)


@st.composite
def news(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    """(kind, day it is learned, how many days before that it is dated to, what is told), in order of learning."""
    kinds = st.sampled_from(["tell", "tell", "another", "dated", "undated", "back"])
    few, told = st.integers(0, 6), st.integers(0, 2)
    learned = sorted(draw(st.lists(st.integers(0, DAYS - 8), min_size=1, max_size=12)))
    return [(draw(kinds), at, draw(few), draw(told)) for at in learned]


def apply(model: Model, item: tuple[str, int, int, int], number: int) -> tuple[Fact, int] | None:
    """Bring *model* to a piece of news; what it is as of which day, None where it says nothing."""
    kind, at, back, told = item
    now, since = model.now, max(at - back, 0)
    if now is None or kind == "tell":
        company, begun = (now[0], now[1]) if now else ("A", None)
        fact, first = (company, begun, told), at - back
        if fact != now:
            model.tell(first, fact)
        return fact, first
    if kind == "back":
        former = [one for one in model.days if one is not None and one[0] != now[0] and one[1] != now[1]]
        if not former:
            return None
        model.give_back(former[-1])
        assert model.now is not None
        return model.now, at
    if now[1] == (None if kind == "undated" else since):
        return None
    if kind == "another":
        fact = (f"{number}", since, told)
        model.tell(since, fact)
        return fact, at
    model.date_anew(None if kind == "undated" else since)
    assert model.now is not None
    return model.now, at


@given(news())
def test_every_day_has_what_a_model_of_days_has_and_no_day_has_two(items: list[tuple[str, int, int, int]]) -> None:
    model, spans = Model(), list[Span]()
    for number, item in enumerate(items):
        if (found := apply(model, item, number)) is not None:
            fact, first = found
            spans = carry(spans, span(fact, first, load=number), begins=BEGINS)
        assert by_day(spans) == model.days
        assert all(one.first < one.until for one in spans)
        assert all(a.until < b.first or not a.facts.same_as(b.facts) for a, b in pairwise(spans)), (
            "one change, one span"
        )
        assert not spans or spans[-1].until == OPEN


def test_what_is_told_again_leaves_the_span_as_it_is_with_the_load_that_brought_it() -> None:
    spans = carry([], span(("A", None, 1), 3, load=7), begins=BEGINS)
    assert carry(spans, span(("A", None, 1), 9, load=8), begins=BEGINS) == spans


def test_what_is_only_noted_opens_no_span() -> None:
    spans = carry([], span(("A", None, 1), 3, noted=3), begins=BEGINS)
    assert carry(spans, span(("A", None, 1), 9, noted=9), begins=BEGINS) == spans


def test_nothing_is_said_of_a_day_before_the_history_begins() -> None:
    (only,) = carry([], span(("A", None, 1), -5), begins=BEGINS)
    assert only.first == BEGINS


def test_another_company_begins_on_its_first_session_however_late_that_is_learned() -> None:
    spans = carry([], span(("A", None, 1), 0), begins=BEGINS)
    spans = carry(spans, span(("B", 5, 2), 9), begins=BEGINS)
    assert [(one.first, one.facts.codes) for one in spans] == [(day(0), ("A",)), (day(5), ("B",))]


def test_a_company_that_comes_back_after_a_slip_never_was_away() -> None:
    spans = carry([], span(("A", None, 1), 0), begins=BEGINS)
    slipped = carry(spans, span(("B", 5, 2), 5), begins=BEGINS)
    assert carry(slipped, span(("A", None, 1), 9), begins=BEGINS) == spans
