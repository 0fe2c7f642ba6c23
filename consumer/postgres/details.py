"""Stores the details of tickers, and decides whose are due; a null never overwrites a good value.

Every attempt is remembered with its instant, also one that found nothing: what is due follows from that alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres.list_dates import date_reissues
from consumer.postgres.tickers import ETF_TYPES
from consumer.vendor.rows import Address, Branding
from market.bounds import instant_of
from market.sectors import SECTOR_SCHEME, industry_group, sector

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool
    from consumer.vendor.rows import TickerDetails


# A share count that has not followed a split yet is asked for again after this many days.
LAGGING_COUNT_DAYS = 3


_DUE = """
WITH known AS (
    SELECT u.symbol, u.changed_at, m.details_attempted_at AS attempted_at,
           (m.details_attempted_at AT TIME ZONE 'America/New_York')::date AS attempted_day,
           (m.details_fetched_at AT TIME ZONE 'America/New_York')::date AS counted_day,
           (hashtext(u.symbol) & 1073741823) % $2 AS phase
    FROM listed_ticker AS u LEFT JOIN ticker_profile AS m USING (symbol)
    WHERE u.is_active {only}
)
SELECT symbol FROM known
WHERE attempted_at IS NULL
   OR changed_at > attempted_at
   OR attempted_day + 1 + (phase - (attempted_day + 1 - date '2000-01-01') % $2 + $2) % $2 <= $1
   OR EXISTS (SELECT FROM stock_split AS s
              WHERE coalesce(s.company, s.symbol) = known.symbol AND s.execution_day <= $1
              AND s.verdict <> 'contradicted'
              AND (s.execution_day > attempted_day
                   OR s.execution_day > counted_day AND attempted_day + $3::integer <= $1))
ORDER BY attempted_at NULLS FIRST, symbol
"""


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
    only, args = ("", []) if symbols is None else ("AND u.symbol = ANY ($4)", [list(symbols)])
    rows = await connection.fetch(
        _DUE.replace("{only}", only),
        today,
        refresh_days,
        LAGGING_COUNT_DAYS,
        *args,
    )
    return [row["symbol"] for row in rows]


# What a row of _details_row holds, and of which type.
_COLUMNS = {
    "symbol": "text",
    "company_name": "text",
    "exchange": "text",
    "ticker_type": "text",
    "sector": "text",
    "sector_scheme": "text",
    "industry": "text",
    "industry_group": "text",
    "sic_code": "text",
    "shares_outstanding": "double precision",
    "shares_class": "double precision",
    "cik": "text",
    "composite_figi": "text",
    "share_class_figi": "text",
    "list_date": "date",
    "is_etf": "boolean",
    "market": "text",
    "locale": "text",
    "currency_name": "text",
    "round_lot": "double precision",
    "delisted_utc": "timestamptz",
    "description": "text",
    "homepage_url": "text",
    "phone_number": "text",
    "total_employees": "integer",
    "ticker_root": "text",
    "ticker_suffix": "text",
    "logo_url": "text",
    "icon_url": "text",
    "address1": "text",
    "address2": "text",
    "city": "text",
    "state": "text",
    "postal_code": "text",
}
# One statement for all rows: one each, of 39 columns, was a tenth of what a first load costs the server.
_STORE_DETAILS = f"""
INSERT INTO ticker_profile AS m ({", ".join(_COLUMNS)},
    details_attempted_at, details_outcome, details_fetched_at, created_at, updated_at)
SELECT {", ".join(f"n.{name}" for name in _COLUMNS)}, $1, 'loaded', $1, $1, $1
FROM unnest({", ".join(f"${at}::{kind}[]" for at, kind in enumerate(_COLUMNS.values(), start=2))})
    AS n ({", ".join(_COLUMNS)})
