"""Declares the details of tickers: a request each, asked only for symbols that are new, changed, split or stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind, Piecemeal
from consumer.data_sets.market_size import USUAL_MARKET
from consumer.data_sets.tables import Column, Kept, Table
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.ledger import PartPlan
from consumer.tasks import metadata_enrich
from consumer.tasks.passes import details_a_pass
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import (
    ADJUSTED_PRICE,
    CIK,
    DELISTED_AT,
    EMPLOYEES,
    FIGI,
    FLOAT_DATE,
    FREE_FLOAT,
    LINES,
    LIST_DATE,
    MARKET_CAP,
    MEAN_VOLUME,
    MIC,
    NAME,
    PERCENT,
    ROUND_LOT,
    SHARES,
    SIC,
    SYMBOL,
    WEB_ADDRESS,
    WORD,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.declaration import Excuses
    from consumer.data_sets.situation import Situation
    from consumer.postgres.pool import Connection


async def _due(connection: Connection, situation: Situation) -> list[str]:
    """The symbols whose details are due, the oldest attempt first."""
    return await metadata_enrich.due_details(connection, situation.terms, now=situation.now)


def _missing(situation: Situation) -> list[PartPlan]:
    """A listing, or a split, makes others due: then a part of the pass plans them, once that is there."""
    if situation.is_planned(names.UNIVERSE, names.SPLITS):
        return [PartPlan(task=TaskName.METADATA_ENRICH, part="plan")]
    return metadata_enrich.plan(situation.facts(names.DETAILS), situation.terms.options)


def _cost(situation: Situation, _parts: Sequence[PartPlan]) -> Mapping[Question, int]:
    if not situation.is_known(names.UNIVERSE):
        return {Question.TICKER_DETAILS: USUAL_MARKET}
    return {Question.TICKER_DETAILS: len(situation.facts(names.DETAILS))}


def _gap(situation: Situation, parts: Sequence[PartPlan], excuses: Excuses) -> list[str]:
    if not parts or names.DETAILS in excuses.later or not (due := situation.facts(names.DETAILS)):
        return []
    return [f"metadata_enrich details of {len(due)} symbols{excuses.because(TaskName.METADATA_ENRICH, 'details')}"]


TICKER_PROFILE = Table(
    name="ticker_profile",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spells it"),
        "company_name": Column("text", bound=NAME),
        "exchange": Column("text", bound=MIC, meaning="MIC"),
        "ticker_type": Column("text", bound=WORD),
        "sector": Column("text", meaning="Fama-French code, or Fund; readers see sector_name beside it"),
        "sector_scheme": Column("text", meaning="of sector"),
        "industry": Column("text", bound=NAME, meaning="SIC description"),
        "industry_group": Column("text"),
        "sic_code": Column("text", bound=SIC),
        "market_cap": Column("double precision", bound=MARKET_CAP, meaning="shares outstanding x last close"),
        "float_shares": Column("double precision", bound=FREE_FLOAT),
        "float_percent": Column("double precision", bound=PERCENT),
        "float_effective_date": Column("date", bound=FLOAT_DATE),
        "shares_outstanding": Column(
            "double precision", bound=SHARES, meaning="as the details gave them on details_fetched_at"
        ),
        "shares_class": Column("double precision", bound=SHARES),
        "avg_volume_30d": Column(
            "double precision", bound=MEAN_VOLUME, meaning="split-adjusted, over up to 30 sessions"
        ),
        "avg_volume_10d": Column("double precision", bound=MEAN_VOLUME),
        "avg_volume_5d": Column("double precision", bound=MEAN_VOLUME),
        "avg_price_30d": Column("double precision", bound=ADJUSTED_PRICE),
        "last_close": Column("double precision", bound=ADJUSTED_PRICE),
        "beta": Column("double precision", meaning="never filled"),
        "is_etf": Column("boolean"),
        "is_actively_trading": Column("boolean"),
        "cik": Column("text", bound=CIK),
        "composite_figi": Column("text", bound=FIGI),
        "share_class_figi": Column("text", bound=FIGI),
        "list_date": Column("date", bound=LIST_DATE),
        "delisted_at": Column("timestamp with time zone"),
        "as_of": Column("date", meaning="session of the derived figures"),
        "details_attempted_at": Column("timestamp with time zone"),
        "details_outcome": Column("text", meaning="loaded or not_found"),
        "details_fetched_at": Column("timestamp with time zone"),
        "created_at": Column("timestamp with time zone"),
        "updated_at": Column("timestamp with time zone"),
        "avg_volume_sessions": Column("integer", meaning="of how many sessions avg_volume_30d is"),
        "avg_volume_sessions_10d": Column("integer"),
        "avg_volume_sessions_5d": Column("integer"),
        "avg_volume_3m": Column(
            "double precision", bound=MEAN_VOLUME, meaning="over 63 sessions; null unless all of them are stored"
        ),
        "avg_volume_sessions_3m": Column("integer", meaning="of how many it is: fewer since a listing; null with it"),
        "market": Column("text", bound=WORD),
        "locale": Column("text", bound=WORD),
        "currency_name": Column("text", bound=WORD, meaning="in which it is quoted"),
        "round_lot": Column("double precision", bound=ROUND_LOT),
        "delisted_utc": Column("timestamp with time zone", bound=DELISTED_AT, meaning="as the details say"),
        "description": Column("text", bound=LINES),
        "homepage_url": Column("text", bound=WEB_ADDRESS),
        "phone_number": Column("text", bound=WORD),
        "total_employees": Column("integer", bound=EMPLOYEES),
        "ticker_root": Column("text", bound=SYMBOL),
        "ticker_suffix": Column("text", bound=SYMBOL, meaning="of a class, right, unit or warrant"),
        "logo_url": Column("text", bound=WEB_ADDRESS, meaning="answers with an API key of the vendor only"),
        "icon_url": Column("text", bound=WEB_ADDRESS),
        "address1": Column("text", bound=NAME, meaning="of the head office, as its next four"),
        "address2": Column("text", bound=NAME),
        "city": Column("text", bound=NAME),
        "state": Column("text", bound=WORD),
        "postal_code": Column("text", bound=WORD),
    },
)

DETAILS = DataSet(
    name=names.DETAILS,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.SYMBOL,
    meaning="a ticker's name, type, industry, shares and listing date",
    kinds=(
        PartKind(name="plan", run=metadata_enrich.plan_parts, after=(names.UNIVERSE, names.SPLITS)),
        PartKind(
            name="details",
            run=metadata_enrich.load_details,
            asked=Asked.VENDOR,
            asks=Question.TICKER_DETAILS,
            shows=Capability.TICKER_DETAILS,
        ),
    ),
    missing=_missing,
    reads=_due,
    known_later=(names.UNIVERSE, names.SPLITS),
    cost=_cost,
    gap=_gap,
    capability=Capability.TICKER_DETAILS,
    in_verdict=True,
    piecemeal=Piecemeal(kind="details", a_pass=details_a_pass),
    tables=(TICKER_PROFILE,),
)
