"""Declares the views that SQL readers and neighbours read: name, columns, where they come from, what they mean.

Each has the columns, types and order that the relation of that name had before it became ours. Two of them mean what
READER_PRICES says: raw as before, or adjusted.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Prices(StrEnum):
    """What the names mean to SQL readers that do not say it themselves."""

    RAW = "raw"
    ADJUSTED = "adjusted"


class ReaderView(msgspec.Struct, frozen=True):
    """*columns* of our relation *source*, as the view *name*; a *source* of several words is what follows FROM.

    *writable*: neighbours that wrote to the table of that name may write to the view.
    """

    name: str
    source: str
    columns: str
    meaning: str
    writable: bool = False

    @property
    def definition(self) -> str:
        return f"SELECT {self.columns} FROM {self.source}"

    @property
    def as_made(self) -> str:
        """What is kept of a view that was made, to see whether it has changed since."""
        return msgspec.json.encode(self).decode()


_BARS = "trading_date, symbol, open, high, low, close, volume, vwap, trades_count, load_id"
# Where a row has no trades, unnest() makes nulls of them.
_SLOTS = """
    CROSS JOIN LATERAL (
        SELECT (n - 1)::integer AS slot_number, time '04:00' + (n - 1) * interval '5 minutes' AS slot_time, v AS volume,
               sum(v) OVER (ORDER BY n) AS volume_accumulated, t AS trades_count
        FROM unnest({row}.volumes, {row}.trades) WITH ORDINALITY AS u (v, t, n)
    ) AS slot WHERE slot.volume > 0"""
# A split counts once a company, day and ratio, under whichever of its symbols, and how often, it is listed.
_FACTOR = """
    CROSS JOIN LATERAL (
        SELECT coalesce(exp(sum(one.ratio)), 1) AS factor FROM (
            SELECT min(ln(s.split_from / s.split_to)) AS ratio FROM stock_split AS s
            WHERE coalesce(s.company, s.symbol) = h.symbol AND s.execution_day > h.trading_date
              AND s.verdict <> 'contradicted'
              AND s.execution_day <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
            GROUP BY s.execution_day, round(ln(s.split_from / s.split_to)::numeric, 9)
        ) AS one
    ) AS f"""

_ADJUSTED = (
    "h.trading_date, h.symbol, h.open * f.factor AS open, h.high * f.factor AS high, h.low * f.factor AS low, "
    "h.close * f.factor AS close, h.volume / f.factor AS volume, h.vwap * f.factor AS vwap, h.trades_count"
)
_SLOTS_ADJUSTED = (
    "h.trading_date AS date, h.symbol, slot.slot_number, slot.slot_time, slot.volume / f.factor AS volume, "
    "slot.volume_accumulated / f.factor AS volume_accumulated"
)
_TRADES = "slot.trades_count, NULL::double precision AS avg_price"

_BY_PRICES = {
    Prices.RAW: (
        ReaderView(
            "market_data_daily",
            "daily_bar",
            _BARS,
            "Daily bars as they were traded: raw, never adjusted.",
            writable=True,
        ),
        ReaderView(
            "volume_slots",
            "session_slots AS day" + _SLOTS.format(row="day"),
            "day.trading_date AS date, day.symbol, slot.slot_number, slot.slot_time, slot.volume, "
            f"slot.volume_accumulated, {_TRADES}",
            "Five-minute volumes of a session and their trades, slots without volume left out: raw, never adjusted.",
        ),
    ),
    Prices.ADJUSTED: (
        ReaderView(
            "market_data_daily",
            "daily_history AS h" + _FACTOR,
            f"{_ADJUSTED}, h.load_id",
            "Daily bars of the company that has the symbol today, adjusted for its splits since.",
        ),
        ReaderView(
            "volume_slots",
            "slot_history AS h" + _FACTOR + _SLOTS.format(row="h"),
            f"{_SLOTS_ADJUSTED}, {_TRADES}",
            "Five-minute volumes of the company that has the symbol today, adjusted for its splits since.",
        ),
    ),
}

_ALWAYS = (
    ReaderView(
        "market_data_daily_adjusted",
        "daily_history AS h" + _FACTOR,
        f"{_ADJUSTED}, f.factor AS price_factor, h.load_id",
        "Daily bars of the company that has the symbol today, adjusted for its splits since.",
    ),
    ReaderView(
        "volume_slots_adjusted",
        "slot_history AS h" + _FACTOR + _SLOTS.format(row="h"),
        f"{_SLOTS_ADJUSTED}, f.factor AS price_factor, slot.trades_count",
        "Five-minute volumes of the company that has the symbol today, adjusted for its splits since.",
    ),
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
        "avg_volume_sessions_5d",
        "What is known of a ticker's company and shares, and its averages as of a trading day.",
        writable=True,
    ),
    ReaderView(
        "stock_split",
        "stock_split",
        "symbol, execution_day, split_from, split_to, kind, load_id, verdict, price_ratio, first_listed_at, company",
        "Splits as listed, with what the overnight price says of them.",
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
    return (*_BY_PRICES[prices], *_ALWAYS)
