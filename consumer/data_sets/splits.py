"""Declares the splits: listed in one request, and held against the prices before they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.tables import Column, Kept, Table
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.ledger import PartPlan
from consumer.tasks import splits
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import PRICE_RATIO, SPLIT_DATE, SPLIT_SHARES, SYMBOL, WORD

if TYPE_CHECKING:
    import datetime as dt

    from consumer.data_sets.situation import Situation


def _missing(situation: Situation) -> list[PartPlan]:
    """Since the first stored session: one that is listed late may lie before the window, whose bars need the factor."""
    since = since_first_session(situation)
    known = situation.holdings.newest.get(names.SPLITS)
    reaches_back = known is not None and known.since is not None and known.since <= since
    if reaches_back and not situation.is_outdated(names.SPLITS):
        return []
    return [PartPlan(task=TaskName.OHLC_DAILY, part="splits", payload={"since": since.isoformat()})]


def since_first_session(situation: Situation) -> dt.date:
    """Since when events of a symbol are asked for: the first stored session, or the first of the window."""
    first = situation.terms.sessions(situation.terms.options.ohlc_sessions)[0]
    oldest = situation.holdings.first_day(names.DAILY_BARS)
    return first if oldest is None else min(first, oldest)


STOCK_SPLIT = Table(
    name="stock_split",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spells it"),
        "execution_day": Column("date", bound=SPLIT_DATE, meaning="first session on the new basis"),
        "split_from": Column("double precision", bound=SPLIT_SHARES, meaning="shares before"),
        "split_to": Column("double precision", bound=SPLIT_SHARES, meaning="shares after"),
        "kind": Column("text", bound=WORD, meaning="the vendor's word"),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
        "verdict": Column("text", meaning="unchecked, confirmed or contradicted by the overnight price"),
        "price_ratio": Column(
            "double precision",
            bound=PRICE_RATIO,
            meaning="first price of the day over the last close before it, both raw",
        ),
        "first_listed_at": Column("timestamp with time zone"),
        "company": Column("text", meaning="whose it is, by the symbol of today"),
    },
)

SPLITS = DataSet(
    name=names.SPLITS,
    task=TaskName.OHLC_DAILY,
    covers=Covers.PRESENT,
    meaning="the splits that the vendor lists, of all stored sessions and the week ahead",
    kinds=(
        PartKind(
            name="splits",
            run=splits.load_splits,
            asked=Asked.VENDOR,
            asks=Question.SPLITS,
            shows=Capability.SPLITS,
        ),
    ),
    missing=_missing,
    capability=Capability.SPLITS,
    in_verdict=True,
    tables=(STOCK_SPLIT,),
)

SPLIT_CHECK = DataSet(
    name=names.SPLIT_CHECK,
    task=TaskName.OHLC_DAILY,
    covers=Covers.NEWEST_SESSION,
    meaning="of every listed split whose it is, and whether the price shows it",
    kinds=(
        PartKind(
            name="split_check",
            run=splits.check_splits,
            after=(names.DAILY_BARS, names.SPLITS, names.UNIVERSE, names.PLAUSIBILITY),
        ),
    ),
    made_from=(names.DAILY_BARS, names.TAKEN, names.SPLITS, names.IDENTITY),
    planned_with=(names.PLAUSIBILITY,),
)
