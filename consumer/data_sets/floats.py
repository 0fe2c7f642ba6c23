"""Declares the floats: how many of a company's shares can be traded, all of them in a few requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.market_size import USUAL_MARKET
from consumer.data_sets.vendor_plan import Capability
from consumer.tasks import metadata_enrich
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan

FLOAT_PAGE = 5_000  # tickers an answer


def _cost(situation: Situation, _parts: Sequence[PartPlan]) -> Mapping[Question, int]:
    return {Question.FLOATS: math.ceil((situation.holdings.symbols or USUAL_MARKET) / FLOAT_PAGE)}


FLOATS = DataSet(
    name=names.FLOATS,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.PRESENT,
    meaning="how many of a company's shares can be traded",
    kinds=(
        PartKind(
            name="floats",
            run=metadata_enrich.load_floats,
            after=(names.UNIVERSE,),
            asked=Asked.VENDOR,
            asks=Question.FLOATS,
        ),
    ),
    cost=_cost,
    capability=Capability.FLOATS,
    in_verdict=True,
)
