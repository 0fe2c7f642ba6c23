"""Keeps the days that a series may not be read across: proposed by a price that jumped, decided by a person.

A symbol is written as its bars of that session stand, and read by the company that has those bars today.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec
import numpy as np

from consumer.postgres import actions, coverage
from consumer.postgres.actions import Act, Action
from consumer.postgres.coverage import Load
from consumer.postgres.ledger import PartId
from contract import data_sets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from consumer.postgres.decisions import Decision
    from consumer.postgres.pool import Connection, Pool

Number = TypeVar("Number", np.float64, np.int64)
Rows: TypeAlias = "list[tuple[dt.date, str, str]]"
ONE_DAY = dt.timedelta(days=1)
NO_CYCLE = 0  # cycles are numbered from 1


class State(StrEnum):
    """Where a boundary stands: figures keep to the accepted ones alone."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `series_boundary`; *company* is what its company is called today."""

    symbol: str
    company: str
    boundary_day: dt.date
    state: State
    evidence: str
    found_at: dt.datetime
    decided_at: dt.datetime | None
    decided_by: str | None
    decided_reason: str | None


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a person names: the first session of a new series, by the symbol of its bar, and what the prices show."""

    symbol: str
    day: dt.date
    evidence: str


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """The bars around a day that a person names: *traded_as* is whose bar of that day it is, if there is one.

    *first_bar* is the first session from that day on with a bar, *last_before* the last one before it.
    """

    traded_as: str | None
    first_bar: dt.date | None
    last_before: dt.date | None
    close_before: float | None
    open_on: float | None


async def propose(connection: Connection, day: dt.date, jumped: Sequence[tuple[str, str]], *, now: dt.datetime) -> None:
    """Put the proposals of *day* as (present symbol, evidence) in place of those that nobody has decided on.

    What stands unchanged is not written. One whose price no longer jumps, after a restatement, is taken back.
    """
    symbols, evidence = [one for one, _ in jumped], [why for _, why in jumped]
    await connection.execute(
        """
        WITH session AS MATERIALIZED (SELECT symbol, traded_as FROM daily_history WHERE trading_date = $1),
        seen AS (
            SELECT h.traded_as AS symbol, j.evidence
            FROM unnest($2::text[], $3::text[]) AS j (symbol, evidence) JOIN session AS h ON h.symbol = j.symbol
        ), gone AS (
            DELETE FROM series_boundary AS b WHERE b.boundary_day = $1 AND b.state = 'proposed'
            AND NOT EXISTS (SELECT FROM seen WHERE seen.symbol = b.symbol)
        )
        INSERT INTO series_boundary AS b (symbol, boundary_day, state, evidence, found_at)
        SELECT symbol, $1, 'proposed', evidence, $4 FROM seen
        ON CONFLICT (symbol, boundary_day) DO UPDATE SET evidence = excluded.evidence
        WHERE b.state = 'proposed' AND b.evidence <> excluded.evidence
        """,
        day,
        symbols,
        evidence,
        now,
    )


async def cuts(connection: Connection | Pool, *, up_to: dt.date) -> dict[str, dt.date]:
    """Return by present symbol the newest accepted boundary up to *up_to*: no earlier bar belongs to its series."""
    rows = await connection.fetch(
        "SELECT symbol, max(cut_on) AS cut_on FROM series_cut WHERE kind = 'decided' AND cut_on <= $1 GROUP BY symbol",
        up_to,
    )
    return {row["symbol"]: row["cut_on"] for row in rows}


def from_on(first: Mapping[str, dt.date], rows: Rows, values: NDArray[Number]) -> tuple[Rows, NDArray[Number]]:
    """The rows of (day, symbol, outcome), and the values of those that have some, which come first, without what lies
    before a symbol's *first* day."""
    if not first:
        return rows, values
    stays = [symbol not in first or day >= first[symbol] for day, symbol, _ in rows]
    left = [row for row, stay in zip(rows, stays, strict=True) if stay]
    return left, values[np.array(stays[: len(values)], dtype=np.bool_)]


