"""Declares the tables of what persons did: their actions with who and why, and the answers to repeated requests."""

from __future__ import annotations

from consumer.data_sets.tables import Column, Kept, Table

OPERATOR_ACTION = Table(
    name="operator_action",
    kept=Kept.WORKING_RECORDS,
    age_column="acted_at",
    columns={
        "action_id": Column("bigint"),
        "acted_at": Column("timestamp with time zone"),
        "action": Column("text", meaning="trigger, backfill, cancel, replay, drop, accept, reject"),
        "author": Column("text", meaning="who"),
        "reason": Column("text", meaning="why, where he said it"),
        "via": Column("text", meaning="http, page, command line or stream"),
        "about": Column("text", meaning="of what, in words"),
        "trading_day": Column("date"),
        "first_day": Column("date", meaning="of a backfill"),
        "request": Column("text", meaning="the stream entry that asked, or the name that it was given"),
        "cycle_id": Column("bigint", meaning="the cycle that serves the request"),
    },
)

IDEMPOTENT_REQUEST = Table(
    name="idempotent_request",
    kept=Kept.WORKING_RECORDS,
    age_column="claimed_at",
    columns={
        "key_digest": Column("text", meaning="SHA-256 of the request's Idempotency-Key"),
        "fingerprint": Column("text", meaning="SHA-256 of its path and body"),
        "claimed_at": Column("timestamp with time zone"),
        "status": Column("smallint", meaning="of the answer; null while somebody is at it"),
        "location": Column("text", meaning="of the answer"),
        "body": Column("bytea", meaning="of the answer"),
    },
)
