"""Notices whose a symbol is: a company that took another symbol, or a symbol that another company took.

Identity is the composite FIGI of the listing (without one, the CIK). A renamed company's stored history is found under
its new symbol, a reissued symbol starts anew (views daily_history and slot_history); raw rows stay as they were traded.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.massive.rows import TickerRow
    from consumer.postgres.pool import Connection

# Another company that is gone again so soon was a slip of the listing: the first one's history is its own again.
_SLIP_DAYS = 14


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to *symbol*: *new_symbol* is set where its company was renamed, None where it was reissued."""

    symbol: str
    new_symbol: str | None
    changed_on: dt.date
    since: dt.date | None
    old_figi: str | None
    new_figi: str | None

    @property
    def kind(self) -> str:
        return "reissued" if self.new_symbol is None else "renamed"

    def __str__(self) -> str:
        if self.new_symbol is None:
            return f"{self.symbol} belongs to another company since {self.changed_on}"
        return f"{self.symbol} is {self.new_symbol} since {self.changed_on}"


async def find_changes(
    connection: Connection, rows: Sequence[TickerRow], *, day: dt.date, next_session: Callable[[dt.date], dt.date]
) -> list[Change]:
    """Return what a complete listing of *day* shows to have changed since the one before; nothing is written yet.

    A change is dated to the first session after the symbol was last seen with its old company.
    """
    listed = [[r.ticker for r in rows], [r.composite_figi for r in rows], [r.cik for r in rows]]
    reissued = await connection.fetch(
        """
        SELECT u.symbol, NULL AS new_symbol, u.last_seen, u.issuer_since AS since, u.listed_figi AS old_figi,
               l.figi AS new_figi
        FROM ticker_universe AS u
        JOIN unnest($1::text[], $2::text[], $3::text[]) AS l (symbol, figi, cik) USING (symbol)
        WHERE coalesce(u.listed_figi <> l.figi, u.listed_cik <> l.cik, false)
        ORDER BY u.symbol
        """,
        *listed,
    )
    renamed = await connection.fetch(
        """
        WITH l AS (SELECT * FROM unnest($1::text[], $2::text[]) AS l (symbol, figi))
        SELECT u.symbol, l.symbol AS new_symbol, u.last_seen, u.issuer_since AS since, u.listed_figi AS old_figi,
               l.figi AS new_figi
        FROM l JOIN ticker_universe AS u ON u.listed_figi = l.figi AND u.symbol <> l.symbol AND u.state <> 'renamed'
        LEFT JOIN ticker_universe AS known ON known.symbol = l.symbol
        WHERE NOT EXISTS (SELECT FROM l AS still WHERE still.symbol = u.symbol AND still.figi = u.listed_figi)
          AND (known.symbol IS NULL OR NOT known.is_active OR known.listed_figi IS DISTINCT FROM l.figi)
        ORDER BY u.symbol
        """,
        *listed[:2],
    )
    return [_change(dict(row), day, next_session) for row in (*reissued, *renamed)]


def _change(row: dict[str, object], day: dt.date, next_session: Callable[[dt.date], dt.date]) -> Change:
    last_seen: dt.date = row.pop("last_seen")  # type: ignore[assignment]
    return Change(changed_on=day if last_seen >= day else min(next_session(last_seen), day), **row)  # type: ignore[arg-type]


async def apply_changes(connection: Connection, changes: Sequence[Change], *, now: dt.datetime) -> None:
    """Write them down, and from which session on each symbol is its present issuer's; after the listing is applied."""
    for change in changes:
        if change.new_symbol is None and await _is_a_slip_undone(connection, change):
            continue
        await connection.execute(
            "INSERT INTO ticker_change (symbol, changed_on, kind, new_symbol, since, old_figi, new_figi, found_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (symbol, changed_on, kind) DO UPDATE "
            "SET new_symbol = excluded.new_symbol, new_figi = excluded.new_figi",
            change.symbol, change.changed_on, change.kind, change.new_symbol, change.since, change.old_figi,
            change.new_figi, now,
        )  # fmt: skip
        if change.new_symbol is not None:
            # Who was renamed into the old symbol before is found under the new one as well.
            await connection.execute(
                "UPDATE ticker_change SET new_symbol = $2 WHERE kind = 'renamed' AND new_symbol = $1 AND new_figi = $3",
                change.symbol, change.new_symbol, change.new_figi,
            )  # fmt: skip
            await connection.execute(
                "UPDATE ticker_universe SET state = 'renamed' WHERE symbol = $1 AND NOT is_active", change.symbol
            )
            # Where the change was learned late, the old symbol was asked for on days when it was nobody's.
            await connection.execute(
                "DELETE FROM volume_slots_daily WHERE symbol = $1 AND trading_date >= $2 AND outcome <> 'traded'",
                change.symbol, change.changed_on,
            )  # fmt: skip
        await connection.execute(
            "UPDATE ticker_universe SET issuer_since = $2 WHERE symbol = $1",
            change.new_symbol or change.symbol, change.changed_on,
        )  # fmt: skip


async def _is_a_slip_undone(connection: Connection, change: Change) -> bool:
    """Whether the symbol is back with the company it had until a few days ago; then it has its history again."""
    slip = await connection.fetchrow(
        "DELETE FROM ticker_change WHERE symbol = $1 AND kind = 'reissued' AND old_figi = $2 "
        "AND changed_on > $3::date - $4::integer RETURNING since",
        change.symbol, change.new_figi, change.changed_on, _SLIP_DAYS,
    )  # fmt: skip
    if slip is None:
        return False
    await connection.execute(
        "UPDATE ticker_universe SET issuer_since = $2 WHERE symbol = $1", change.symbol, slip["since"]
    )
    return True
