"""Writes down what it means that a complete listing lacks a symbol: market/listing.py weighs it, this has the tables.

An active symbol leaves the market only with evidence: the vendor lists the same company as delisted, it was renamed, or
the newest stored session has no volume of it. What trades on stays, `missing_since` that day, until its bars end too or
several further listings lack it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import trading_evidence
from consumer.vendor.rows import TickerRow
from market.bounds import instant_of
from market.companies import Listed, agreement
from market.listing import Absence, Absent, delisting_day, weigh_absence

if TYPE_CHECKING:
    import asyncpg

    from consumer.postgres.pool import Connection


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol that stays active though the listing lacks it, and the session that speaks for it."""

    symbol: str
    traded_on: dt.date


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """Who is known to have left the market, and from which session on a company has another symbol.

    Until that session the old symbol is asked for as before.
    """

    delisted: Sequence[TickerRow] = ()
    renamed: Mapping[str, dt.date] = {}


class Absences(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing's gaps came to."""

    removed: int
    kept: tuple[Kept, ...] = ()


async def apply_absences(
    connection: Connection, listed: Sequence[str], gone: Gone, *, day: dt.date, now: dt.datetime
) -> Absences:
    """Weigh every active symbol that *listed*, complete on *day*, lacks."""
    missing = await connection.fetch(
        """
        SELECT symbol, listed_figi AS composite_figi, listed_share_class_figi AS share_class_figi, listed_cik AS cik,
               missed_listings + (coalesce(missing_until, $2) < $2)::integer AS missed
        FROM listed_ticker WHERE is_active AND symbol <> ALL ($1::text[]) ORDER BY symbol
        """,
        list(listed),
        day,
    )
    traded = await trading_evidence.last_traded(connection, [row["symbol"] for row in missing])
    verdicts = await _weigh(connection, missing, gone, traded, day=day)
    await _deactivate(connection, verdicts, reason=f"not in the complete listing of {day}", now=now)
    await _note_delistings(connection, gone.delisted, day=day)
    kept = [symbol for symbol, verdict in verdicts.items() if verdict is Absence.KEPT]
    await _note_missing(connection, kept, day=day)
    return Absences(
        removed=len(verdicts) - len(kept), kept=tuple(Kept(symbol=one, traded_on=traded[one]) for one in kept)
    )


async def _weigh(
    connection: Connection,
    missing: Sequence[asyncpg.Record],
    gone: Gone,
    traded: Mapping[str, dt.date],
    *,
    day: dt.date,
) -> dict[str, Absence]:
    """What the absence of each symbol means; nothing yet of one that is renamed in days to come."""
    moved = await _moved(connection, [row["symbol"] for row in missing]) | dict(gone.renamed)
    newest = await trading_evidence.newest_session(connection)
    delisted = _delisting_days(gone.delisted)
    verdicts: dict[str, Absence] = {}
    for row in missing:
        known = Listed(**{name: value for name, value in dict(row).items() if name != "missed"})
        if known.symbol in moved:
            if moved[known.symbol] <= day:
                verdicts[known.symbol] = Absence.RENAMED
            continue
        absent = Absent(
            symbol=known.symbol,
            last_traded=traded.get(known.symbol),
            newest_session=newest,
            delisted_on=_same_company(known, delisted),
            missed=row["missed"],
        )
        verdicts[known.symbol] = weigh_absence(absent, day=day)
    return verdicts


async def _note_missing(connection: Connection, kept: Sequence[str], *, day: dt.date) -> None:
    """One listing a day counts, however often it is loaded."""
    await connection.execute(
        """
        UPDATE listed_ticker
        SET missed_listings = missed_listings + (coalesce(missing_until, $2) < $2)::integer,
            missing_since = coalesce(missing_since, $2), missing_until = greatest(missing_until, $2)
        WHERE symbol = ANY ($1::text[])
        """,
        list(kept),
        day,
    )


async def _moved(connection: Connection, symbols: Sequence[str]) -> dict[str, dt.date]:
    """Return since when those of *symbols* whose rename was noticed before it began have another one."""
    rows = await connection.fetch(
        "SELECT c.symbol, c.changed_on FROM ticker_change AS c JOIN listed_ticker AS u USING (symbol) "
        "WHERE c.kind = 'renamed' AND c.closed_on IS NULL AND c.changed_on > u.last_seen "
        "AND c.symbol = ANY ($1::text[])",
        list(symbols),
    )
    return {row["symbol"]: row["changed_on"] for row in rows}


def _delisting_days(rows: Sequence[TickerRow]) -> dict[str, tuple[Listed, dt.date]]:
    days = ((row, delisting_day(row.delisted_utc)) for row in rows)
    return {
        row.ticker: (
            Listed(
                symbol=row.ticker, composite_figi=row.composite_figi, share_class_figi=row.share_class_figi, cik=row.cik
            ),
            day,
        )
        for row, day in days
        if day is not None
    }


def _same_company(known: Listed, gone: Mapping[str, tuple[Listed, dt.date]]) -> dt.date | None:
    """When the vendor says that this company left; None where it says so of another one, or of none."""
    if known.symbol not in gone:
        return None
    other, day = gone[known.symbol]
    agree, differ = agreement(known, other)
    return day if agree or not differ else None


async def _deactivate(
    connection: Connection, verdicts: Mapping[str, Absence], *, reason: str, now: dt.datetime
) -> None:
    out = {symbol: verdict for symbol, verdict in verdicts.items() if verdict is not Absence.KEPT}
    await connection.execute(
        """
        UPDATE listed_ticker AS u SET is_active = false, state = o.state, removed_at = $3, reason_removed = $4,
               missing_since = NULL, missing_until = NULL, missed_listings = 0
        FROM unnest($1::text[], $2::text[]) AS o (symbol, state) WHERE u.symbol = o.symbol
        """,
        list(out),
        [verdict.value for verdict in out.values()],
        now,
        reason,
    )


async def _note_delistings(connection: Connection, rows: Sequence[TickerRow], *, day: dt.date) -> None:
    """An inactive symbol that the vendor lists as gone, with the same identity, is delisted; not in days to come."""
    known = await connection.fetch(
        "SELECT symbol, listed_figi AS composite_figi, listed_share_class_figi AS share_class_figi, listed_cik AS cik "
        "FROM listed_ticker WHERE NOT is_active AND state IN ('unlisted', 'delisted') AND symbol = ANY ($1::text[])",
        [row.ticker for row in rows],
    )
    gone = _delisting_days(rows)
    days = {row["symbol"]: _same_company(Listed(**dict(row)), gone) for row in known}
    days = {symbol: gone_on for symbol, gone_on in days.items() if gone_on is not None and gone_on <= day}
    instants = {row.ticker: instant_of(row.delisted_utc) for row in rows if row.delisted_utc is not None}
    await connection.execute(
        """
        UPDATE listed_ticker AS u SET state = 'delisted', delisted_at = d.at
        FROM unnest($1::text[], $2::timestamptz[]) AS d (symbol, at) WHERE u.symbol = d.symbol
        """,
        list(days),
        [instants[symbol] for symbol in days],
    )


async def settle_missing(connection: Connection, *, now: dt.datetime) -> list[str]:
    """Deactivate those missing from the listing whose bars have ended too, now that newer ones are there; by name."""
    missing = await connection.fetch(
        "SELECT symbol, missing_since FROM listed_ticker WHERE is_active AND missing_since IS NOT NULL ORDER BY 1"
    )
    newest = await trading_evidence.newest_session(connection)
    traded = await trading_evidence.last_traded(connection, [row["symbol"] for row in missing])
    verdicts = {}
    for row in missing:
        absent = Absent(symbol=row["symbol"], last_traded=traded.get(row["symbol"]), newest_session=newest)
        verdicts[row["symbol"]] = weigh_absence(absent, day=row["missing_since"])
    await _deactivate(connection, verdicts, reason="not listed, and no volume in the newest session", now=now)
    await mirror_activity(connection, now=now)
    return [symbol for symbol, verdict in verdicts.items() if verdict is not Absence.KEPT]


async def mirror_activity(connection: Connection, *, now: dt.datetime) -> None:
    """Bring the metadata's flag to what the universe says."""
    await connection.execute(
        "UPDATE ticker_profile SET is_actively_trading = u.is_active, updated_at = $1 FROM listed_ticker AS u "
        "WHERE u.symbol = ticker_profile.symbol AND ticker_profile.is_actively_trading <> u.is_active",
        now,
    )
