"""Keeps what the past means for each symbol's ATR as of one session, so that a night reads only the sessions since."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumer.postgres.pool import Connection


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """Of which session the states are, and what must still be so for them to be used."""

    as_of: dt.date
    period: int
    unbroken_since: dt.date
    computed_at: dt.datetime


class SymbolState(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's state, in raw prices of the session that it is of; *basis* is what it stands and falls with."""

    symbol: str
    average: float
    close: float
    bars: int
    basis: str


async def read_past(connection: Connection) -> Past | None:
    """Return of what the stored states are; None where there are none."""
    row = await connection.fetchrow("SELECT as_of, period, unbroken_since, computed_at FROM atr_past")
    return None if row is None else Past(**dict(row))


async def read_states(connection: Connection, symbols: Sequence[str]) -> list[SymbolState]:
    """Return the stored states of those of *symbols* that have one."""
    rows = await connection.fetch(
        "SELECT symbol, average, close, bars, basis FROM atr_state WHERE symbol = ANY ($1::text[])", list(symbols)
    )
    return [SymbolState(**dict(row)) for row in rows]


async def replace_states(connection: Connection, past: Past, states: Iterable[SymbolState]) -> None:
    """Put *states*, and of what they are, in place of all that stood."""
    # Both tables in the caller's transaction: no reader finds states beside the session of others.
    await connection.execute("DELETE FROM atr_past")
    await connection.execute("DELETE FROM atr_state")
    await connection.execute(
        "INSERT INTO atr_past (as_of, period, unbroken_since, computed_at) VALUES ($1, $2, $3, $4)",
        past.as_of,
        past.period,
        past.unbroken_since,
        past.computed_at,
    )
    await connection.copy_records_to_table(
        "atr_state",
        columns=("symbol", "average", "close", "bars", "basis"),
        records=[(one.symbol, one.average, one.close, one.bars, one.basis) for one in states],
    )


async def read_names(connection: Connection) -> dict[str, str]:
    """Return by symbol whose rows are its own, in words that change with it; nothing where all of its rows are."""
    rows = await connection.fetch(
        """
        SELECT symbol, string_agg(fact, ' ' ORDER BY fact) AS facts FROM (
            SELECT symbol, 'since ' || issuer_since AS fact FROM listed_ticker WHERE issuer_since IS NOT NULL
            UNION ALL
            SELECT s.symbol, concat_ws(' ', c.symbol, c.new_symbol, c.since, c.changed_on) FROM ticker_change AS c
            CROSS JOIN LATERAL (VALUES (c.symbol), (c.new_symbol)) AS s (symbol)
            WHERE c.kind = 'renamed' AND c.closed_on IS NULL) AS f
        GROUP BY symbol
        """
    )
    return {row["symbol"]: row["facts"] for row in rows}
