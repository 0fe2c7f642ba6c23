"""Stores the universe and the tickers' metadata; a null never overwrites a good value.

Three sources meet here: the listing (which symbols there are), the details (shares, SIC, list date) and the float.
Whether a symbol's details are due is decided in `details_due`, from what was attempted when.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from market.sectors import SECTOR_SCHEME, industry_group, sector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.massive.rows import FloatRow, TickerDetails, TickerRow
    from consumer.postgres.ledger import Connection, Pool


class UniverseChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a complete listing changed."""

    added: int
    removed: int
    active: int


class DerivedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is computed here for one symbol as of a trading day; None = cannot be known."""

    symbol: str
    market_cap: float | None
    last_close: float
    avg_volume_30d: float
    avg_volume_10d: float
    avg_volume_5d: float
    avg_price_30d: float


async def count_active(connection: Connection | Pool) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM ticker_universe WHERE is_active"))


async def apply_listing(
    connection: Connection, rows: Sequence[TickerRow], *, day: dt.date, now: dt.datetime
) -> UniverseChange:
    """Bring the universe to a *complete* listing: symbols that it lacks become inactive."""
    symbols = [row.ticker for row in rows]
    known = set(await connection.fetchval("SELECT coalesce(array_agg(symbol), '{}') FROM ticker_universe"))
    await connection.execute(
        """
        INSERT INTO ticker_universe AS u (symbol, is_active, ticker_type, listed_figi, listed_cik, last_seen, added_at,
                                          changed_at)
        SELECT symbol, true, kind, figi, cik, $5, $6, $6
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS l (symbol, kind, figi, cik)
        ON CONFLICT (symbol) DO UPDATE
            SET is_active = true, ticker_type = coalesce(excluded.ticker_type, u.ticker_type),
                listed_figi = coalesce(excluded.listed_figi, u.listed_figi),
                listed_cik = coalesce(excluded.listed_cik, u.listed_cik),
                last_seen = excluded.last_seen, removed_at = NULL, reason_removed = NULL,
                changed_at = CASE WHEN u.is_active AND NOT coalesce(excluded.listed_figi <> u.listed_figi
                                                                    OR excluded.listed_cik <> u.listed_cik, false)
                                  THEN u.changed_at ELSE excluded.changed_at END
        """,
        symbols, [row.type for row in rows], [row.composite_figi for row in rows], [row.cik for row in rows], day, now,
    )  # fmt: skip
    removed = await connection.fetch(
        """
        UPDATE ticker_universe SET is_active = false, removed_at = $2, reason_removed = $3
        WHERE is_active AND symbol <> ALL ($1::text[]) RETURNING symbol
        """,
        symbols, now, f"not in the complete listing of {day}",
    )  # fmt: skip
    await _apply_names(connection, rows, now)
    await connection.execute(
        "UPDATE ticker_metadata SET is_actively_trading = u.is_active, updated_at = $1 FROM ticker_universe AS u "
        "WHERE u.symbol = ticker_metadata.symbol AND ticker_metadata.is_actively_trading <> u.is_active",
        now,
    )
    return UniverseChange(added=len(set(symbols) - known), removed=len(removed), active=len(symbols))


async def _apply_names(connection: Connection, rows: Sequence[TickerRow], now: dt.datetime) -> None:
    """Copy the listing's own facts into the metadata."""
    await connection.execute(
        """
        INSERT INTO ticker_metadata AS m (symbol, company_name, exchange, ticker_type, cik, composite_figi,
                                          share_class_figi, is_etf, created_at, updated_at)
        SELECT symbol, name, exchange, kind, cik, figi, share_figi,
               coalesce(kind IN ('ETF', 'ETN', 'ETV', 'ETS'), false), $8, $8
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
             AS l (symbol, name, exchange, kind, cik, figi, share_figi)
        ON CONFLICT (symbol) DO UPDATE
            SET company_name = coalesce(excluded.company_name, m.company_name),
                exchange = coalesce(excluded.exchange, m.exchange),
                ticker_type = coalesce(excluded.ticker_type, m.ticker_type),
                cik = coalesce(excluded.cik, m.cik),
                composite_figi = coalesce(excluded.composite_figi, m.composite_figi),
                share_class_figi = coalesce(excluded.share_class_figi, m.share_class_figi),
                is_etf = excluded.is_etf, is_actively_trading = true, updated_at = excluded.updated_at
            WHERE (m.company_name, m.exchange, m.ticker_type, m.cik, m.composite_figi, m.is_actively_trading)
                  IS DISTINCT FROM (excluded.company_name, excluded.exchange, excluded.ticker_type, excluded.cik,
                                    excluded.composite_figi, true)
        """,
        [r.ticker for r in rows], [r.name for r in rows], [r.primary_exchange for r in rows], [r.type for r in rows],
        [r.cik for r in rows], [r.composite_figi for r in rows], [r.share_class_figi for r in rows], now,
    )  # fmt: skip


