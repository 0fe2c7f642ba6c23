"""Spells the rows of the vendor's answers, field by field and in its order.

A field that is None (in bars: UNSET) is absent, as the vendor leaves out what it does not know.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class Bar(msgspec.Struct, gc=False):
    """A bar of one ticker; positional, because eleven thousand answers are built of them."""

    v: float
    vw: float | UnsetType
    o: float
    c: float
    h: float
    l: float  # noqa: E741  the vendor's name
    t: int
    n: int | UnsetType = UNSET


class GroupedRow(msgspec.Struct, gc=False):
    """One ticker's bar in the answer for a whole day."""

    T: str
    v: float
    vw: float | UnsetType
    o: float
    c: float
    h: float
    l: float  # noqa: E741  the vendor's name
    t: int
    n: int | UnsetType = UNSET


class TickerRow(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    ticker: str
    name: str | None = None
    market: str
    locale: str
    primary_exchange: str | None = None
    type: str | None = None
    active: bool
    currency_name: str
    cik: str | None = None
    composite_figi: str | None = None
    share_class_figi: str | None = None
    last_updated_utc: str | None = None
    delisted_utc: str | None = None


class TickerDetails(msgspec.Struct, omit_defaults=True, kw_only=True):
    ticker: str
    name: str | None = None
    market: str
    locale: str
    primary_exchange: str | None = None
    type: str | None = None
    active: bool
    currency_name: str
    cik: str | None = None
    composite_figi: str | None = None
    share_class_figi: str | None = None
    market_cap: float | None = None
    phone_number: str | None = None
    address: dict[str, str] | None = None
    description: str | None = None
    sic_code: str | None = None
    sic_description: str | None = None
    ticker_root: str | None = None
    ticker_suffix: str | None = None
    homepage_url: str | None = None
    total_employees: int | None = None
    list_date: str | None = None
    delisted_utc: str | None = None
    share_class_shares_outstanding: int | None = None
    weighted_shares_outstanding: int | None = None
    round_lot: int | None = None
    branding: dict[str, str] | None = None


class FloatRow(msgspec.Struct, kw_only=True):
    ticker: str
    effective_date: str
    free_float: int
    free_float_percent: float


class SplitRow(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A split as `/stocks/v1/splits` gives it; the older address leaves the last two fields out."""

    id: str
    ticker: str
    execution_date: str
    split_from: float | int
    split_to: float | int
    adjustment_type: str | None = None
    historical_adjustment_factor: float | None = None


class DividendRow(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A cash dividend as `/stocks/v1/dividends` gives it, but for the vendor's own adjustment figures."""

    id: str
    ticker: str
    cash_amount: float
    split_adjusted_cash_amount: float | None = None
    currency: str | None = None
    declaration_date: str | None = None
    ex_dividend_date: str
    record_date: str | None = None
    pay_date: str | None = None
    frequency: int | None = None
    distribution_type: str | None = None


class TickerChange(msgspec.Struct, kw_only=True):
    ticker: str


class TickerEvent(msgspec.Struct, kw_only=True):
    date: str
    type: str = "ticker_change"
    ticker_change: TickerChange


class TickerEvents(msgspec.Struct, omit_defaults=True, kw_only=True):
    name: str
    composite_figi: str | None = None
    cik: str | None = None
    events: list[TickerEvent]


class SnapshotBar(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Today's bar so far, the newest minute's or the previous day's; `av` and `t` belong to a minute alone."""

    o: float
    h: float
    l: float  # noqa: E741  the vendor's name
    c: float
    v: float
    vw: float
    av: float | UnsetType = UNSET
    t: int | UnsetType = UNSET
    n: int | UnsetType = UNSET


class SnapshotRow(msgspec.Struct, kw_only=True, rename="camel"):
    ticker: str
    todays_change: float
    todays_change_perc: float
    updated: int
    day: SnapshotBar
    min: SnapshotBar
    prev_day: SnapshotBar
