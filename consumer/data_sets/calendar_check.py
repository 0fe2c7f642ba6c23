"""Declares the check of our trading calendar against the vendor's closures ahead, once a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.missing import whole
from consumer.tasks import calendar_check
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan


def _missing(situation: Situation) -> list[PartPlan]:
    """Once a session: as of the pass's start, so that a close that passes meanwhile makes no check missing."""
    checked = situation.holdings.newest.get(names.CALENDAR_CHECK)
    return [whole(CALENDAR_CHECK)] if checked is None or checked.trading_day < situation.present_day else []


CALENDAR_CHECK = DataSet(
    name=names.CALENDAR_CHECK,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.NEWEST_SESSION,
    meaning="our trading calendar was held against the vendor's closures ahead",
    kinds=(
        PartKind(name="calendar", run=calendar_check.check_calendar, asked=Asked.VENDOR, asks=Question.MARKET_HOLIDAYS),
    ),
    missing=_missing,
)
