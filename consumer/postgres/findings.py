"""Keeps what was found against a session's data, who settled it, and the answers that were not taken.

An open finding makes the session suspect. What was settled for the rows that stand is not reported again for them; once
other rows stand in their place, it may be.
"""

from __future__ import annotations

import datetime as dt
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.vendor.rows import DailyRow
from market.findings import ABOUT_AN_ANSWER, Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.postgres.pool import Connection, Pool

_COLUMNS = (
    "finding_id, trading_day, data_set, kind, reason, symbols, evidence, contested_at, load_id, found_at, "
    "rechecked_at, state, settled_at, settled_by, settled_reason"
)


class State(StrEnum):
    """Where a finding stands: *cleared* by evidence, *accepted* by a person."""

    OPEN = "open"
    CLEARED = "cleared"
    ACCEPTED = "accepted"


class KeptFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `session_finding`; the answer that was not taken is read by `contested`."""

    finding_id: int
    trading_day: dt.date
    data_set: str
    kind: Kind
    reason: str
    symbols: list[str]
    evidence: dict[str, Any]
    contested_at: dt.datetime | None
    load_id: int
    found_at: dt.datetime
    rechecked_at: dt.datetime | None
    state: State
    settled_at: dt.datetime | None
    settled_by: str | None
    settled_reason: str | None

    @property
    def finding(self) -> Finding:
        return Finding(kind=self.kind, reason=self.reason, symbols=tuple(self.symbols), evidence=self.evidence)


class Contested(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of an answer that was not taken, and symbols that it lacks."""

    rows: list[DailyRow]
    gone: list[str] = []


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """How a finding is settled: in which state, by whom and why."""

    state: State
    by: str
    reason: str


async def open_findings(
    connection: Connection | Pool, first: dt.date, last: dt.date
) -> dict[tuple[dt.date, str], list[KeptFinding]]:
    """Return the open findings of these sessions by (trading day, data set): those sessions are suspect."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM session_finding WHERE state = 'open' AND trading_day BETWEEN $1 AND $2 "
        "ORDER BY finding_id",
        first,
        last,
    )
    found: dict[tuple[dt.date, str], list[KeptFinding]] = {}
    for row in rows:
        found.setdefault((row["trading_day"], row["data_set"]), []).append(_kept(row))
    return found


async def find(connection: Connection | Pool, *, settled: bool = False) -> list[KeptFinding]:
    """Return open findings, and with *settled* the others too, oldest session first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM session_finding WHERE ($1 OR state = 'open') ORDER BY trading_day, finding_id",
        settled,
    )
    return [_kept(row) for row in rows]


async def accepted_within(connection: Connection | Pool, first: dt.date, last: dt.date) -> list[KeptFinding]:
    """Return what a person has accepted of the rows that stand, newest session first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM session_finding WHERE state = 'accepted' AND rows_replaced_at IS NULL "
        "AND trading_day BETWEEN $1 AND $2 ORDER BY trading_day DESC, finding_id",
        first,
        last,
    )
    return [_kept(row) for row in rows]


async def lock_open(connection: Connection, finding_id: int) -> KeptFinding | None:
    """Return an open finding, and let nobody else settle it until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM session_finding WHERE finding_id = $1 AND state = 'open' FOR UPDATE", finding_id
    )
    return None if row is None else _kept(row)


