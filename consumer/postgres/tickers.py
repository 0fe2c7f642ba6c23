"""Stores the universe and what listing and float say of each ticker; a null never overwrites a good value.

The exception is another company under the same symbol: nothing that was known of the old one is kept. The details
(shares, SIC, list date) are the business of `details`, the figures made of bars that of `derived`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import absence, identity
from market.companies import Change, Kind
from market.renames import PENDING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from consumer.postgres.pool import Connection, Pool
    from consumer.vendor.rows import FloatRow, TickerRow

ETF_TYPES = ("ETF", "ETN", "ETV", "ETS")


class UniverseChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a complete listing changed."""

    added: int
    removed: int
    active: int
    changes: tuple[Change, ...] = ()
    kept: tuple[absence.Kept, ...] = ()  # missing in the listing, and trading


async def count_active(connection: Connection | Pool) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM listed_ticker WHERE is_active"))


async def vanished(connection: Connection | Pool, listed: Sequence[str]) -> list[str]:
    """Return the active symbols that a complete listing no longer has."""
    rows = await connection.fetch(
        "SELECT symbol FROM listed_ticker WHERE is_active AND symbol <> ALL ($1::text[]) ORDER BY symbol",
        list(listed),
    )
    return [row["symbol"] for row in rows]


class Evening(msgspec.Struct, frozen=True, kw_only=True):
    """Of which session a listing is, when it was read, and which session comes after a day's."""

    day: dt.date
    now: dt.datetime
    next_session: Callable[[dt.date], dt.date] = identity.day_after


async def apply_listing(
    connection: Connection, rows: Sequence[TickerRow], evening: Evening, *, delisted: Sequence[TickerRow] = ()
) -> UniverseChange:
    """Bring the universe to a *complete* listing, as far as what is stored does not speak against it.

    *delisted* is what the vendor says has left the market. A symbol that is in neither list, and trades no more, is
    `unlisted`; one that still trades stays (`absence`).
    """
    day, now, follows = evening.day, evening.now, evening.next_session
    symbols = [row.ticker for row in rows]
    settled, changes = await identity.find_changes(connection, rows, day=day, now=now, next_session=follows)
    known, active = await _stored(connection)
    rows = _without_contested_codes(rows, changes, known)
    await _forget_former_companies(connection, changes)
    await _upsert(connection, rows, day=day, now=now)
    # Who comes back is expected from now on, as who comes for the first time: the sessions between stand as judged.
    await _expect_from(connection, sorted(set(symbols) - active) if known else [], evening)
    gone = absence.Gone(delisted=delisted, renamed=_renamed(changes))
    absences = await absence.apply_absences(connection, symbols, gone, day=day, now=now)
    news = await identity.apply_changes(connection, changes, day=day, now=now)
    await _apply_names(connection, rows, now)
    await absence.mirror_activity(connection, now=now)
    return UniverseChange(
        added=len(set(symbols) - known),
        removed=absences.removed,
        active=len(symbols) + len(absences.kept),
        changes=(*settled, *news),
        kept=tuple(one for one in absences.kept if one.symbol not in _on_their_way(changes, day)),
    )


async def _stored(connection: Connection) -> tuple[set[str], set[str]]:
    """The symbols that were ever listed, and those that are active."""
    rows = await connection.fetch("SELECT symbol, is_active FROM listed_ticker WHERE state NOT IN ('test', 'otc')")
    return {row["symbol"] for row in rows}, {row["symbol"] for row in rows if row["is_active"]}


async def _forget_former_companies(connection: Connection, changes: Sequence[Change]) -> None:
    """What was known of a company is no answer about the one that has its symbol now."""
    reissued = [change.symbol for change in changes if change.kind is Kind.REISSUED]
    await connection.execute("DELETE FROM ticker_profile WHERE symbol = ANY ($1::text[])", reissued)


def _renamed(changes: Sequence[Change]) -> dict[str, dt.date]:
    return {change.symbol: change.changed_on for change in changes if change.kind is Kind.RENAMED}


def _on_their_way(changes: Sequence[Change], day: dt.date) -> set[str]:
    """Those that stand under another symbol since yesterday, or Friday: where they went the bars of the night say."""
    recently = day - dt.timedelta(days=4)
    return {change.symbol for change in changes if change.evidence == PENDING and change.changed_on >= recently}


def _without_contested_codes(
    rows: Sequence[TickerRow], changes: Sequence[Change], known: Collection[str]
) -> list[TickerRow]:
    """What is known of whose a symbol is stands, until the bars have decided."""
    named = {change.new_symbol or change.symbol for change in changes if change.kind is Kind.CONTESTED}
    contested = named & set(known)
    blank = {"composite_figi": None, "share_class_figi": None, "cik": None}
    return [msgspec.structs.replace(row, **blank) if row.ticker in contested else row for row in rows]


