"""Declares the dividends: listed in one question, held against the prices, and the factor that each ex-day has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.splits import since_first_session
from consumer.data_sets.tables import Column, Kept, Table
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.ledger import PartPlan
from consumer.tasks import dividends
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import (
    CURRENCY,
    DIVIDEND,
    DIVIDEND_DATE,
    DIVIDEND_FACTOR,
    PAID,
    PAYMENTS,
    PRICE_CHANGE,
    PRICE_OF_BEFORE,
    REQUEST_ID,
    SPLIT_FACTOR,
    SYMBOL,
    WORD,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.situation import Situation

DIVIDEND_PAGE = 5_000  # dividends an answer


def _missing(situation: Situation) -> list[PartPlan]:
    """Since the first stored session: one that is listed late may lie before the window, and moves all before it."""
    since = since_first_session(situation)
    known = situation.holdings.newest.get(names.DIVIDENDS)
    reaches_back = known is not None and known.since is not None and known.since <= since
    if reaches_back and not situation.is_outdated(names.DIVIDENDS):
        return []
    return [PartPlan(task=TaskName.OHLC_DAILY, part="dividends", payload={"since": since.isoformat()})]


def _cost(situation: Situation, _parts: Sequence[PartPlan]) -> Mapping[Question, int]:
    """Pages as of the newest list: the market declares some 3,000 a month."""
    known = situation.holdings.newest.get(names.DIVIDENDS)
    return {Question.DIVIDENDS: max(1, math.ceil((0 if known is None else known.rows) / DIVIDEND_PAGE))}


STOCK_DIVIDEND = Table(
    name="stock_dividend",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as the vendor lists it"),
        "ex_dividend_day": Column("date", bound=DIVIDEND_DATE, meaning="first session on which a buyer is not paid"),
        "cash_amount": Column("double precision", bound=DIVIDEND, meaning="a share, as it was paid: never adjusted"),
        "currency": Column("text", bound=CURRENCY, meaning="in capitals; XXX where the list does not name it"),
        "distribution_type": Column("text", bound=WORD, meaning="the vendor's word: recurring, special, …"),
        "declared_day": Column("date", bound=DIVIDEND_DATE),
        "record_day": Column("date", bound=DIVIDEND_DATE, meaning="whoever is a holder then is paid"),
        "pay_day": Column("date", bound=DIVIDEND_DATE),
        "frequency": Column("integer", bound=PAYMENTS, meaning="0: not repeated"),
        "vendor_id": Column("text", bound=REQUEST_ID),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
        "first_listed_at": Column("timestamp with time zone"),
        "verdict": Column("text", meaning="unchecked, shown or not_shown by the overnight price"),
        "price_drop": Column(
            "double precision", bound=PRICE_CHANGE, meaning="last close before, on the ex-day's basis, less the open"
        ),
        "company": Column("text", meaning="whose it is, by the symbol of today; null: the symbol's own"),
    },
)

DIVIDEND_FACTORS = Table(
    name="dividend_factor",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="of the company, of today"),
        "ex_dividend_day": Column("date", bound=DIVIDEND_DATE),
        "paid": Column("double precision", bound=PAID, meaning="all of that day that is applied"),
        "close_before": Column(
            "double precision", bound=PRICE_OF_BEFORE, meaning="on the basis of the ex-day; null: not known"
        ),
        "split_factor": Column("double precision", bound=SPLIT_FACTOR, meaning="brought the raw close to that basis"),
        "factor": Column("double precision", bound=DIVIDEND_FACTOR, meaning="1 - paid / close_before; null: not known"),
        "left_out": Column("integer", meaning="dividends of that day that are not applied"),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
    },
)

DIVIDENDS = DataSet(
    name=names.DIVIDENDS,
    task=TaskName.OHLC_DAILY,
    covers=Covers.PRESENT,
    meaning="the cash dividends that the vendor lists, of all stored sessions and the week ahead",
    kinds=(
        PartKind(
            name="dividends",
            run=dividends.load_dividends,
            asked=Asked.VENDOR,
            asks=Question.DIVIDENDS,
            shows=Capability.DIVIDENDS,
        ),
    ),
    missing=_missing,
    cost=_cost,
    capability=Capability.DIVIDENDS,
    in_verdict=True,
    tables=(STOCK_DIVIDEND,),
)

DIVIDEND_CHECK = DataSet(
    name=names.DIVIDEND_CHECK,
    task=TaskName.OHLC_DAILY,
    covers=Covers.NEWEST_SESSION,
    meaning="of every dividend whose it is, whether the price shows it, and the factor of its ex-day",
    kinds=(
        PartKind(
            name="dividend_check",
            run=dividends.check_dividends,
            # By then it is settled whose a symbol is, and which splits count.
            after=(names.DAILY_BARS, names.DIVIDENDS, names.SPLIT_CHECK, names.UNIVERSE, names.PLAUSIBILITY),
        ),
    ),
    made_from=(names.DAILY_BARS, names.TAKEN, names.DIVIDENDS, names.SPLITS, names.SPLIT_CHECK, names.IDENTITY),
    planned_with=(names.PLAUSIBILITY,),
    tables=(DIVIDEND_FACTORS,),
)
