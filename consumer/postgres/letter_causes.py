"""Bounds what is kept of refused entries: the newest examples of each cause, and how many there were in all.

Anybody may write to a stream, as often as he likes. A letter of a part of the ledger is no example: it stays until a
person has seen to it, however much junk comes.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.postgres.pool import Connection, Pool

EXAMPLES_KEPT = 100
#: Of entries that are given up together: more say nothing new.
EXAMPLES_AT_ONCE = 10
#: Of one stream; whatever else is wrong with its entries is one cause.
MOST_CAUSES = 200
VARIOUS = "various"
_LOCK = 0x6C657474  # "lett": two who thin out one cause would wait for each other's rows


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters of one cause there were, and of how many nothing else is kept."""

    stream: str
    fingerprint: str
    seen: int
    not_kept: int
    first_at: dt.datetime
    last_at: dt.datetime


async def lock_causes(connection: Connection) -> None:
    """Until the transaction ends nobody else counts."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def known_as(connection: Connection, stream: str, fingerprints: Iterable[str]) -> dict[str, str]:
    """Return under which cause each fingerprint is counted: its own, unless there are too many of them already."""
    rows = await connection.fetch("SELECT fingerprint FROM dead_letter_cause WHERE stream = $1", stream)
    known, names = {row["fingerprint"] for row in rows}, {}
    for one in fingerprints:
        names[one] = one if one in known or len(known) < MOST_CAUSES else VARIOUS
        known.add(names[one])
    return names


_THIN_OUT = """
WITH gone AS (
    DELETE FROM dead_letter WHERE dead_letter_id IN (
        SELECT dead_letter_id FROM dead_letter
        WHERE stream = $1 AND fingerprint = $2 AND state = 'open' AND example
        ORDER BY dead_letter_id DESC OFFSET $3)
    AND state = 'open'  -- still, after waiting for whoever was just seeing to it
    RETURNING 1)
SELECT count(*) FROM gone
"""


_ADD_UP = """
INSERT INTO dead_letter_cause AS cause (stream, fingerprint, seen, not_kept, first_at, last_at)
VALUES ($1, $2, $3, $4, $5, $5)
ON CONFLICT (stream, fingerprint) DO UPDATE
    SET seen = cause.seen + excluded.seen, not_kept = cause.not_kept + excluded.not_kept,
        last_at = greatest(cause.last_at, excluded.last_at)
"""


async def count(
    connection: Connection, stream: str, seen: Counter[str], kept: Counter[str], *, now: dt.datetime
) -> None:
    """Add to each cause what was *seen* of it, thin out its examples, and note how many are not *kept*."""
    for fingerprint in sorted(seen):
        thinned = await connection.fetchval(
            _THIN_OUT,
            stream,
            fingerprint,
            EXAMPLES_KEPT,
        )
        left_out = seen[fingerprint] - kept[fingerprint] + int(thinned)
        await connection.execute(
            _ADD_UP,
            stream,
            fingerprint,
            seen[fingerprint],
            left_out,
            now,
        )


async def read_causes(connection: Connection | Pool) -> list[Cause]:
    """Return the causes of which letters were only counted."""
    rows = await connection.fetch(
        f"SELECT {', '.join(Cause.__struct_fields__)} FROM dead_letter_cause WHERE not_kept > 0 "
        "ORDER BY stream, fingerprint"
    )
    return [Cause(**dict(row)) for row in rows]


async def not_kept(connection: Connection | Pool) -> int:
    """How many letters were only counted, of causes that nobody has seen to."""
    return int(await connection.fetchval("SELECT coalesce(sum(not_kept), 0) FROM dead_letter_cause"))


async def forget_settled(connection: Connection) -> set[tuple[str, str]]:
    """Forget the causes without an open letter, and return them: whoever has seen to its letters has seen to it."""
    rows = await connection.fetch(
        "DELETE FROM dead_letter_cause AS cause WHERE NOT EXISTS (SELECT FROM dead_letter AS letter "
        "WHERE letter.stream = cause.stream AND letter.fingerprint = cause.fingerprint AND letter.state = 'open') "
        "RETURNING stream, fingerprint"
    )
    return {(row["stream"], row["fingerprint"]) for row in rows}


def examples(fingerprints: Sequence[str]) -> set[int]:
    """Return which of the letters, by place, are kept of so many: the newest of each cause."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(fingerprints):
        places[one].append(place)
    return {place for some in places.values() for place in some[-EXAMPLES_AT_ONCE:]}
