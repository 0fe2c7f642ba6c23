"""Moves histories from symbol to symbol, and back: what it means in the tables that a company was renamed.

market/renames.py decides it. A rename that the bars or a later listing deny is undone: each has its own rows again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import trading_evidence
from market.companies import FIGIS, Change, Kind, Listed, agreement

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from consumer.postgres.pool import Connection
    from market.companies import Trading

# For so long a rename is held against what comes after it, and another company that is gone again was a slip.
_DOUBTED_DAYS = 14


async def close_renames_into(connection: Connection, change: Change) -> None:
    """Who was renamed into the symbol before has nothing to do with the company that has it now."""
    await connection.execute(
        "UPDATE ticker_change SET closed_on = $2 WHERE kind = 'renamed' AND new_symbol = $1 AND closed_on IS NULL",
        change.symbol,
        change.changed_on,
    )


# Of the company that has had symbol $1 since $4: who was renamed into it, and who into those before, however long ago.
_LEAD_ON = """
WITH RECURSIVE led AS (
    SELECT c.symbol, c.changed_on, c.since FROM ticker_change AS c
    WHERE c.kind = 'renamed' AND c.new_symbol = $1 AND (c.closed_on IS NULL OR c.closed_on = $6) AND c.changed_on <= $3
      AND c.changed_on >= coalesce($4, '-infinity'::date) AND NOT (c.symbol = ANY ($5::text[]) AND c.changed_on = $3)
    UNION
    SELECT c.symbol, c.changed_on, c.since FROM ticker_change AS c JOIN led ON c.changed_on = led.since
    WHERE c.kind = 'renamed' AND c.new_symbol = $1 AND (c.closed_on IS NULL OR c.closed_on = $6)
)
UPDATE ticker_change AS c SET new_symbol = $2, closed_on = NULL FROM led
WHERE c.kind = 'renamed' AND c.symbol = led.symbol AND c.changed_on = led.changed_on
"""


async def move(connection: Connection, change: Change, moving: Sequence[str]) -> None:
    """Lead to the new symbol whoever was renamed into the old one before, and clear the old one.

    Not those of *moving*: what is renamed the same night into the old symbol is the company that has it now.
    """
    day = change.changed_on
    await connection.execute(_LEAD_ON, change.symbol, change.new_symbol, day, change.since, list(moving), day)
    await connection.execute(
        "UPDATE listed_ticker SET state = 'renamed', missing_since = NULL WHERE symbol = $1 AND NOT is_active",
        change.symbol,
    )
    # Where the change was learned late, the old symbol was asked for on days when it was nobody's.
    await connection.execute(
        "DELETE FROM session_slots WHERE symbol = $1 AND trading_date >= $2 AND outcome <> 'traded'",
        change.symbol,
        change.changed_on,
    )


async def leave(connection: Connection, change: Change, *, now: dt.datetime) -> None:
    """Take the old symbol, which the listing has no more, out of the market."""
    await connection.execute(
        """
        UPDATE listed_ticker SET is_active = false, state = 'renamed', removed_at = $2, reason_removed = $3,
               missing_since = NULL, missing_until = NULL, missed_listings = 0
        WHERE symbol = $1
        """,
        change.symbol,
        now,
        f"{change.new_symbol} since {change.changed_on}",
    )


_DOUBTED = """
SELECT c.symbol, c.changed_on, c.new_symbol, c.since, c.old_codes, c.new_codes, c.listed_on
FROM ticker_change AS c JOIN listed_ticker AS u USING (symbol)
WHERE c.kind = 'renamed' AND c.closed_on IS NULL AND u.state = 'renamed' AND c.old_codes IS NOT NULL
  AND c.changed_on > (SELECT max(last_seen) FROM listed_ticker) - $1::integer