async def find(connection: Connection | Pool, *, decided: bool) -> list[Boundary]:
    """Return those that wait for a person, or with *decided* all of them; the newest session first."""
    rows = await connection.fetch(
        """
        SELECT b.symbol, coalesce(h.symbol, b.symbol) AS company, boundary_day, state, evidence, found_at, decided_at,
               decided_by, decided_reason
        FROM series_boundary AS b
        LEFT JOIN daily_history AS h ON h.traded_as = b.symbol AND h.trading_date = b.boundary_day
        WHERE $1 OR state = 'proposed' ORDER BY boundary_day DESC, b.symbol
        """,
        decided,
    )
    return [msgspec.convert(dict(row), Boundary) for row in rows]


async def around(connection: Connection | Pool, symbol: str, day: dt.date) -> Around:
    """Return which bars *symbol*, as it is called today or as it was traded, has around *day*."""
    row = await connection.fetchrow(
        """
        WITH named AS (
            SELECT trading_date, symbol, traded_as, open, close FROM daily_history
            -- By what it was traded as, which an index has.
            WHERE traded_as = ANY (ARRAY(SELECT $1::text UNION SELECT symbol FROM ticker_change
                                         WHERE new_symbol = $1 AND kind = 'renamed' AND closed_on IS NULL))
              AND $1 IN (symbol, traded_as)
        ), own AS (
            -- One company's: of whoever is called so today, or else of who was traded under it that day.
            SELECT trading_date, traded_as, open, close FROM named WHERE symbol = (SELECT symbol FROM named
                                                ORDER BY symbol <> $1, trading_date <> $2, symbol LIMIT 1)
        )
        SELECT (SELECT traded_as FROM own WHERE trading_date = $2 LIMIT 1) AS traded_as,
               (SELECT open FROM own WHERE trading_date = $2 LIMIT 1) AS open_on,
               (SELECT min(trading_date) FROM own WHERE trading_date >= $2) AS first_bar,
               (SELECT max(trading_date) FROM own WHERE trading_date < $2) AS last_before,
               (SELECT close FROM own WHERE trading_date < $2 ORDER BY trading_date DESC LIMIT 1) AS close_before
        """,
        symbol,
        day,
    )
    return msgspec.convert(dict(row or {}), Around)


async def decide(connection: Connection, named: Named, state: State, decision: Decision) -> bool:
    """Write a person's word on a boundary; False where it says nothing new.

    What is computed from bars is stale then, as `data_sets.BOUNDARIES` is newer.
    """
    before = await connection.fetchval(
        "SELECT state FROM series_boundary WHERE symbol = $1 AND boundary_day = $2 FOR UPDATE", named.symbol, named.day
    )
    if before == state:
        return False
    await connection.execute(
        """
        INSERT INTO series_boundary (symbol, boundary_day, state, evidence, found_at, decided_at, decided_by,
                                     decided_reason)
        VALUES ($1, $2, $3, $4, $5, $5, $6, $7)
        ON CONFLICT (symbol, boundary_day) DO UPDATE
            SET state = excluded.state, decided_at = excluded.decided_at, decided_by = excluded.decided_by,
                decided_reason = excluded.decided_reason
        """,
        *(named.symbol, named.day, str(state), named.evidence, decision.at, decision.by, decision.reason),
    )
    act = Act.ACCEPT if state is State.ACCEPTED else Act.REJECT
    about = f"boundary of {named.symbol}: {named.evidence}"
    await actions.note(connection, Action(act=act, about=about, trading_day=named.day), decision)
    if State.ACCEPTED in (state, before):
        await _note_change(connection, named.day, at=decision.at)
    return True


async def _note_change(connection: Connection, day: dt.date, *, at: dt.datetime) -> None:
    # A load of its own: what is computed again is asked for once a load (cycle/stale_figures).  No cycle brought it.
    part = PartId(cycle_id=NO_CYCLE, task="ohlc_daily", part="boundary")
    noted = await coverage.record_load(connection, part, Load(fence=0, source="person", fetched_at=at, rows=1))
    await coverage.record_coverage(connection, data_sets.BOUNDARIES, day, noted)
