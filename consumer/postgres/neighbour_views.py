"""Declares what the earlier service's readers read of a ticker, in the columns, types and words of each revision of it.

Columns that are columns of our table take their writers' upserts; one that is made here (list_date as text, the address
as one document, the sector's name) cannot be written, and PostgreSQL says so by its name.
"""

from __future__ import annotations

from consumer.postgres.reader_view import ReaderView

_LIST_DATE = "list_date::text AS list_date"
# Text, as their models want it; an instant by its name.
_DELISTED = """to_char(delisted_utc AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS delisted_utc"""
_ADDRESS = (
    "nullif(jsonb_strip_nulls(jsonb_build_object('address1', address1, 'address2', address2, 'city', city, "
    "'state', state, 'postal_code', postal_code)), '{}') AS address"
)
_COMPANY = "description, homepage_url, phone_number, total_employees, ticker_root, ticker_suffix, logo_url, icon_url"

TICKER_METADATA = ReaderView(
    "ticker_metadata",
    "ticker_profile",
    "symbol, company_name, exchange, ticker_type, sector, sector_scheme, industry, industry_group, sic_code, "
    "market_cap, float_shares, float_percent, float_effective_date, shares_outstanding, shares_class, "
    "avg_volume_30d, avg_volume_10d, avg_volume_5d, avg_price_30d, last_close, beta, is_etf, is_actively_trading, "
    f"cik, composite_figi, share_class_figi, {_LIST_DATE}, delisted_at, as_of, details_attempted_at, details_outcome, "
    "details_fetched_at, created_at, updated_at, avg_volume_sessions, avg_volume_sessions_10d, "
    "avg_volume_sessions_5d, sector_of_sic(ticker_type, sic_code) AS sector_name, avg_volume_3m, "
    f"avg_volume_sessions_3m, market, locale, currency_name, round_lot, {_DELISTED}, {_COMPANY}, address1, address2, "
    f"city, state, postal_code, ticker_type AS type, {_ADDRESS}",
    "What is known of a ticker's company and shares, and its averages as of a trading day; list_date is text.",
    writable=True,
)

TICKERS_UNIFIED = ReaderView(
    "tickers_unified",
    "ticker_profile",
    "symbol, company_name, exchange, sector_of_sic(ticker_type, sic_code) AS sector, industry, market_cap, "
    "float_shares AS free_float, float_percent AS free_float_percent, shares_outstanding, avg_volume_30d, "
    "avg_volume_10d, avg_volume_5d, avg_volume_3m, avg_price_30d, beta, description, homepage_url, phone_number, "
    f"{_ADDRESS}, total_employees, {_LIST_DATE}, logo_url, icon_url, cik, composite_figi, share_class_figi, "
    f"ticker_root, ticker_suffix, ticker_type AS type, currency_name, locale, market, round_lot::integer AS round_lot, "
    f"{_DELISTED}, is_etf, is_actively_trading, coalesce((SELECT u.is_active FROM listed_ticker AS u "
    "WHERE u.symbol = ticker_profile.symbol), false) AS is_active, updated_at, created_at, sic_code, sector AS ff12, "
    "CASE WHEN sector_of_sic(ticker_type, sic_code) IS NOT NULL THEN 'SIC11' END AS sector_scheme",
    "What is known of a ticker, under the names of the earlier service's newest revision; sector is one of eleven.",
    writable=True,
)
