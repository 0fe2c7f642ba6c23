"""Declares the weekly sample: a hundredth of what is stored, fetched again and compared, within a stated budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.tables import Column, Kept, Table
from consumer.postgres.ledger import PartPlan
from consumer.tasks import sample
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.weekly_sample import Candidates, Sample, choose, week_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.declaration import Excuses
    from consumer.data_sets.situation import Situation
    from consumer.postgres.pool import Connection

SAMPLED_RECHECK = Table(
    name="sampled_recheck",
    kept=Kept.WORKING_RECORDS,
    age_column="checked_at",
    columns={
        "week": Column("date", meaning="Monday of the week that the sample is of"),
        "data_set": Column("text"),
        "trading_day": Column("date", meaning="the session that was fetched again"),
        "checked_at": Column("timestamp with time zone"),
        "compared": Column("bigint", meaning="rows of it that were compared"),
        "differed": Column("bigint", meaning="of these, how many the vendor gives otherwise by now"),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
    },
)


async def _read(connection: Connection, situation: Situation) -> Candidates:
    return await sample.read_candidates(connection, situation.terms)


def _chosen(situation: Situation) -> Sample:
    candidates: Candidates = situation.facts(names.SAMPLE) or Candidates()
    return choose(candidates, week_of(situation.terms.day), most=sample.budget(situation.terms))


def _missing(situation: Situation) -> list[PartPlan]:
    """What this week's sample has not had yet; of the same week always the same."""
    chosen = _chosen(situation)
    parts = []
    if chosen.sessions:
        payload: dict[str, Any] = {"sessions": [day.isoformat() for day in chosen.sessions]}
        parts.append(PartPlan(task=TaskName.OHLC_DAILY, part="sample_bars", payload=payload))
    if chosen.symbols:
        ends = {symbol: [day.isoformat() for day in both] for symbol, both in chosen.symbols.items()}
        parts.append(PartPlan(task=TaskName.OHLC_DAILY, part="sample_slots", payload={"stretches": ends}))
    return parts


def _gap(_situation: Situation, _parts: Sequence[PartPlan], _excuses: Excuses) -> list[str]:
    """No night lacks anything for want of it: what was not taken tonight is taken in another of the week."""
    return []


def _cost(situation: Situation, _parts: Sequence[PartPlan]) -> Mapping[Question, int]:
    chosen = _chosen(situation)
    return {Question.GROUPED_DAILY: len(chosen.sessions), Question.RANGE_BARS: len(chosen.symbols)}


SAMPLE = DataSet(
    name=names.SAMPLE,
    task=TaskName.OHLC_DAILY,
    covers=Covers.PRESENT,
    meaning="a hundredth of the stored sessions and symbols, fetched again each week and compared",
    kinds=(
        PartKind(
            name="sample_bars",
            run=sample.compare_bars,
            after=(names.DAILY_BARS, names.UNIVERSE),
            asked=Asked.VENDOR,
            asks=Question.GROUPED_DAILY,
        ),
        PartKind(
            name="sample_slots",
            run=sample.compare_slots,
            after=(names.DAILY_BARS, names.UNIVERSE),
            asked=Asked.VENDOR,
            asks=Question.RANGE_BARS,
        ),
    ),
    missing=_missing,
    reads=_read,
    cost=_cost,
    gap=_gap,
    tables=(SAMPLED_RECHECK,),
)
