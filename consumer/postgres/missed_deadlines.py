"""Keeps which deadlines were missed: a row from when it was noticed, which says when the data came all the same.

Written by whoever publishes verdicts, in the turn in which he does, so that each is new to one publisher only.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.postgres.pool import Connection


class MissedDeadline(msgspec.Struct, frozen=True, kw_only=True):
    """A data set of a session that is not as it had to be by *deadline*; *due_at* is not served."""

    trading_day: dt.date
    data_set: str
    due_at: dt.datetime
    deadline: dt.datetime
    why: str | None = None


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What is new: deadlines that are missed since, and those whose data have come since."""

    missed: tuple[MissedDeadline, ...] = ()
    made_good: tuple[MissedDeadline, ...] = ()


_COLUMNS = "trading_day, data_set, due_at, deadline, why"
_OPEN = f"SELECT {_COLUMNS} FROM missed_deadline WHERE closed_at IS NULL"
# One that was made good and is missed again, since somebody deleted rows, is news.
_NOTE = f"""
    INSERT INTO missed_deadline ({_COLUMNS}, noticed_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (trading_day, data_set, due_at) DO UPDATE
        SET deadline = excluded.deadline, why = excluded.why, noticed_at = excluded.noticed_at,
            closed_at = NULL, made_good_at = NULL
"""
_CLOSE = """
    UPDATE missed_deadline SET closed_at = $3, made_good_at = CASE WHEN $4 THEN $3::timestamptz END
    WHERE (trading_day, data_set) = ($1, $2) AND closed_at IS NULL
"""


async def read_open(connection: Connection) -> list[MissedDeadline]:
    """Return the deadlines that are missed, newest session first."""
    rows = await connection.fetch(f"{_OPEN} ORDER BY trading_day DESC, data_set, due_at")
    return [MissedDeadline(**dict(row)) for row in rows]


async def note(
    connection: Connection,
    missed: Sequence[MissedDeadline],
    has_come: Callable[[MissedDeadline], bool],
    *,
    now: dt.datetime,
) -> Noted:
    """Store what is *missed* now, and that the rest is not; return what is new.

    Made good is what *has_come*. A session that nobody judges any more, a data set that the plan has ceased to give and
    a deadline that was moved are closed without a word.
    """
    # By session and data set: by when a slow plan should have brought it moves with how many symbols are listed, and
    # what was missed before and still lacks is no news.
    known = {_key(one): one for one in await read_open(connection)}
    present = {_key(one) for one in missed}
    new = [one for one in missed if _key(one) not in known]
    gone = [one for key, one in known.items() if key not in present]
    await connection.executemany(
        _NOTE, [(one.trading_day, one.data_set, one.due_at, one.deadline, one.why, now) for one in new]
    )
    made_good = tuple(one for one in gone if has_come(one))
    await connection.executemany(_CLOSE, [(one.trading_day, one.data_set, now, one in made_good) for one in gone])
    return Noted(missed=tuple(new), made_good=made_good)


def _key(one: MissedDeadline) -> tuple[dt.date, str]:
    return one.trading_day, one.data_set
