"""Keeps what was given up: every dead letter with its reason, and who replayed or dropped it.

`maintenance:dead` shows the same to whoever looks with redis-cli; this table is the truth. A letter is written before
its entry is acknowledged, in the same transaction as the end of the part it asked for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool
    from producers.reports import DeadLetter

_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b[A-Z][A-Z0-9.]{0,9}\b(?=[^a-z])|[0-9a-f]{8,}|\d[\d:.,T+-]*")
_COLUMNS = (
    "dead_letter_id, stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, trading_day, task, part, "
    "state, settled_at, settled_by, settled_reason"
)


class KeptLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `dead_letter`. *state*: open, replayed, dropped; *settled_…* say when, by whom and why."""

    dead_letter_id: int
    stream: str
    entry_id: str
    reason: str
    fingerprint: str
    deliveries: int
    dead_at: dt.datetime
    fields: dict[str, str]
    trading_day: dt.date | None
    task: str | None
    part: str | None
    state: str
    settled_at: dt.datetime | None
    settled_by: str | None
    settled_reason: str | None


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which open letters are meant: all conditions that are given must hold."""

    ids: tuple[int, ...] = ()
    task: str | None = None
    fingerprint: str | None = None


def fingerprint(reason: str) -> str:
    """Return eight hex digits that are the same for every letter of one cause: of the reason without what differs
    from one to the next (numbers, names, days)."""
    cause = " ".join(_VARYING.sub("*", reason).split())
    return hashlib.sha256(cause.encode()).hexdigest()[:8]


async def keep(
    connection: Connection | Pool,
    letter: DeadLetter,
    *,
    trading_day: dt.date | None = None,
    task: str | None = None,
    part: str | None = None,
) -> None:
    """Write *letter*; the same entry given up again, after a crash before its acknowledgement, is the same letter.

    Then it says what its copy on the stream will say, which is only written with the acknowledgement.
    """
    await connection.execute(
        """
        INSERT INTO dead_letter (stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, trading_day,
                                 task, part)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (stream, entry_id) DO UPDATE
            SET reason = excluded.reason, fingerprint = excluded.fingerprint, deliveries = excluded.deliveries,
                dead_at = excluded.dead_at
            WHERE dead_letter.state = 'open'
        """,
        letter.stream, letter.entry_id, letter.reason, fingerprint(letter.reason), letter.deliveries, letter.at,
        json.dumps(letter.fields), trading_day, task, part,
    )  # fmt: skip


async def open_count(connection: Connection | Pool) -> int:
    """How many letters nobody has seen to."""
    return int(await connection.fetchval("SELECT count(*) FROM dead_letter WHERE state = 'open'"))


async def find(
    connection: Connection | Pool, selection: Selection, *, settled: bool = False, lock: bool = False
) -> list[KeptLetter]:
    """Return the selected letters, oldest first; only the open ones unless *settled*."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM dead_letter WHERE ($1 OR state = 'open') "
        "AND (cardinality($2::bigint[]) = 0 OR dead_letter_id = ANY ($2)) AND ($3::text IS NULL OR task = $3) "
        "AND ($4::text IS NULL OR fingerprint = $4) ORDER BY dead_letter_id" + (" FOR UPDATE" if lock else ""),
        settled, list(selection.ids), selection.task, selection.fingerprint,
    )  # fmt: skip
    return [_letter(dict(row)) for row in rows]


async def settle(
    connection: Connection, ids: Sequence[int], *, state: str, by: str, reason: str | None, now: dt.datetime
) -> None:
    """Mark open letters as replayed or dropped."""
    await connection.execute(
        "UPDATE dead_letter SET state = $2, settled_at = $3, settled_by = $4, settled_reason = $5 "
        "WHERE dead_letter_id = ANY ($1) AND state = 'open'",
        list(ids), state, now, by, reason,
    )  # fmt: skip


def _letter(row: dict[str, Any]) -> KeptLetter:
    return KeptLetter(**{**row, "fields": json.loads(row["fields"])})
