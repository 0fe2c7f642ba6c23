"""Declares the boundaries of series: days that no figure reads across, by a person's word or a company's identity."""

from __future__ import annotations

from consumer.data_sets.declaration import Covers, DataSet
from consumer.data_sets.tables import Column, Kept, Table
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import SYMBOL

SERIES_BOUNDARY = Table(
    name="series_boundary",
    kept=Kept.WORKING_RECORDS,
    age_column="found_at",
    # A proposal that nobody has seen to goes in time; a person's word stays.
    stays="t.state <> 'proposed'",
    columns={
        "symbol": Column("text", bound=SYMBOL, meaning="as its bars of that session stand"),
        "boundary_day": Column("date", meaning="first session of the new series"),
        "state": Column("text", meaning="proposed, accepted or rejected"),
        "evidence": Column("text", meaning="what the prices showed"),
        "found_at": Column("timestamp with time zone"),
        "decided_at": Column("timestamp with time zone"),
        "decided_by": Column("text"),
        "decided_reason": Column("text"),
    },
)

BOUNDARIES = DataSet(
    name=names.BOUNDARIES,
    task=TaskName.OHLC_DAILY,
    covers=Covers.NOTE,
    meaning="a person said where a series may not be read across, or took that back",
    tables=(SERIES_BOUNDARY,),
)