async def _upsert(connection: Connection, rows: Sequence[TickerRow], *, day: dt.date, now: dt.datetime) -> None:
    await connection.execute(
        """
        INSERT INTO listed_ticker AS u (symbol, is_active, ticker_type, listed_figi, listed_share_class_figi,
                                          listed_cik, last_seen, added_at, changed_at)
        SELECT symbol, true, kind, figi, share_figi, cik, $6, $7, $7
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
             AS l (symbol, kind, figi, share_figi, cik)
        ON CONFLICT (symbol) DO UPDATE
            SET is_active = true, state = 'listed', delisted_at = NULL,
                ticker_type = coalesce(excluded.ticker_type, u.ticker_type),
                listed_figi = coalesce(excluded.listed_figi, u.listed_figi),
                listed_share_class_figi = coalesce(excluded.listed_share_class_figi, u.listed_share_class_figi),
                listed_cik = coalesce(excluded.listed_cik, u.listed_cik),
                last_seen = greatest(excluded.last_seen, u.last_seen), removed_at = NULL, reason_removed = NULL,
                missing_since = NULL, missing_until = NULL, missed_listings = 0,
                changed_at = CASE WHEN u.is_active AND NOT coalesce(excluded.listed_figi <> u.listed_figi
                                                                    OR excluded.listed_cik <> u.listed_cik, false)
                                  THEN u.changed_at ELSE excluded.changed_at END
        """,
        [row.ticker for row in rows],
        [row.type for row in rows],
        [row.composite_figi for row in rows],
        [row.share_class_figi for row in rows],
        [row.cik for row in rows],
        day,
        now,
    )


async def _expect_from(connection: Connection, came: Sequence[str], evening: Evening) -> None:
    """Note the first session expected of symbols that a later listing brought: not one that ended without them."""
    lacked = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM coverage WHERE data_set = 'universe' AND trading_day = $1)", evening.day
    )
    await connection.execute(
        "UPDATE listed_ticker SET listed_from = $2 WHERE symbol = ANY ($1::text[])",
        list(came),
        evening.next_session(evening.day) if lacked else evening.day,
    )


async def note_others(
    connection: Connection, symbols: Sequence[str], *, state: str, day: dt.date, now: dt.datetime
) -> None:
    """Note symbols that the vendor lists and that are not maintained: `test` issues and `otc` shares."""
    await connection.execute(
        """
        INSERT INTO listed_ticker AS u (symbol, is_active, state, last_seen, added_at, changed_at)
        SELECT symbol, false, $2, $3, $4, $4 FROM unnest($1::text[]) AS o (symbol)
        ON CONFLICT (symbol) DO UPDATE
            SET is_active = false, state = excluded.state, last_seen = excluded.last_seen, missing_since = NULL
            WHERE u.state <> excluded.state OR u.is_active
        """,
        list(symbols),
        state,
        day,
        now,
    )


_APPLY_NAMES = """
INSERT INTO ticker_profile AS m (symbol, company_name, exchange, ticker_type, cik, composite_figi,
                                  share_class_figi, is_etf, created_at, updated_at)
SELECT symbol, name, exchange, kind, cik, figi, share_figi,
       coalesce(kind = ANY ($9::text[]), false), $8, $8
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS l (symbol, name, exchange, kind, cik, figi, share_figi)
ON CONFLICT (symbol) DO UPDATE
    SET company_name = coalesce(excluded.company_name, m.company_name),
        exchange = coalesce(excluded.exchange, m.exchange),
        ticker_type = coalesce(excluded.ticker_type, m.ticker_type),
        cik = coalesce(excluded.cik, m.cik),
        composite_figi = coalesce(excluded.composite_figi, m.composite_figi),
        share_class_figi = coalesce(excluded.share_class_figi, m.share_class_figi),
        is_etf = CASE WHEN excluded.ticker_type IS NULL THEN m.is_etf ELSE excluded.is_etf END,
        is_actively_trading = true, updated_at = excluded.updated_at
    WHERE NOT m.is_actively_trading
       OR excluded.company_name <> coalesce(m.company_name, '')
       OR excluded.exchange <> coalesce(m.exchange, '')
       OR excluded.ticker_type <> coalesce(m.ticker_type, '')
       OR excluded.cik <> coalesce(m.cik, '')
       OR excluded.composite_figi <> coalesce(m.composite_figi, '')
       OR excluded.share_class_figi <> coalesce(m.share_class_figi, '')
"""


async def _apply_names(connection: Connection, rows: Sequence[TickerRow], now: dt.datetime) -> None:
    """Copy the listing's own facts into the metadata."""
    await connection.execute(
        _APPLY_NAMES,
        [r.ticker for r in rows],
        [r.name for r in rows],
        [r.primary_exchange for r in rows],
        [r.type for r in rows],
        [r.cik for r in rows],
        [r.composite_figi for r in rows],
        [r.share_class_figi for r in rows],
        now,
        ETF_TYPES,
    )


async def store_floats(connection: Connection, rows: Sequence[FloatRow], *, now: dt.datetime) -> int:
    """Store the newest float of each known symbol, if newer than what is stored; return how many symbols are known."""
    newest: dict[str, FloatRow] = {}
    for row in sorted(rows, key=lambda row: row.effective_date or dt.date.min):
        if row.free_float:
            newest[row.ticker] = row
    await connection.execute(
        """
        UPDATE ticker_profile AS m
        SET float_shares = f.shares, float_percent = coalesce(f.percent, m.float_percent),
            float_effective_date = coalesce(f.effective, m.float_effective_date), updated_at = $5
        FROM unnest($1::text[], $2::float8[], $3::float8[], $4::date[]) AS f (symbol, shares, percent, effective)
        WHERE m.symbol = f.symbol
          AND coalesce(f.effective >= m.float_effective_date OR m.float_effective_date > $5::date + 1, true)
          AND (m.float_shares, m.float_percent, m.float_effective_date)
              IS DISTINCT FROM (f.shares, coalesce(f.percent, m.float_percent),
                                coalesce(f.effective, m.float_effective_date))
        """,
        list(newest),
        [float(r.free_float or 0) for r in newest.values()],
        [r.free_float_percent for r in newest.values()],
        [r.effective_date for r in newest.values()],
        now,
    )
    return int(
        await connection.fetchval("SELECT count(*) FROM ticker_profile WHERE symbol = ANY ($1::text[])", list(newest))
    )