async def details_due(
    connection: Connection | Pool,
    *,
    day: dt.date,
    refresh_days: int,
    now: dt.datetime,
    symbols: Sequence[str] | None = None,
) -> list[str]:
    """Return the active symbols whose details are new, changed, split or stale; the oldest attempt first.

    Stale: each symbol has its own phase of the refresh period, so that a first load is not followed by a burst of the
    whole market one period later; it is due on the first day of its phase after the last attempt.
    """
    today = min(day, now.date())
    rows = await connection.fetch(
        """
        WITH known AS (
            SELECT u.symbol, u.changed_at, m.details_attempted_at AS attempted_at,
                   (m.details_attempted_at AT TIME ZONE 'America/New_York')::date AS attempted_day,
                   (hashtext(u.symbol) & 1073741823) % $2 AS phase
            FROM ticker_universe AS u LEFT JOIN ticker_metadata AS m USING (symbol)
            WHERE u.is_active AND ($3::text[] IS NULL OR u.symbol = ANY ($3))
        )
        SELECT symbol FROM known
        WHERE attempted_at IS NULL
           OR changed_at > attempted_at
           OR attempted_day + 1 + (phase - (attempted_day + 1 - date '2000-01-01') % $2 + $2) % $2 <= $1
           OR EXISTS (SELECT FROM stock_split AS s WHERE s.symbol = known.symbol
                      AND s.execution_day > attempted_day AND s.execution_day <= $1)
        ORDER BY attempted_at NULLS FIRST, symbol
        """,
        today, refresh_days, symbols,
    )  # fmt: skip
    return [row["symbol"] for row in rows]


async def store_details(
    connection: Connection, found: Sequence[TickerDetails], not_found: Sequence[str], *, now: dt.datetime
) -> None:
    """Store details, and remember the attempt also where the vendor has none."""
    await connection.executemany(
        """
        INSERT INTO ticker_metadata AS m (symbol, company_name, exchange, ticker_type, sector, sector_scheme, industry,
            industry_group, sic_code, shares_outstanding, shares_class, cik, composite_figi, share_class_figi,
            list_date, details_attempted_at, details_outcome, details_fetched_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'loaded', $16, $16, $16)
        ON CONFLICT (symbol) DO UPDATE SET
            company_name = coalesce(excluded.company_name, m.company_name),
            exchange = coalesce(excluded.exchange, m.exchange),
            ticker_type = coalesce(excluded.ticker_type, m.ticker_type),
            sector = coalesce(excluded.sector, m.sector),
            sector_scheme = coalesce(excluded.sector_scheme, m.sector_scheme),
            industry = coalesce(excluded.industry, m.industry),
            industry_group = coalesce(excluded.industry_group, m.industry_group),
            sic_code = coalesce(excluded.sic_code, m.sic_code),
            shares_outstanding = coalesce(excluded.shares_outstanding, m.shares_outstanding),
            shares_class = coalesce(excluded.shares_class, m.shares_class),
            cik = coalesce(excluded.cik, m.cik),
            composite_figi = coalesce(excluded.composite_figi, m.composite_figi),
            share_class_figi = coalesce(excluded.share_class_figi, m.share_class_figi),
            list_date = coalesce(excluded.list_date, m.list_date),
            details_attempted_at = excluded.details_attempted_at,
            details_outcome = 'loaded',
            details_fetched_at = CASE WHEN excluded.shares_outstanding IS NULL AND m.shares_outstanding IS NOT NULL
                                      THEN m.details_fetched_at ELSE excluded.details_fetched_at END,
            updated_at = excluded.updated_at
        """,
        [_details_row(details, now) for details in found],
    )
    await connection.execute(
        """
        INSERT INTO ticker_metadata AS m (symbol, details_attempted_at, details_outcome, created_at, updated_at)
        SELECT symbol, $2, 'not_found', $2, $2 FROM unnest($1::text[]) AS u (symbol)
        ON CONFLICT (symbol) DO UPDATE SET details_attempted_at = $2, details_outcome = 'not_found'
        """,
        list(not_found), now,
    )  # fmt: skip


