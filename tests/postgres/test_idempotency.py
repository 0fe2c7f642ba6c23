"""A claim of a key is its claimer's: who was slow and was followed neither answers for the other nor frees the key."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import idempotency
from consumer.postgres.idempotency import TAKEN_OVER_AFTER, Claim, KeptAnswer

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

SLOW = Claim(key_digest="a" * 64, fingerprint="b" * 64, at=dt.datetime(2025, 11, 11, 22, 0, 0, 123456, tzinfo=dt.UTC))
TAKER = msgspec.structs.replace(SLOW, at=SLOW.at + TAKEN_OVER_AFTER)
LATER = msgspec.structs.replace(SLOW, at=TAKER.at + dt.timedelta(seconds=1))
UNDER_WAY = KeptAnswer(fingerprint=SLOW.fingerprint, status=None, location=None, body=None)


async def followed(pool: Pool) -> None:
    """The claim of *SLOW*, taken over by *TAKER*."""
    assert await idempotency.claim(pool, SLOW) is None
    assert await idempotency.claim(pool, TAKER) is None


async def test_who_was_followed_does_not_free_the_key_of_who_followed(pool: Pool) -> None:
    await followed(pool)
    await idempotency.give_back(pool, SLOW)
    assert await idempotency.claim(pool, LATER) == UNDER_WAY
    await idempotency.give_back(pool, TAKER)
    assert await idempotency.claim(pool, LATER) is None


async def test_who_was_followed_keeps_no_answer_in_the_place_of_who_followed(pool: Pool) -> None:
    await followed(pool)
    await idempotency.keep(pool, SLOW, status=404, location=None, body=b"nothing runs")
    assert await idempotency.claim(pool, LATER) == UNDER_WAY
    await idempotency.keep(pool, TAKER, status=200, location=None, body=b"done")
    kept = await idempotency.claim(pool, LATER)
    assert kept is not None
    assert (kept.status, kept.body) == (200, b"done")
