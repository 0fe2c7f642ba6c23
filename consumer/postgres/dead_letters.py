"""Keeps what was given up: every dead letter with its reason, and who replayed or dropped it.

`maintenance:dead` shows the same to whoever looks with redis-cli; this table is the truth. A letter is written before
its entry is acknowledged, in the same transaction as the end of the part it asked for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres import letter_causes
from consumer.postgres.states import LetterState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Connection, Pool
    from contract.reports import DeadLetter

_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b[A-Z][A-Z0-9.]{0,9}\b(?=[^a-z])|[0-9a-f]{8,}|\d[\d:.,T+-]*")
_COLUMNS = (
    "dead_letter_id, stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, trading_day, task, part, "
    "state, settled_at, settled_by, settled_reason"
)


class KeptLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `dead_letter`; *settled_…* say when, by whom and why."""

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
    state: LetterState
    settled_at: dt.datetime | None
    settled_by: str | None
    settled_reason: str | None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What work a letter was of, as far as it could be read."""

    trading_day: dt.date | None = None
    task: str | None = None
    part: str | None = None


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


async def keep(connection: Connection | Pool, letter: DeadLetter, about: About | None = None) -> None:
    """Write *letter*, which is of a part of the ledger; the same entry given up again, after a crash before its
    acknowledgement, is the same letter.

    Then it says what its copy on the stream will say, which is only written with the acknowledgement.
    """
    await _write(connection, letter, fingerprint(letter.reason), about or About(), example=False)


async def keep_example(connection: Connection, letter: DeadLetter, about: About | None = None) -> None:
    """The same for what anybody may write as often as he likes: it stays until newer ones of its cause have come.

    In a transaction of the caller's.
    """
    await letter_causes.lock_causes(connection)
    own = fingerprint(letter.reason)
    cause = (await letter_causes.known_as(connection, letter.stream, [own]))[own]
    if await _write(connection, letter, cause, about or About(), example=True):
        one = Counter([cause])
        await letter_causes.count(connection, letter.stream, one, one, now=letter.at)


async def keep_examples(pool: Pool, letters: Sequence[DeadLetter]) -> list[str]:
    """Keep the newest of each cause of many *letters* of one stream, and count the others.

    Returns the entries of which there should be a copy on the stream: not of a cause that had too many before.
    """
    stream = letters[0].stream
    async with pool.acquire() as connection, connection.transaction():
        await letter_causes.lock_causes(connection)
        own = [fingerprint(letter.reason) for letter in letters]
        names = await letter_causes.known_as(connection, stream, dict.fromkeys(own))
        causes = [names[one] for one in own]
        many = {cause.fingerprint for cause in await letter_causes.read_causes(connection) if cause.stream == stream}
        kept: Counter[str] = Counter()
        copied: list[str] = []
        for place in sorted(letter_causes.examples(causes)):
            if await _write(connection, letters[place], causes[place], About(), example=True):
                kept[causes[place]] += 1
            if causes[place] not in many:
                copied.append(letters[place].entry_id)
        await letter_causes.count(connection, stream, Counter(causes), kept, now=letters[-1].at)
    return copied


# What a person has settled stays so, though its entry comes again because its acknowledgement was lost.
_KEEP = """
INSERT INTO dead_letter (stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, trading_day, task, part,
                         example)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (stream, entry_id) DO UPDATE
    SET reason = excluded.reason, fingerprint = excluded.fingerprint, deliveries = excluded.deliveries,
        dead_at = excluded.dead_at
    WHERE dead_letter.state = 'open'
RETURNING xmax = 0  -- PostgreSQL's own sign of a row that was inserted and not updated
"""


async def _write(connection: Connection | Pool, letter: DeadLetter, cause: str, about: About, *, example: bool) -> bool:
    """Whether it is a new letter."""
    is_new = await connection.fetchval(
        _KEEP,
        letter.stream,
        letter.entry_id,
        letter.reason,
        cause,
        letter.deliveries,
        letter.at,
        json.dumps(letter.fields),
        about.trading_day,
        about.task,
        about.part,
        example,
    )
    return bool(is_new)


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
        settled,
        list(selection.ids),
        selection.task,
        selection.fingerprint,
    )
    return [_letter(dict(row)) for row in rows]


async def find_to_settle(connection: Connection, selection: Selection) -> list[KeptLetter]:
    """Return the selected letters that are open; nobody else settles, thins out or counts until the transaction ends.

    The lock of the causes first, as whoever counts takes it: the other way round each might wait for the other.
    """
    await letter_causes.lock_causes(connection)
    return await find(connection, selection, lock=True)


async def settle(
    connection: Connection, ids: Sequence[int], state: LetterState, decision: Decision
) -> set[tuple[str, str]]:
    """Mark open letters as replayed or dropped; return the causes, with their streams, that are seen to with them."""
    await connection.execute(
        "UPDATE dead_letter SET state = $2, settled_at = $3, settled_by = $4, settled_reason = $5 "
        "WHERE dead_letter_id = ANY ($1) AND state = 'open'",
        list(ids),
        state,
        decision.at,
        decision.by,
        decision.reason,
    )
    return await letter_causes.forget_settled(connection)


def _letter(row: dict[str, Any]) -> KeptLetter:
    return KeptLetter(**{**row, "state": LetterState(row["state"]), "fields": json.loads(row["fields"])})
