"""Keeps which deadlines were missed: a row from when it was noticed, which says when the data came all the same.

Written by whoever publishes verdicts, in the turn in which he does, so that each is new to one publisher only.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
_OPEN = f"SELECT {_COLUMNS} FROM missed_deadline WHERE made_good_at IS NULL"
# One that was made good and is missed again, since somebody deleted rows, is news.
_NOTE = f"""
    INSERT INTO missed_deadline ({_COLUMNS}, noticed_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (trading_day, data_set, due_at) DO UPDATE
        SET deadline = excluded.deadline, why = excluded.why, noticed_at = excluded.noticed_at, made_good_at = NULL
"""
_MAKE_GOOD = "UPDATE missed_deadline SET made_good_at = $4 WHERE (trading_day, data_set, due_at) = ($1, $2, $3)"


async def read_open(connection: Connection) -> list[MissedDeadline]:
    """Return the deadlines that are missed, newest session first."""
    rows = await connection.fetch(f"{_OPEN} ORDER BY trading_day DESC, data_set, due_at")
    return [MissedDeadline(**dict(row)) for row in rows]


async def note(
    connection: Connection, missed: Sequence[MissedDeadline], *, judged: Collection[dt.date], now: dt.datetime
) -> Noted:
    """Store what of the sessions *judged* is *missed* now, and that the rest of them is not; return what is new.

    A session that nobody judges any more is closed without a word.
    """
    known = {_key(one): one for one in await read_open(connection)}
    present = {_key(one): one for one in missed}
    new = [one for key, one in present.items() if key not in known]
    gone = [one for key, one in known.items() if key not in present]
    await connection.executemany(
        _NOTE, [(one.trading_day, one.data_set, one.due_at, one.deadline, one.why, now) for one in new]
    )
    await connection.executemany(_MAKE_GOOD, [(*_key(one), now) for one in gone])
    # The same data set that misses a later due time as well has not come meanwhile.
    lacking = {(one.trading_day, one.data_set) for one in missed}
    made_good = [one for one in gone if one.trading_day in judged and (one.trading_day, one.data_set) not in lacking]
    return Noted(missed=tuple(new), made_good=tuple(made_good))


def _key(one: MissedDeadline) -> tuple[dt.date, str, dt.datetime]:
    return one.trading_day, one.data_set, one.due_at
