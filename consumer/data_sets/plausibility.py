"""Declares the judgement on stored sessions by those around them, and the recheck of what that finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.data_sets.daily_bars import due_rechecks
from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.missing import whole
from consumer.tasks import plausible, recheck
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan


def _missing(situation: Situation) -> list[PartPlan]:
    judged = situation.is_planned(*PLAUSIBILITY.made_from, *PLAUSIBILITY.planned_with) or _is_unjudged(situation)
    return [whole(PLAUSIBILITY)] * judged + [plausible.recheck_part(day) for day in due_rechecks(situation)]


def _is_unjudged(situation: Situation) -> bool:
    """Whether any session's bars are newer than the judgement on them."""
    bars, judged = situation.holdings.of(names.DAILY_BARS), situation.holdings.of(names.PLAUSIBILITY)
    for day in situation.terms.sessions(situation.terms.options.ohlc_sessions):
        if day not in bars:
            continue
        of_bars, of_judgement = bars[day].oldest, judged[day].oldest if day in judged else None
        if of_judgement is None or (of_bars is not None and of_judgement < of_bars):
            return True
    return False


PLAUSIBILITY = DataSet(
    name=names.PLAUSIBILITY,
    task=TaskName.OHLC_DAILY,
    covers=Covers.SESSION,
    meaning="a session's bars were held against the sessions around it",
    kinds=(
        PartKind(
            name="plausible",
            run=plausible.judge_sessions,
            after=(names.DAILY_BARS, names.SPLITS, names.UNIVERSE),
        ),
        PartKind(
            name="recheck",
            run=recheck.recheck,
            after=(names.DAILY_BARS, "ohlc_daily/plausible"),
            asked=Asked.VENDOR,
            asks=Question.DAY_BAR,
            requests=recheck.SAMPLE,
        ),
    ),
    made_from=(names.DAILY_BARS,),
    planned_with=(names.SPLITS,),
    missing=_missing,
)