ON CONFLICT (symbol) DO UPDATE SET
    company_name = coalesce(excluded.company_name, m.company_name),
    exchange = coalesce(excluded.exchange, m.exchange),
    ticker_type = coalesce(excluded.ticker_type, m.ticker_type),
    is_etf = CASE WHEN excluded.ticker_type IS NULL THEN m.is_etf ELSE excluded.is_etf END,
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
    details_fetched_at = CASE
        WHEN m.shares_outstanding IS NULL THEN excluded.details_fetched_at
        WHEN excluded.shares_outstanding IS NULL THEN m.details_fetched_at
        -- The vendor's count follows a split some days late: one that still fits the old number is of then.
        WHEN (SELECT abs(ln(excluded.shares_outstanding / m.shares_outstanding))
                   < abs(ln(excluded.shares_outstanding / m.shares_outstanding)
                         - sum(one.ratio))
              FROM (SELECT min(ln(s.split_to / s.split_from)) AS ratio FROM stock_split AS s
                    WHERE coalesce(s.company, s.symbol) = m.symbol AND s.verdict <> 'contradicted'
                      AND s.execution_day > (m.details_fetched_at AT TIME ZONE 'America/New_York')::date
                      AND s.execution_day <= (excluded.details_fetched_at AT TIME ZONE 'America/New_York')::date
                    GROUP BY s.execution_day, round(ln(s.split_to / s.split_from)::numeric, 9)) AS one)
            THEN m.details_fetched_at
        ELSE excluded.details_fetched_at END,
    updated_at = excluded.updated_at,
    market = coalesce(excluded.market, m.market),
    locale = coalesce(excluded.locale, m.locale),
    currency_name = coalesce(excluded.currency_name, m.currency_name),
    round_lot = coalesce(excluded.round_lot, m.round_lot),
    -- Details without it say that the company is listed, or again.
    delisted_utc = excluded.delisted_utc,
    description = coalesce(excluded.description, m.description),
    homepage_url = coalesce(excluded.homepage_url, m.homepage_url),
    phone_number = coalesce(excluded.phone_number, m.phone_number),
    total_employees = coalesce(excluded.total_employees, m.total_employees),
    ticker_root = coalesce(excluded.ticker_root, m.ticker_root),
    ticker_suffix = coalesce(excluded.ticker_suffix, m.ticker_suffix),
    logo_url = coalesce(excluded.logo_url, m.logo_url),
    icon_url = coalesce(excluded.icon_url, m.icon_url),
    -- An address is one thing: who has moved has no second line of before.
    (address1, address2, city, state, postal_code) = (
        SELECT CASE WHEN is_said THEN excluded.address1 ELSE m.address1 END,
               CASE WHEN is_said THEN excluded.address2 ELSE m.address2 END,
               CASE WHEN is_said THEN excluded.city ELSE m.city END,
               CASE WHEN is_said THEN excluded.state ELSE m.state END,
               CASE WHEN is_said THEN excluded.postal_code ELSE m.postal_code END
        FROM (SELECT coalesce(excluded.address1, excluded.address2, excluded.city, excluded.state,
                              excluded.postal_code) IS NOT NULL AS is_said) AS new)
"""


async def store_details(
    connection: Connection, found: Sequence[TickerDetails], not_found: Sequence[str], *, now: dt.datetime
) -> None:
    """Store details, each of another symbol, and remember the attempt also where the vendor has none."""
    if found:
        await connection.execute(_STORE_DETAILS, now, *zip(*map(_details_row, found), strict=True))
    await date_reissues(connection, [(details.ticker, details.list_date) for details in found])
    await connection.execute(
        """
        INSERT INTO ticker_profile AS m (symbol, details_attempted_at, details_outcome, created_at, updated_at)
        SELECT symbol, $2, 'not_found', $2, $2 FROM unnest($1::text[]) AS u (symbol)
        ON CONFLICT (symbol) DO UPDATE SET details_attempted_at = $2, details_outcome = 'not_found'
        """,
        list(not_found),
        now,
    )


def _details_row(details: TickerDetails) -> tuple[object, ...]:
    found_sector = sector(details.type, details.sic_code)
    return (
        details.ticker,
        details.name,
        details.primary_exchange,
        details.type,
        found_sector,
        None if found_sector is None else SECTOR_SCHEME,
        details.sic_description,
        industry_group(details.sic_code),
        details.sic_code,
        _count(details.weighted_shares_outstanding) or _count(details.share_class_shares_outstanding),
        _count(details.share_class_shares_outstanding),
        details.cik,
        details.composite_figi,
        details.share_class_figi,
        details.list_date,
        details.type in ETF_TYPES,
        *_told(details),
    )


def _told(details: TickerDetails) -> tuple[object, ...]:
    """What nothing here is made of: it is kept for whoever shows a company."""
    address, branding = details.address or Address(), details.branding or Branding()
    return (
        details.market,
        details.locale,
        details.currency_name,
        details.round_lot,
        None if details.delisted_utc is None else instant_of(details.delisted_utc),
        details.description,
        details.homepage_url,
        details.phone_number,
        details.total_employees,
        details.ticker_root,
        details.ticker_suffix,
        branding.logo_url,
        branding.icon_url,
        *msgspec.structs.astuple(address),
    )


def _count(shares: float | None) -> float | None:
    """The vendor sends 0 where it does not know: no company has no shares."""
    return shares if shares is not None and 0.0 < shares < math.inf else None
