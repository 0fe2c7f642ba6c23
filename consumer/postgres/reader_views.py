"""Declares the views that SQL readers and neighbours read: name, columns, where they come from, what they mean.

Each has the columns, types and order that the relation of that name had before it became ours. Two of them mean what
READER_PRICES says: raw as before, or adjusted.
"""

from __future__ import annotations

from consumer.postgres.price_views import ADJUSTED, BY_PRICES
from consumer.postgres.reader_view import Prices, ReaderView

#: Of which reader_functions.py has `universe_on`.
UNIVERSE_DAILY = ReaderView(
    "ticker_universe_daily",
    "listed_ticker_daily",
    "trading_date, symbol, company, company_name, ticker_type, exchange, sector, sector_scheme, industry, "
    "industry_group, sic_code, shares_outstanding, shares_counted_on, float_shares, float_percent, "
    "float_effective_date, close, market_cap, list_date, composite_figi, share_class_figi, cik, known_by, listing_of",
    "Who was listed on each stored session, with what was known of it then; those that are gone by now too.",
)

_ALWAYS = (
    ReaderView(
        "volume_slots_daily",
        "session_slots",
        "trading_date, symbol, outcome, volumes, fetched_at, load_id, trades, trades_unknown",
        "A row a session and symbol with its 192 five-minute volumes and trades, also where nobody traded: raw.",
    ),
    ReaderView(
        "daily_history",
        "daily_history",
        "trading_date, symbol, traded_as, open, high, low, close, volume, vwap, trades_count, load_id",
        "Daily bars by the company that has the symbol today: raw.",
    ),
    ReaderView(
        "slot_history",
        "slot_history",
        "trading_date, symbol, traded_as, outcome, volumes, fetched_at, load_id, trades, trades_unknown",
        "Rows of five-minute volumes by the company that has the symbol today: raw.",
    ),
    ReaderView(
        "ticker_universe",
        "listed_ticker",
        "symbol, is_active, ticker_type, listed_figi, listed_cik, last_seen, added_at, removed_at, reason_removed, "
        "changed_at, state, issuer_since, delisted_at, market_data_symbol, listed_from, listed_share_class_figi, "
        "missing_since, missing_until, missed_listings",
        "A row a symbol that a listing has shown, with what became of it.",
        writable=True,
    ),
    ReaderView(
        "ticker_metadata",
        "ticker_profile",
        "symbol, company_name, exchange, ticker_type, sector, sector_scheme, industry, industry_group, sic_code, "
        "market_cap, float_shares, float_percent, float_effective_date, shares_outstanding, shares_class, "
        "avg_volume_30d, avg_volume_10d, avg_volume_5d, avg_price_30d, last_close, beta, is_etf, is_actively_trading, "
        "cik, composite_figi, share_class_figi, list_date, delisted_at, as_of, details_attempted_at, details_outcome, "
        "details_fetched_at, created_at, updated_at, avg_volume_sessions, avg_volume_sessions_10d, "
        "avg_volume_sessions_5d, sector_of_sic(ticker_type, sic_code) AS sector_name, avg_volume_3m, "
        "avg_volume_sessions_3m, market, locale, currency_name, round_lot, delisted_utc, description, homepage_url, "
        "phone_number, total_employees, ticker_root, ticker_suffix, logo_url, icon_url, address1, address2, "
        "city, state, postal_code",
        "What is known of a ticker's company and shares, and its averages as of a trading day.",
        writable=True,
    ),
    ReaderView(
        "ticker_universe_history",
        "listed_ticker_history",
        "symbol, valid_from, valid_to, is_listed, state, listed_figi, listed_share_class_figi, listed_cik, "
        "issuer_since, delisted_on, load_id, known_at",
        "From which trading day on, and before which, a symbol was listed or not, and as whose.",
    ),
    ReaderView(
        "ticker_metadata_history",
        "ticker_profile_history",
        "symbol, valid_from, valid_to, company_name, exchange, ticker_type, sector, sector_scheme, industry, "
        "industry_group, sic_code, shares_outstanding, shares_class, shares_counted_on, float_shares, float_percent, "
        "float_effective_date, list_date, cik, composite_figi, share_class_figi, issuer_since, load_id, known_at",
        "From which trading day on, and before which, what was known of a listed ticker.",
    ),
    UNIVERSE_DAILY,
    ReaderView(
        "stock_split",
        "stock_split",
        "symbol, execution_day, split_from, split_to, kind, load_id, verdict, price_ratio, first_listed_at, company",
        "Splits as listed, with what the overnight price says of them.",
    ),
    ReaderView(
        "stock_dividend",
        "stock_dividend",
        "symbol, ex_dividend_day, cash_amount, currency, distribution_type, declared_day, record_day, pay_day, "
        "frequency, vendor_id, load_id, first_listed_at, verdict, price_drop, company",
        "Cash dividends as listed, with what the overnight price says of them.",
    ),
    ReaderView(
        "dividend_factor",
        "dividend_factor",
        "symbol, ex_dividend_day, paid, close_before, split_factor, factor, left_out, load_id",
        "What each ex-day takes off its company's closes before it.",
    ),
    ReaderView(
        "ticker_atr",
        "ticker_atr",
        "trading_date, symbol, atr, atr_percent, bars_used, load_id",
        "ATR(14), Wilder's, over adjusted bars.",
    ),
    ReaderView(
        "ticker_change",
        "ticker_change",
        "symbol, changed_on, kind, new_symbol, since, old_figi, new_figi, found_at, old_codes, new_codes, listed_on, "
        "evidence, closed_on",
        "Who had which symbol when.",
    ),
    ReaderView(
        "session_condition",
        "session_condition",
        "trading_day, condition, state, reason, state_since, last_modified_at, judged_at, data_sets",
        "The verdict on each session.",
    ),
    ReaderView(
        "session_finding",
        "session_finding",
        "finding_id, trading_day, data_set, kind, reason, symbols, evidence, contested, contested_at, load_id, "
        "found_at, rechecked_at, state, settled_at, settled_by, settled_reason, rows_replaced_at",
        "What was found against a session's data.",
    ),
    ReaderView(
        "cycle",
        "cycle",
        "cycle_id, trading_day, occasion, scheduled, due_at, requested_by, tasks, force, state, pass, opened_at, "
        "pass_started_at, finished_at, next_pass_at, give_up_at, reason, missing, warnings, first_day",
        "Which cycle ran when, and how it ended.",
    ),
    ReaderView(
        "part",
        "part",
        "cycle_id, task, part, stage, needs, state, pass, payload, fence, holder, attempt, started_at, ended_at, "
        "row_count, requests, retryable, reason, warnings",
        "The parts of each cycle.",
    ),
    ReaderView(
        "coverage",
        "coverage",
        "data_set, trading_day, row_count, fetched_at, load_id, detail, retired_at",
        "What was proven to be there of each data set and trading day.",
    ),
    ReaderView(
        "data_load",
        "data_load",
        "load_id, cycle_id, task, part, fence, source, request_id, fetched_at, row_count, rejected",
        "From which request each row came.",
    ),
    ReaderView(
        "set_aside",
        "set_aside",
        "load_id, data_set, trading_day, flaw, evidence, symbol, field",
        "What came and was not loaded.",
    ),
    ReaderView(
        "restatement",
        "restatement",
        "data_set, trading_day, symbol, change, before, after, load_id, found_at",
        "What the vendor changed of a final session afterwards.",
    ),
    ReaderView(
        "dead_letter",
        "dead_letter",
        "dead_letter_id, stream, entry_id, reason, fingerprint, deliveries, dead_at, fields, trading_day, task, part, "
        "state, settled_at, settled_by, settled_reason, example",
        "Work that was given up.",
    ),
    # A program of a release before these views looks here, and finds that it is too old.
    ReaderView(
        "schema_migration", "schema_migration", "name, checksum, applied_at", "The migrations of this database."
    ),
)


def views(prices: Prices = Prices.RAW) -> tuple[ReaderView, ...]:
    """Return every view, with the two that *prices* decide on first."""
    return (*BY_PRICES[prices], *ADJUSTED, *_ALWAYS)
