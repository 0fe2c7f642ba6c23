"""Declares the tables of the ledger: which cycle ran, which part is done, what is covered, from which load."""

from __future__ import annotations

from consumer.data_sets.evidence_tables import OF_LOADS_THAT_COUNT
from consumer.data_sets.tables import Column, Kept, Table
from consumer.postgres.cycles import FIRST_CYCLE
from market.bounded_fields import REQUEST_ID

COVERAGE = Table(
    name="coverage",
    kept=Kept.MARKET_DATA,
    columns={
        "data_set": Column("text"),
        "trading_day": Column("date"),
        "row_count": Column("bigint"),
        "fetched_at": Column("timestamp with time zone"),
        "load_id": Column("bigint", meaning="the load that stands"),
        "detail": Column("jsonb", meaning="what the data set notes beside"),
        "retired_at": Column("timestamp with time zone", meaning="when retention deleted the session"),
    },
)

CYCLE = Table(
    name="cycle",
    kept=Kept.WORKING_RECORDS,
    age_column="finished_at",
    stays=FIRST_CYCLE,
    columns={
        "cycle_id": Column("bigint"),
        "trading_day": Column("date"),
        "occasion": Column("text", meaning="the rule, or the request"),
        "scheduled": Column("boolean"),
        "due_at": Column("timestamp with time zone"),
        "requested_by": Column("text"),
        "tasks": Column("text[]"),
        "force": Column("boolean"),
        "state": Column("text"),
        "pass": Column("integer", meaning="how often it was planned"),
        "opened_at": Column("timestamp with time zone"),
        "pass_started_at": Column("timestamp with time zone"),
        "finished_at": Column("timestamp with time zone"),
        "next_pass_at": Column("timestamp with time zone"),
        "give_up_at": Column("timestamp with time zone", meaning="when the next session goes first"),
        "reason": Column("text"),
        "missing": Column("text[]", meaning="a line each"),
        "warnings": Column("text[]"),
        "first_day": Column("date", meaning="of a backfill"),
    },
)

PART = Table(
    name="part",
    kept=Kept.WORKING_RECORDS,
    columns={
        "cycle_id": Column("bigint"),
        "task": Column("text"),
        "part": Column("text"),
        "stage": Column("text", meaning="what other parts wait for"),
        "needs": Column("text[]", meaning="the stages it waits for"),
        "state": Column("text"),
        "pass": Column("integer"),
        "payload": Column("jsonb"),
        "fence": Column("bigint"),
        "holder": Column("text"),
        "attempt": Column("integer"),
        "started_at": Column("timestamp with time zone"),
        "ended_at": Column("timestamp with time zone"),
        "row_count": Column("bigint"),
        "requests": Column("jsonb"),
        "retryable": Column("boolean"),
        "reason": Column("text"),
        "warnings": Column("text[]"),
        "failure_class": Column("text", meaning="why it ended without its data, as a word"),
    },
)

DATA_LOAD = Table(
    name="data_load",
    kept=Kept.WORKING_RECORDS,
    age_column="fetched_at",
    stays=OF_LOADS_THAT_COUNT,
    columns={
        "load_id": Column("bigint"),
        "cycle_id": Column("bigint"),
        "task": Column("text"),
        "part": Column("text"),
        "fence": Column("bigint"),
        "source": Column("text", meaning="whose data, and the way it came"),
        "request_id": Column("text", bound=REQUEST_ID, meaning="the vendor's"),
        "fetched_at": Column("timestamp with time zone"),
        "row_count": Column("bigint"),
        "rejected": Column("jsonb", meaning="values set aside, by flaw"),
    },
)

SESSION_CONDITION = Table(
    name="session_condition",
    kept=Kept.MARKET_DATA,
    columns={
        "trading_day": Column("date"),
        "condition": Column("text", meaning="available, pending, degraded or missing"),
        "state": Column("text"),
        "reason": Column("text", meaning="one sentence"),
        "state_since": Column("timestamp with time zone"),
        "last_modified_at": Column("timestamp with time zone"),
        "judged_at": Column("timestamp with time zone"),
        "data_sets": Column("jsonb"),
    },
)

VENDOR_CAPABILITY = Table(
    name="vendor_capability",
    kept=Kept.PRESENT,
    columns={
        "capability": Column("text"),
        "available": Column("boolean"),
        "learned_at": Column("timestamp with time zone"),
        "evidence": Column("text"),
        "refused_since": Column("timestamp with time zone", meaning="given until then, and refused since"),
    },
)

DATA_SOURCE = Table(
    name="data_source",
    kept=Kept.PRESENT,
    columns={
        "only_row": Column("boolean"),
        "kind": Column("text", meaning="vendor, simulated, replay or folder"),
        "identity": Column("text"),
        "name": Column("text"),
        "stamped_at": Column("timestamp with time zone"),
        "stamped_by": Column("text"),
    },
)

READER_VIEW = Table(
    name="reader_view",
    kept=Kept.PRESENT,
    columns={
        "name": Column("text"),
        "definition": Column("text"),
    },
)

READER_PRICES = Table(
    name="reader_prices",
    kept=Kept.PRESENT,
    columns={
        "only_row": Column("boolean"),
        "prices": Column("text", meaning="raw or adjusted: what the names that readers know show"),
    },
)

ADOPTED_RELATION = Table(
    name="adopted_relation",
    kept=Kept.PRESENT,
    columns={
        "name": Column("text", meaning="as its readers knew it, and find a view of ours now"),
        "kept_as": Column("text", meaning="in the same schema"),
        "rows_taken": Column("bigint"),
        "rows_refused": Column("bigint", meaning="of no session, or beyond what a value can be; they stay in kept_as"),
        "adopted_at": Column("timestamp with time zone"),
    },
)

SCHEMA_VERSION = Table(
    name="schema_version",
    kept=Kept.PRESENT,
    columns={
        "only_row": Column("boolean"),
        "version": Column("integer", meaning="of the newest program that has brought the tables up to date"),
        "oldest_served": Column("integer", meaning="programs below it refuse to start, and stop where they run"),
    },
)

SCHEMA_MIGRATION = Table(
    name="schema_migration",
    kept=Kept.PRESENT,
    columns={
        "name": Column("text"),
        "checksum": Column("text"),
        "applied_at": Column("timestamp with time zone"),
    },
)
