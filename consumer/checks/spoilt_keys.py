"""Checks that our streams take entries and hand them out, and that our keys hold what they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.exceptions import NoPermissionError, ResponseError

from consumer.checks.finding import Finding, ok, refused, unknown
from consumer.cycle.caretaker import TYPES
from producers.mending import look_for_trouble

if TYPE_CHECKING:
    from redis.asyncio import Redis

CHECK = "streams and keys"
MENDS = "a running consumer mends it within seconds, and logs `stream_mended` or `key_mended`; if it stays, start one"


async def check_spoilt(redis: Redis) -> Finding:
    """Nothing that somebody wrote by hand stops our work. Raises RedisError."""
    try:
        troubles = await look_for_trouble(redis, TYPES)
    except NoPermissionError:
        raise
    except ResponseError as error:
        return unknown(CHECK, str(error), "look again; a replica takes no scripts that write")
    if troubles:
        return refused(CHECK, "; ".join(one.words for one in troubles), MENDS)
    return ok(CHECK, "each can be written to")
