"""Declares the tables of evidence: what was set aside, restated, given up, and found against a session."""

from __future__ import annotations

from consumer.data_sets.tables import Column, Kept, Table
from contract import data_sets as names

#: Of a row `t` that belongs to a load: of the bars that stand, whose holes are those that it set aside; or of an answer
#: that may still be taken.
OF_LOADS_THAT_COUNT = (
    f"EXISTS (SELECT FROM coverage AS c WHERE c.load_id = t.load_id AND c.data_set = '{names.DAILY_BARS}') "
    "OR EXISTS (SELECT FROM session_finding AS f WHERE f.load_id = t.load_id AND f.state = 'open')"
)

SET_ASIDE = Table(
    name="set_aside",
    kept=Kept.WORKING_RECORDS,
    age_column="trading_day",
    # What the load that stands set aside is a hole of that session, as long as it stands.
    stays=OF_LOADS_THAT_COUNT,
    columns={
        "load_id": Column("bigint"),
        "data_set": Column("text"),
        "trading_day": Column("date"),
        "flaw": Column("text"),
        "evidence": Column("json", meaning="the row as it came"),
        "symbol": Column("text"),
        "field": Column("text", meaning="null: the whole row"),
    },
)

RESTATEMENT = Table(
    name="restatement",
    kept=Kept.WORKING_RECORDS,
    age_column="found_at",
    columns={
        "data_set": Column("text"),
        "trading_day": Column("date"),
        "symbol": Column("text"),
        "change": Column("text", meaning="added, removed or changed"),
        "before": Column("jsonb"),
        "after": Column("jsonb"),
        "load_id": Column("bigint"),
        "found_at": Column("timestamp with time zone"),
    },
)

DEAD_LETTER = Table(
    name="dead_letter",
    kept=Kept.WORKING_RECORDS,
    age_column="dead_at",
    stays="t.state = 'open'",
    columns={
        "dead_letter_id": Column("bigint"),
        "stream": Column("text"),
        "entry_id": Column("text"),
        "reason": Column("text"),
        "fingerprint": Column("text", meaning="the same for the same cause"),
        "deliveries": Column("integer"),
        "dead_at": Column("timestamp with time zone"),
        "fields": Column("json", meaning="the entry's own, as they were"),
        "trading_day": Column("date"),
        "task": Column("text"),
        "part": Column("text"),
        "state": Column("text"),
        "settled_at": Column("timestamp with time zone"),
        "settled_by": Column("text"),
        "settled_reason": Column("text"),
        "example": Column("boolean"),
    },
)

DEAD_LETTER_CAUSE = Table(
    name="dead_letter_cause",
    kept=Kept.WORKING_RECORDS,
    age_column="last_at",
    stays="EXISTS (SELECT FROM dead_letter AS d WHERE d.fingerprint = t.fingerprint AND d.state = 'open')",
    columns={
        "stream": Column("text"),
        "fingerprint": Column("text"),
        "seen": Column("bigint"),
        "not_kept": Column("bigint"),
        "first_at": Column("timestamp with time zone"),
        "last_at": Column("timestamp with time zone"),
    },
)

SESSION_FINDING = Table(
    name="session_finding",
    kept=Kept.WORKING_RECORDS,
    age_column="settled_at",
    columns={
        "finding_id": Column("bigint"),
        "trading_day": Column("date"),
        "data_set": Column("text"),
        "kind": Column("text"),
        "reason": Column("text"),
        "symbols": Column("text[]"),
        "evidence": Column("jsonb"),
        "contested": Column("bytea", meaning="rows of an answer that was not taken: msgpack, zlib"),
        "contested_at": Column("timestamp with time zone"),
        "load_id": Column("bigint"),
        "found_at": Column("timestamp with time zone"),
        "rechecked_at": Column("timestamp with time zone"),
        "state": Column("text"),
        "settled_at": Column("timestamp with time zone"),
        "settled_by": Column("text"),
        "settled_reason": Column("text"),
        "rows_replaced_at": Column("timestamp with time zone"),
    },
)