async def of_session(connection: Connection | Pool, data_set: str, day: dt.date) -> list[KeptFinding]:
    """Return what is open against a session, and what was settled for the rows that stand."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM session_finding WHERE data_set = $1 AND trading_day = $2 "
        "AND rows_replaced_at IS NULL ORDER BY finding_id",
        data_set,
        day,
    )
    return [_kept(row) for row in rows]


async def suspect_days(connection: Connection | Pool, data_set: str, first: dt.date, last: dt.date) -> set[dt.date]:
    """Return the sessions whose rows are in question; an answer that was not taken puts none of them there."""
    rows = await connection.fetch(
        "SELECT DISTINCT trading_day FROM session_finding WHERE state = 'open' AND data_set = $1 "
        "AND trading_day BETWEEN $2 AND $3 AND kind <> ALL ($4)",
        data_set,
        first,
        last,
        [str(kind) for kind in ABOUT_AN_ANSWER],
    )
    return {row["trading_day"] for row in rows}


async def open_days(
    connection: Connection | Pool, data_sets: Sequence[str], *, first: dt.date | None, last: dt.date
) -> dict[dt.date, dt.datetime | None]:
    """Return the sessions with an open finding, and when the one that waits longest was last held against evidence."""
    rows = await connection.fetch(
        "SELECT trading_day, min(rechecked_at) AS rechecked_at, bool_or(rechecked_at IS NULL) AS never "
        "FROM session_finding WHERE state = 'open' AND data_set = ANY ($1) "
        "AND trading_day >= coalesce($2::date, '-infinity') AND trading_day <= $3 "
        "GROUP BY trading_day ORDER BY trading_day",
        list(data_sets),
        first,
        last,
    )
    return {row["trading_day"]: None if row["never"] else row["rechecked_at"] for row in rows}


async def due_days(
    connection: Connection | Pool, data_set: str, *, first: dt.date | None, last: dt.date, since: dt.datetime
) -> list[dt.date]:
    """Return the sessions with an open finding that nothing was held against since *since*."""
    rows = await connection.fetch(
        "SELECT DISTINCT trading_day FROM session_finding WHERE state = 'open' AND data_set = $1 "
        "AND trading_day >= coalesce($2::date, '-infinity') AND trading_day <= $3 "
        "AND coalesce(rechecked_at, '-infinity') < $4 ORDER BY trading_day",
        data_set,
        first,
        last,
        since,
    )
    return [row["trading_day"] for row in rows]


# By the index on open ones there is one a session and kind: found by two parts, or twice, it is brought up to date.
_OPEN = """
INSERT INTO session_finding (trading_day, data_set, kind, reason, symbols, evidence, contested, contested_at,
                             load_id, found_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (trading_day, data_set, kind) WHERE state = 'open' DO UPDATE
    SET reason = excluded.reason, symbols = excluded.symbols, evidence = excluded.evidence,
        contested = excluded.contested, contested_at = excluded.contested_at, load_id = excluded.load_id,
        rechecked_at = CASE WHEN session_finding.contested_at IS NOT DISTINCT FROM excluded.contested_at
                            THEN session_finding.rechecked_at END
RETURNING finding_id
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, by which load and when, and the answer that was not taken, where there is one."""

    finding: Finding
    load_id: int
    now: dt.datetime
    contested: Contested | None = None
    contested_at: dt.datetime | None = None


async def report(connection: Connection, data_set: str, day: dt.date, new: Report) -> int:
    """Open a finding; one of its kind that is open already is brought up to date. Return its id.

    Another answer than the one that was aside has been held against nothing yet.
    """
    finding, contested = new.finding, new.contested
    finding_id = await connection.fetchval(
        _OPEN,
        day,
        data_set,
        str(finding.kind),
        finding.reason,
        list(finding.symbols),
        finding.evidence,
        None if contested is None else _packed(contested),
        new.contested_at,
        new.load_id,
        new.now,
    )
    return int(finding_id)


async def contested(connection: Connection | Pool, finding_id: int) -> Contested | None:
    """Return the answer that was not taken; None where the finding is about what stands."""
    packed = await connection.fetchval("SELECT contested FROM session_finding WHERE finding_id = $1", finding_id)
    return None if packed is None else msgspec.msgpack.decode(zlib.decompress(packed), type=Contested)


async def settle(connection: Connection, ids: Iterable[int], settled: Settled, *, now: dt.datetime) -> None:
    """Settle open findings."""
    # What was settled before keeps who settled it, and why.
    await connection.execute(
        "UPDATE session_finding SET state = $2, settled_at = $3, settled_by = $4, settled_reason = $5 "
        "WHERE finding_id = ANY ($1) AND state = 'open'",
        list(ids),
        str(settled.state),
        now,
        settled.by,
        settled.reason,
    )


async def mark_rechecked(connection: Connection, ids: Sequence[int], *, now: dt.datetime, seen: dict[str, Any]) -> None:
    """Note that findings were held against independent evidence, and what that showed."""
    await connection.execute(
        "UPDATE session_finding SET rechecked_at = $2, evidence = evidence || jsonb_build_object('recheck', $3::jsonb) "
        "WHERE finding_id = ANY ($1)",
        list(ids),
        now,
        seen,
    )


async def rows_replaced(connection: Connection, data_set: str, day: dt.date, *, now: dt.datetime) -> None:
    """Say that other rows stand now: what was settled for those of before speaks for them no more."""
    await connection.execute(
        "UPDATE session_finding SET rows_replaced_at = $3 WHERE data_set = $1 AND trading_day = $2 "
        "AND state <> 'open' AND rows_replaced_at IS NULL",
        data_set,
        day,
        now,
    )


def _packed(answer: Contested) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(answer))


def _kept(row: Any) -> KeptFinding:
    return msgspec.convert(dict(row), KeptFinding)
