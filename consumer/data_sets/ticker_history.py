"""Declares the history of universe and metadata: who was listed on any day, and what was known of each."""

from __future__ import annotations

from consumer.data_sets.declaration import Covers, DataSet
from consumer.data_sets.tables import Column, Kept, Table
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import (
    CIK,
    FIGI,
    FLOAT_DATE,
    FREE_FLOAT,
    LIST_DATE,
    MIC,
    NAME,
    PERCENT,
    SHARES,
    SIC,
    SYMBOL,
    WORD,
)

_FROM = Column("date", meaning="first trading day on which it was so")
_TO = Column("date", meaning="first day on which it was so no more; 'infinity': it is so")
_LOAD = Column("bigint", meaning="where it came from: data_load; null: it stood when the history began")
_KNOWN = Column("timestamp with time zone", meaning="since when that is known here, UTC")
_SINCE = Column("date", meaning="first session of its issuer; null: as far back as data goes")

# A span is retired by the day it ended: what is so at present has no such day, and stays.
LISTED_TICKER_HISTORY = Table(
    name="listed_ticker_history",
    kept=Kept.MARKET_DATA,
    day_column="valid_to",
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spelled it"),
        "valid_from": _FROM,
        "valid_to": _TO,
        "is_listed": Column("boolean"),
        "state": Column("text", meaning="listed, renamed, delisted, unlisted, otc or test"),
        "listed_figi": Column("text", bound=FIGI, meaning="as the listing of those days gave it"),
        "listed_share_class_figi": Column("text", bound=FIGI),
        "listed_cik": Column("text", bound=CIK),
        "issuer_since": _SINCE,
        "delisted_on": Column("date", meaning="as the vendor gives it"),
        "load_id": _LOAD,
        "known_at": _KNOWN,
    },
)

TICKER_PROFILE_HISTORY = Table(
    name="ticker_profile_history",
    kept=Kept.MARKET_DATA,
    day_column="valid_to",
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spelled it"),
        "valid_from": _FROM,
        "valid_to": _TO,
        "company_name": Column("text", bound=NAME),
        "exchange": Column("text", bound=MIC, meaning="MIC"),
        "ticker_type": Column("text", bound=WORD),
        "sector": Column("text", meaning="Fama-French code"),
        "sector_scheme": Column("text"),
        "industry": Column("text", bound=NAME, meaning="SIC description"),
        "industry_group": Column("text"),
        "sic_code": Column("text", bound=SIC),
        "shares_outstanding": Column("double precision", bound=SHARES, meaning="as they were counted, unscaled"),
        "shares_class": Column("double precision", bound=SHARES),
        "shares_counted_on": Column("date", meaning="New York day on which this count was first given"),
        "float_shares": Column("double precision", bound=FREE_FLOAT),
        "float_percent": Column("double precision", bound=PERCENT),
        "float_effective_date": Column("date", bound=FLOAT_DATE, meaning="with which this float was first given"),
        "list_date": Column("date", bound=LIST_DATE),
        "cik": Column("text", bound=CIK),
        "composite_figi": Column("text", bound=FIGI),
        "share_class_figi": Column("text", bound=FIGI),
        "issuer_since": _SINCE,
        "load_id": _LOAD,
        "known_at": _KNOWN,
    },
)

TICKER_HISTORY = DataSet(
    name=names.TICKER_HISTORY,
    task=TaskName.METADATA_ENRICH,
    covers=Covers.NOTE,
    meaning="a listing was held against the history of who was listed and what was known of each",
    tables=(LISTED_TICKER_HISTORY, TICKER_PROFILE_HISTORY),
)
