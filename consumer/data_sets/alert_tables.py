"""Declares the tables of absence: which deadlines were missed, and what was told of them outside."""

from __future__ import annotations

from consumer.data_sets.tables import Column, Kept, Table

MISSED_DEADLINE = Table(
    name="missed_deadline",
    kept=Kept.WORKING_RECORDS,
    age_column="noticed_at",
    stays="t.made_good_at IS NULL",
    columns={
        "trading_day": Column("date"),
        "data_set": Column("text"),
        "due_at": Column("timestamp with time zone", meaning="the due time that was not served"),
        "deadline": Column("timestamp with time zone"),
        "noticed_at": Column("timestamp with time zone"),
        "why": Column("text"),
        "made_good_at": Column("timestamp with time zone", meaning="when the data were there all the same"),
    },
)

ALERT_MESSAGE = Table(
    name="alert_message",
    kept=Kept.WORKING_RECORDS,
    age_column="made_at",
    columns={
        "message_id": Column("bigint"),
        "name": Column("text", meaning="what it says: nothing is said twice"),
        "channel": Column("text", meaning="webhook or ping"),
        "kind": Column("text"),
        "body": Column("text"),
        "made_at": Column("timestamp with time zone"),
        "tries": Column("integer"),
        "next_try_at": Column("timestamp with time zone"),
        "delivered_at": Column("timestamp with time zone"),
        "given_up_at": Column("timestamp with time zone"),
        "last_answer": Column("text"),
    },
)
