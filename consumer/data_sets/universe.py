"""Declares the universe: who is listed at present, read to its end from the vendor's listing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.market_size import USUAL_MARKET
from consumer.data_sets.missing import whole
from consumer.data_sets.tables import Column, Kept, Table
from consumer.tasks import cache_contents, metadata_enrich
from consumer.tasks.redis_sync import Cache
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import CIK, DELISTED_AT, FIGI, SYMBOL, WORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan

LISTING_PAGE = 1_000  # tickers an answer


def _missing(situation: Situation) -> list[PartPlan]:
    """Also where nobody is listed: no listing leaves nobody."""
    return [whole(UNIVERSE)] if situation.is_outdated(names.UNIVERSE) or not situation.holdings.symbols else []


def _cost(situation: Situation, _parts: Sequence[PartPlan]) -> Mapping[Question, int]:
    """One more where a symbol leaves the market: that it did so is asked for too."""
    return {Question.TICKERS: math.ceil((situation.holdings.symbols or USUAL_MARKET) / LISTING_PAGE)}


LISTED_TICKER = Table(
    name="listed_ticker",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spells it"),
        "is_active": Column("boolean", meaning="listed at present"),
        "ticker_type": Column("text", bound=WORD, meaning="the vendor's code: CS, ETF, …"),
        "listed_figi": Column("text", bound=FIGI),
        "listed_cik": Column("text", bound=CIK),
        "last_seen": Column("date", meaning="session of the last listing that had it"),
        "added_at": Column("timestamp with time zone"),
        "removed_at": Column("timestamp with time zone"),
        "reason_removed": Column("text"),
        "changed_at": Column("timestamp with time zone", meaning="when a listing last showed another identity for it"),
        "state": Column("text", meaning="listed, renamed, delisted, unlisted, otc or test"),
        "issuer_since": Column("date", meaning="first session of the present issuer; null: as far back as data goes"),
        "delisted_at": Column("timestamp with time zone", bound=DELISTED_AT),
        "market_data_symbol": Column("text", meaning="how bars spell it, where that differs"),
        "listed_from": Column("date", meaning="first session on which it is expected; null: always"),
        "listed_share_class_figi": Column("text", bound=FIGI),
        "missing_since": Column("date", meaning="first listing that lacked it"),
        "missing_until": Column("date"),
        "missed_listings": Column("integer", meaning="how many in a row"),
    },
)

UNIVERSE = DataSet(
    name=names.UNIVERSE,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.PRESENT,
    meaning="who is listed at present, and under which name and company",
    kinds=(PartKind(name="universe", run=metadata_enrich.load_universe, asked=Asked.VENDOR, asks=Question.TICKERS),),
    missing=_missing,
    cost=_cost,
    assumes="no symbol leaves the market (one more listing page when some do)",
    in_verdict=True,
    caches=(
        Cache(
            name=names.CACHE_UNIVERSE,
            made_from=(names.UNIVERSE, names.IDENTITY),
            prepare=cache_contents.universe,
            lasts=True,
        ),
    ),
    tables=(LISTED_TICKER,),
)

TICKER_CHANGE = Table(
    name="ticker_change",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text"),
        "changed_on": Column("date", meaning="first session on which it was so"),
        "kind": Column("text", meaning="renamed, reissued or contested"),
        "new_symbol": Column("text"),
        "since": Column("date"),
        "old_figi": Column("text"),
        "new_figi": Column("text"),
        "found_at": Column("timestamp with time zone"),
        "old_codes": Column("jsonb"),
        "new_codes": Column("jsonb"),
        "listed_on": Column("date"),
        "evidence": Column("text"),
        "closed_on": Column("date"),
    },
)

IDENTITY = DataSet(
    name=names.IDENTITY,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.NOTE,
    meaning="a listing, or details, showed a renamed company or a reissued symbol",
    tables=(TICKER_CHANGE,),
)
