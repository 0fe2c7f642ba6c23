"""Declares the views of prices and volumes: raw, or adjusted for what a company has split and paid since."""

from __future__ import annotations

from consumer.postgres.reader_view import Prices, ReaderView

_BARS = "trading_date, symbol, open, high, low, close, volume, vwap, trades_count, load_id"
# Where a row has no trades, unnest() makes nulls of them. Empty slots add nothing to a sum: left out before it is made,
# a thin symbol costs what it traded.
_SLOTS = """
    CROSS JOIN LATERAL (
        SELECT (n - 1)::integer AS slot_number, time '04:00' + (n - 1) * interval '5 minutes' AS slot_time, v AS volume,
               sum(v) OVER (ORDER BY n) AS volume_accumulated, t AS trades_count
        FROM unnest({row}.volumes, {row}.trades) WITH ORDINALITY AS u (v, t, n) WHERE v > 0
    ) AS slot"""
# By which factor the sessions from one split of a company to its next are multiplied. A split counts once a company,
# day and ratio, under whichever of its symbols, and how often, it is listed.
_FACTOR = """
    LEFT JOIN (
        SELECT split.symbol, split.execution_day AS until,
               coalesce(lag(split.execution_day) OVER (PARTITION BY split.symbol ORDER BY split.execution_day),
                        '-infinity') AS since,
               exp(sum(split.ratio) OVER (PARTITION BY split.symbol ORDER BY split.execution_day DESC)) AS factor
        FROM (
            SELECT symbol, execution_day, sum(ratio) AS ratio FROM (
                SELECT coalesce(s.company, s.symbol) AS symbol, s.execution_day,
                       min(ln(s.split_from / s.split_to)) AS ratio
                FROM stock_split AS s
                WHERE s.verdict <> 'contradicted'
                  AND s.execution_day <= (SELECT max(trading_day) FROM coverage WHERE data_set = 'daily_bars')
                GROUP BY 1, 2, round(ln(s.split_from / s.split_to)::numeric, 9)
            ) AS one GROUP BY 1, 2
        ) AS split
    ) AS step ON step.symbol = h.symbol AND h.trading_date >= step.since AND h.trading_date < step.until
    CROSS JOIN LATERAL (SELECT coalesce(step.factor, 1) AS factor) AS f"""

# Since when dividends are known, and up to which session they were held against prices: beyond, no factor is.
_DIVIDENDS_KNOWN = """
    CROSS JOIN (
        SELECT (SELECT min((detail->>'since')::date) FROM coverage WHERE data_set = 'dividends') AS since,
               least((SELECT max(trading_day) FROM coverage WHERE data_set = 'dividends'),
                     (SELECT max(trading_day) FROM coverage WHERE data_set = 'dividend_check')) AS up_to
    ) AS k"""
# One ex-day without a factor leaves none to the closes before it.
_DIVIDEND_FACTOR = """
    CROSS JOIN LATERAL (
        SELECT CASE WHEN h.trading_date BETWEEN k.since AND k.up_to AND count(*) = count(d.factor)
                    THEN coalesce(exp(sum(ln(d.factor))), 1) END AS factor,
               coalesce(sum(d.left_out), 0) AS left_out
        FROM dividend_factor AS d
        WHERE d.symbol = h.symbol AND d.ex_dividend_day > h.trading_date AND d.ex_dividend_day <= k.up_to
    ) AS r"""

_ADJUSTED = (
    "h.trading_date, h.symbol, h.open * f.factor AS open, h.high * f.factor AS high, h.low * f.factor AS low, "
    "h.close * f.factor AS close, h.volume / f.factor AS volume, h.vwap * f.factor AS vwap, h.trades_count"
)
_SLOTS_ADJUSTED = (
    "h.trading_date AS date, h.symbol, slot.slot_number, slot.slot_time, slot.volume / f.factor AS volume, "
    "slot.volume_accumulated / f.factor AS volume_accumulated"
)
_TRADES = "slot.trades_count, NULL::double precision AS avg_price"

BY_PRICES = {
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
            "adjustable_history AS h" + _FACTOR,
            f"{_ADJUSTED}, h.load_id",
            "Daily bars of the company that has the symbol today, adjusted for its splits since; of sessions that were "
            "adopted and not loaded since, the earlier service's, with a null load_id.",
        ),
        ReaderView(
            "volume_slots",
            "slot_history AS h" + _FACTOR + _SLOTS.format(row="h"),
            f"{_SLOTS_ADJUSTED}, {_TRADES}",
            "Five-minute volumes of the company that has the symbol today, adjusted for its splits since.",
        ),
    ),
}

ADJUSTED = (
    ReaderView(
        "market_data_daily_adjusted",
        "daily_history AS h" + _FACTOR,
        f"{_ADJUSTED}, f.factor AS price_factor, h.load_id",
        "Daily bars of the company that has the symbol today, adjusted for its splits since.",
    ),
    ReaderView(
        "daily_total_return",
        "daily_history AS h" + _DIVIDENDS_KNOWN + _FACTOR + _DIVIDEND_FACTOR,
        "h.trading_date, h.symbol, h.close, h.close * f.factor AS split_adjusted_close, "
        "h.close * f.factor * r.factor AS total_return_close, f.factor AS split_factor, r.factor AS dividend_factor, "
        "r.left_out AS dividends_left_out",
        "Closes of the company that has the symbol today: raw, adjusted for splits, and for dividends paid since too; "
        "null where what was paid, or the close before it, is not known.",
    ),
    ReaderView(
        "volume_slots_adjusted",
        "slot_history AS h" + _FACTOR + _SLOTS.format(row="h"),
        f"{_SLOTS_ADJUSTED}, f.factor AS price_factor, slot.trades_count",
        "Five-minute volumes of the company that has the symbol today, adjusted for its splits since.",
    ),
)
