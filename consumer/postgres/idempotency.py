"""Keeps the answers to requests that named themselves, so that one that comes again does nothing twice.

A key is claimed before the work and its answer kept after it. Who claimed it and died leaves it: after a while whoever
asks the same again takes the claim over. A claim is known by its instant: who was slow, and followed, changes nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

TAKEN_OVER_AFTER = dt.timedelta(minutes=1)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A request's key and what it asks for, both as SHA-256."""

    key_digest: str
    fingerprint: str
    at: dt.datetime


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under a key; *status* None: somebody is at it."""

    fingerprint: str
    status: int | None
    location: str | None
    body: bytes | None


async def claim(pool: Pool, wanted: Claim) -> KeptAnswer | None:
    """Claim the key, and return None; or return what stands under it already."""
    async with pool.acquire() as connection, connection.transaction():
        ours = await connection.fetchval(
            """
            INSERT INTO idempotent_request AS r (key_digest, fingerprint, claimed_at) VALUES ($1, $2, $3)
            ON CONFLICT (key_digest) DO UPDATE SET claimed_at = excluded.claimed_at
                WHERE r.status IS NULL AND r.fingerprint = excluded.fingerprint
                AND r.claimed_at <= excluded.claimed_at - $4::interval
            RETURNING true
            """,
            wanted.key_digest,
            wanted.fingerprint,
            wanted.at,
            TAKEN_OVER_AFTER,
        )
        if ours:
            return None
        row = await connection.fetchrow(
            "SELECT fingerprint, status, location, body FROM idempotent_request WHERE key_digest = $1",
            wanted.key_digest,
        )
    # Given back between the two statements: nothing was done, and the next try claims it.
    return (
        KeptAnswer(**dict(row))
        if row is not None
        else KeptAnswer(fingerprint=wanted.fingerprint, status=None, location=None, body=None)
    )


async def keep(pool: Pool, wanted: Claim, *, status: int, location: str | None, body: bytes) -> None:
    """Keep what was answered, if the claim is still ours."""
    await pool.execute(
        "UPDATE idempotent_request SET status = $3, location = $4, body = $5 WHERE key_digest = $1 AND claimed_at = $2",
        wanted.key_digest,
        wanted.at,
        status,
        location,
        body,
    )


async def give_back(pool: Pool, wanted: Claim) -> None:
    """Forget a claim under which nothing was done, if it is still ours."""
    await pool.execute(
        "DELETE FROM idempotent_request WHERE key_digest = $1 AND claimed_at = $2 AND status IS NULL",
        wanted.key_digest,
        wanted.at,
    )
