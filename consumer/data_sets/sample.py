"""Declares the weekly sample: a hundredth of what is stored, fetched again and compared, within a stated budget."""

from __future__ import annotations

from consumer.data_sets.declaration import Covers, DataSet
from consumer.data_sets.tables import Column, Kept, Table
from contract import data_sets as names
from contract.messages import TaskName

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

SAMPLE = DataSet(
    name=names.SAMPLE,
    task=TaskName.OHLC_DAILY,
    covers=Covers.PRESENT,
    meaning="a hundredth of the stored sessions and symbols, fetched again each week and compared",
    missing=lambda _: [],
    tables=(SAMPLED_RECHECK,),
)
