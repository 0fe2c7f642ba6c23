"""Keeps what the plan behind the key gives, as the vendor's own refusals and answers have shown it.

What was never given is believed to be lacking at the first refusal. What was given once is not: one refusal may be an
outage in disguise, so it takes another one on a later day, with no answer in between.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.pool import Connection, Pool


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `vendor_capability`; *evidence* is what the vendor said, or gave; *refused_since* a doubt about it."""

    capability: str
    available: bool
    learned_at: dt.datetime
    evidence: str
    refused_since: dt.datetime | None


_COLUMNS = ", ".join(Learned.__struct_fields__)


async def read_capabilities(connection: Connection | Pool) -> list[Learned]:
    """Return what is known, in order of its name."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM vendor_capability ORDER BY capability")
    return [Learned(**dict(row)) for row in rows]


async def note_given(connection: Connection | Pool, capability: str, *, evidence: str, now: dt.datetime) -> bool:
    """Note that the vendor gave it; say whether that is news."""
    # Looked at first: every part that loads comes here, and an upsert locks the row also where it changes nothing.
    if await connection.fetchval(
        "SELECT available AND refused_since IS NULL FROM vendor_capability WHERE capability = $1", capability
    ):
        return False
    learned = await connection.fetchval(
        """
        INSERT INTO vendor_capability AS known (capability, available, learned_at, evidence) VALUES ($1, true, $2, $3)
        ON CONFLICT (capability) DO UPDATE
            SET available = true, refused_since = NULL,
                learned_at = CASE WHEN known.available THEN known.learned_at ELSE excluded.learned_at END,
                evidence = CASE WHEN known.available THEN known.evidence ELSE excluded.evidence END
            WHERE NOT known.available OR known.refused_since IS NOT NULL
        RETURNING learned_at = $2
        """,
        capability,
        now,
        evidence,
    )
    return bool(learned)


async def note_refused(connection: Connection | Pool, capability: str, *, evidence: str, now: dt.datetime) -> bool:
    """Note that the vendor refused it as no part of the plan; say whether it is now believed to be lacking, newly."""
    learned = await connection.fetchval(
        """
        INSERT INTO vendor_capability AS known (capability, available, learned_at, evidence) VALUES ($1, false, $2, $3)
        ON CONFLICT (capability) DO UPDATE
            SET available = known.refused_since IS NULL OR (known.refused_since AT TIME ZONE 'America/New_York')::date
                            >= ($2::timestamptz AT TIME ZONE 'America/New_York')::date,
                refused_since = coalesce(known.refused_since, $2),
                learned_at = CASE WHEN (known.refused_since AT TIME ZONE 'America/New_York')::date
                                       < ($2::timestamptz AT TIME ZONE 'America/New_York')::date
                                  THEN $2 ELSE known.learned_at END,
                evidence = CASE WHEN known.refused_since IS NULL THEN known.evidence ELSE excluded.evidence END
            WHERE known.available
        RETURNING NOT available
        """,
        capability,
        now,
        evidence,
    )
    return bool(learned)


async def is_lacking(connection: Connection | Pool, capability: str) -> bool:
    """Whether the plan is believed to lack *capability*: one question is enough to see whether it still does."""
    lacking: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM vendor_capability WHERE capability = $1 AND NOT available)", capability
    )
    return lacking
