"""Forecasts what a cycle would ask of the vendor and how long the budget makes that, before a request is spent.

The plan itself is the forecast: the same function that plans a cycle is asked what it would do.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS, data_set_of, kind_of
from consumer.cycle.plan import missing_parts
from consumer.cycle.what_stands import read_situation
from consumer.data_sets.declaration import Covers
from consumer.data_sets.market_size import USUAL_MARKET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.declaration import DataSet
    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan
    from consumer.tasks.part import PartContext
    from consumer.vendor.questions import Question


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The request budget of the key; None is no limit."""

    per_second: int | None
    per_minute: int | None

    def seconds(self, requests: int) -> float:
        """How long *requests* take at least."""
        rates = [self.per_second or math.inf, (self.per_minute or math.inf) / 60]
        return requests / min(rates) if math.isfinite(min(rates)) else 0.0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle would do: requests by endpoint, parts by task, and the least time by the budget."""

    trading_day: str
    requests: dict[str, int]
    parts: dict[str, int]
    seconds_by_budget: float
    assumes: list[str]

    @property
    def total(self) -> int:
        return sum(self.requests.values())


async def forecast(ctx: PartContext, pace: Pace) -> Forecast:
    """Plan the cycle of *ctx*, without asking anybody, and count what it would ask."""
    return forecast_of(await read_situation(ctx, every_fact=True), pace)


def forecast_of(situation: Situation, pace: Pace) -> Forecast:
    """Count what a plan of *situation* would ask.  Pure."""
    parts = missing_parts(situation)
    requests: Counter[str] = Counter()
    for one in DATA_SETS:
        own = [part for part in parts if data_set_of(part) is one]
        requests.update({str(question): count for question, count in _asked(one, own, situation).items()})
    at_work = {owner.name for part in parts if (owner := data_set_of(part)) is not None}
    planned = [one for one in DATA_SETS if one.assumes and at_work.intersection(_comes_with(one))]
    nobody = [] if situation.holdings.symbols else [f"a market of {USUAL_MARKET:,} tickers: none is listed yet"]
    counted = {name: count for name, count in requests.items() if count}
    return Forecast(
        trading_day=situation.terms.day.isoformat(),
        requests=counted,
        parts=dict(Counter(str(part.task) for part in parts)),
        seconds_by_budget=round(pace.seconds(sum(counted.values())), 1),
        assumes=[*nobody, *(one.assumes for one in planned)],
    )


def _comes_with(one: DataSet) -> tuple[str, ...]:
    """Whose parts bring it."""
    return one.made_from if one.covers is Covers.BESIDE else (one.name,)


def _asked(one: DataSet, parts: Sequence[PartPlan], situation: Situation) -> Mapping[Question, int]:
    """What *parts* of one data set would ask: as it says itself, or by the kind of part."""
    if parts and one.cost is not None:
        asked: Mapping[Question, int] = one.cost(situation, parts)
        return asked
    count: Counter[Question] = Counter()
    for part in parts:
        place = kind_of(part.task, part.part)
        if place is not None and place.kind.asks is not None:
            count[place.kind.asks] += place.kind.requests
    return count