"""


async def undo_denied(
    connection: Connection, *, now: dt.datetime, listing: Mapping[str, Listed] | None = None
) -> list[Change]:
    """Undo the renames of the last days that *listing* denies, or without one the bars; return what is said of them."""
    rows = await connection.fetch(_DOUBTED, _DOUBTED_DAYS)
    wanted = [(row[side], row["changed_on"]) for row in rows for side in ("symbol", "new_symbol")]
    trading = {} if listing is not None else await trading_evidence.read_trading(connection, wanted)
    undone = []
    for row in rows:
        old, new, day = row["symbol"], row["new_symbol"], row["changed_on"]
        was = Listed(symbol=old, **row["old_codes"])
        if listing is not None:
            denied = _is_listed_again(was, listing.get(old), listing.get(new))
        else:
            denied = _trades_on(trading[old, day], trading[new, day])
        if denied:
            why = "it is listed by itself again" if listing is not None else "it trades on"
            change = Change(
                symbol=old,
                kind=Kind.CONTESTED,
                changed_on=day,
                new_symbol=new,
                since=row["since"],
                old=was,
                new=Listed(symbol=new, **row["new_codes"]),
                evidence=f"{why}, and its history is its own again",
            )
            await _undo(connection, change, now=now)
            undone.append(change)
    return undone


def _trades_on(old: Trading, new: Trading) -> bool:
    return old.last is not None and new.first_from is not None and old.last >= new.first_from


def _is_listed_again(was: Listed, old: Listed | None, new: Listed | None) -> bool:
    """Whether a listing has the company under its old symbol, and under the new one a company with other FIGIs."""
    if old is None or new is None or not agreement(was, old)[0] or agreement(was, old, FIGIS)[1]:
        return False
    return not agreement(was, new, FIGIS)[0]


async def _undo(connection: Connection, change: Change, *, now: dt.datetime) -> None:
    old, new, day = change.symbol, change.new_symbol, change.changed_on
    await connection.execute(
        "DELETE FROM ticker_change WHERE kind = 'renamed' AND symbol = $1 AND changed_on = $2", old, day
    )
    await connection.execute(_LEAD_ON, new, old, day, change.since, [], None)
    await _give_back_symbol(connection, new, day)
    # Until a listing has it again it is one that trades and is missing there.
    await connection.execute(
        """
        UPDATE listed_ticker SET is_active = true, state = 'listed', removed_at = NULL, reason_removed = NULL,
               missing_since = $2, missing_until = $2, missed_listings = 0, changed_at = $3
        WHERE symbol = $1
        """,
        old,
        day,
        now,
    )
    await _contest(connection, change, now=now)


async def _give_back_symbol(connection: Connection, new: str | None, day: dt.date) -> None:
    """Who had the new symbol before has it again, and who was renamed into it then."""
    since = await connection.fetchval(
        "DELETE FROM ticker_change WHERE kind = 'reissued' AND symbol = $1 AND changed_on = $2 RETURNING since",
        new,
        day,
    )
    await connection.execute(
        "UPDATE ticker_change SET closed_on = NULL WHERE kind = 'renamed' AND new_symbol = $1 AND closed_on = $2",
        new,
        day,
    )
    await connection.execute("UPDATE listed_ticker SET issuer_since = $2 WHERE symbol = $1", new, since)


async def _contest(connection: Connection, change: Change, *, now: dt.datetime) -> None:
    """Leave on the record what was believed, and why it is no more."""
    old, new, day = change.symbol, change.new_symbol, change.changed_on
    await connection.execute(
        """
        INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, since, evidence, found_at, closed_on)
        VALUES ($1, $2, 'contested', $3, $4, $5, $6, $2)
        ON CONFLICT (symbol, changed_on, kind, (kind = 'contested' AND new_symbol IS NOT NULL))
        DO UPDATE
            SET evidence = excluded.evidence, closed_on = excluded.closed_on
        """,
        old,
        day,
        new,
        change.since,
        change.evidence,
        now,
    )


async def is_a_slip_undone(connection: Connection, change: Change) -> bool:
    """Whether the symbol is back with the company it had until a few days ago; then it has its history again."""
    if change.new is None:
        return False
    slips = await connection.fetch(
        "SELECT changed_on, since, old_figi, old_codes FROM ticker_change WHERE symbol = $1 AND kind = 'reissued' "
        "AND changed_on > $2::date - $3::integer ORDER BY changed_on DESC",
        change.symbol,
        change.changed_on,
        _DOUBTED_DAYS,
    )
    for slip in slips:
        codes = slip["old_codes"] or {"composite_figi": slip["old_figi"]}
        if agreement(Listed(symbol=change.symbol, **codes), change.new)[0]:
            await connection.execute(
                "DELETE FROM ticker_change WHERE symbol = $1 AND kind = 'reissued' AND changed_on = $2",
                change.symbol,
                slip["changed_on"],
            )
            await connection.execute(
                "UPDATE ticker_change SET closed_on = NULL WHERE new_symbol = $1 AND closed_on = $2",
                change.symbol,
                slip["changed_on"],
            )
            await connection.execute(
                "UPDATE listed_ticker SET issuer_since = $2 WHERE symbol = $1", change.symbol, slip["since"]
            )
            return True
    return False
