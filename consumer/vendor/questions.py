"""Names the questions that maintenance puts to a vendor, as counters, budgets and logs call them."""

from __future__ import annotations

from enum import StrEnum


class Question(StrEnum):
    """What is asked; a vendor that has an address for each may give each a budget of its own."""

    GROUPED_DAILY = "grouped_daily"
    RANGE_BARS = "range_bars"
    DAY_BAR = "day_bar"
    TICKERS = "tickers"
    TICKER_DETAILS = "ticker_details"
    FLOATS = "floats"
    SPLITS = "splits"
    DIVIDENDS = "dividends"
    MARKET_HOLIDAYS = "market_holidays"
