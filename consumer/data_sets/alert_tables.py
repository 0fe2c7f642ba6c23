"""Declares the tables of absence: which deadlines were missed, and what was told of them outside."""

from __future__ import annotations

from consumer.data_sets.tables import Column, Kept, Table

MISSED_DEADLINE = Table(
    name="missed_deadline",
    kept=Kept.WORKING_RECORDS,
    age_column="noticed_at",
    stays="t.closed_at IS NULL",
    columns={
        "trading_day": Column("date"),
        "data_set": Column("text"),
        "due_at": Column("timestamp with time zone", meaning="the due time that was not served"),
        "deadline": Column("timestamp with time zone"),
        "noticed_at": Column("timestamp with time zone"),
        "why": Column("text"),
        "closed_at": Column("timestamp with time zone", meaning="since when it is missed no more; null while it is"),
        "made_good_at": Column(
            "timestamp with time zone",
            meaning="when the data were there all the same; null where the plan, a setting or retention closed it",
        ),
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
