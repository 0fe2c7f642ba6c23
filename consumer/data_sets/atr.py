"""Declares the average true range of the newest session, over all stored history since its last hole."""

from __future__ import annotations

from consumer.data_sets.declaration import Covers, DataSet, PartKind
from consumer.data_sets.tables import Column, Kept, Table
from consumer.tasks import atr, cache_contents
from consumer.tasks.redis_sync import Cache
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import RANGE, RANGE_PERCENT, SYMBOL

TICKER_ATR = Table(
    name="ticker_atr",
    kept=Kept.MARKET_DATA,
    day_column="trading_date",
    columns={
        "trading_date": Column("date", meaning="of its last bar"),
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spells it"),
        "atr": Column("double precision", bound=RANGE, meaning="Wilder's average of 14 true ranges"),
        "atr_percent": Column("double precision", bound=RANGE_PERCENT, meaning="of the adjusted last close"),
        "bars_used": Column("integer", meaning="since the last hole, at most those that still weigh anything"),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
    },
)

ATR_PAST = Table(
    name="atr_past",
    kept=Kept.PRESENT,
    columns={
        "only_row": Column("boolean"),
        "as_of": Column("date", meaning="the session up to which the states stand for the bars"),
        "period": Column("integer"),
        "unbroken_since": Column("date", meaning="first session of the chain without a hole that led there"),
        "computed_at": Column("timestamp with time zone"),
    },
)
ATR_STATE = Table(
    name="atr_state",
    kept=Kept.PRESENT,
    columns={
        "symbol": Column("text"),
        "average": Column("double precision", meaning="the ATR; with too few bars the sum of the true ranges"),
        "close": Column("double precision"),
        "bars": Column("integer"),
        "basis": Column("text", meaning="its splits, names and last hole: with others the state is void"),
    },
)

ATR = DataSet(
    name=names.ATR,
    task=TaskName.OHLC_DAILY,
    covers=Covers.NEWEST_SESSION,
    meaning="ATR(14) on split-adjusted bars, with TA-Lib's seed",
    kinds=(PartKind(name="atr", run=atr.compute_atr, after=(names.SPLIT_CHECK, names.UNIVERSE)),),
    made_from=(names.DAILY_BARS, names.TAKEN, names.SPLITS, names.SPLIT_CHECK, names.IDENTITY, names.BOUNDARIES),
    # What a backfill, a person or a list of splits changes; the others change only together with a cycle's figures.
    watches=(names.DAILY_BARS, names.TAKEN, names.SPLITS, names.BOUNDARIES),
    in_verdict=True,
    caches=(Cache(name=names.CACHE_ATR, made_from=(names.ATR,), requires=(names.ATR,), prepare=cache_contents.atr),),
    tables=(TICKER_ATR, ATR_PAST, ATR_STATE),
)