def _details_row(details: TickerDetails, now: dt.datetime) -> tuple[object, ...]:
    found_sector = sector(details.type, details.sic_code)
    return (
        details.ticker, details.name, details.primary_exchange, details.type, found_sector,
        None if found_sector is None else SECTOR_SCHEME, details.sic_description, industry_group(details.sic_code),
        details.sic_code, details.weighted_shares_outstanding or details.share_class_shares_outstanding,
        details.share_class_shares_outstanding, details.cik, details.composite_figi, details.share_class_figi,
        details.list_date, now,
    )  # fmt: skip


async def store_floats(connection: Connection, rows: Sequence[FloatRow], *, now: dt.datetime) -> int:
    """Store the newest float of each known symbol and return how many symbols have one."""
    newest: dict[str, FloatRow] = {}
    for row in sorted(rows, key=lambda row: row.effective_date or dt.date.min):
        if row.free_float is not None:
            newest[row.ticker] = row
    await connection.execute(
        """
        UPDATE ticker_metadata AS m
        SET float_shares = f.shares, float_percent = coalesce(f.percent, m.float_percent),
            float_effective_date = coalesce(f.effective, m.float_effective_date), updated_at = $5
        FROM unnest($1::text[], $2::float8[], $3::float8[], $4::date[]) AS f (symbol, shares, percent, effective)
        WHERE m.symbol = f.symbol
        """,
        list(newest), [float(r.free_float or 0) for r in newest.values()],
        [r.free_float_percent for r in newest.values()], [r.effective_date for r in newest.values()], now,
    )  # fmt: skip
    return len(newest)


async def store_derived(
    connection: Connection, figures: Sequence[DerivedFigures], *, day: dt.date, now: dt.datetime
) -> None:
    """Store what was computed for *day*; an unknown market cap leaves the old one, an earlier day leaves all."""
    rows = [msgspec.structs.astuple(figure) for figure in figures]
    columns = [[row[number] for row in rows] for number in range(7)]
    await connection.execute(
        """
        INSERT INTO ticker_metadata AS m (symbol, market_cap, last_close, avg_volume_30d, avg_volume_10d, avg_volume_5d,
                                          avg_price_30d, as_of, created_at, updated_at, is_actively_trading)
        SELECT d.*, $8, $9, $9, EXISTS (SELECT FROM ticker_universe AS u WHERE u.symbol = d.symbol AND u.is_active)
        FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[])
             AS d (symbol, market_cap, last_close, volume30, volume10, volume5, price30)
        ON CONFLICT (symbol) DO UPDATE
            SET market_cap = coalesce(excluded.market_cap, m.market_cap), last_close = excluded.last_close,
                avg_volume_30d = excluded.avg_volume_30d, avg_volume_10d = excluded.avg_volume_10d,
                avg_volume_5d = excluded.avg_volume_5d, avg_price_30d = excluded.avg_price_30d,
                as_of = excluded.as_of, updated_at = excluded.updated_at
            WHERE m.as_of IS NULL OR m.as_of <= excluded.as_of
        """,
        *columns, day, now,
    )  # fmt: skip
