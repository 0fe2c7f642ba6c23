"""Says what a `metadata:ticker:{symbol}` document is: what neighbours read, under every name by which they ask for it.

A schema of its own: a column that somebody adds to ticker_profile is told to nobody until it stands here too.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.vendor.rows import Address
from market.sector_names import SIC_11, sector_name, why_no_sector
from market.sectors import FUND

if TYPE_CHECKING:
    from collections.abc import Mapping


class HeadOffice(Address, omit_defaults=True, frozen=True, kw_only=True, gc=False):
    """The lines of an address that are known."""


class MetadataDocument(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """One ticker's document; what has no value is left out. Counts are whole, prices in USD, percent from 0 to 100.

    `free_float`, `free_float_percent` and `type` are `float_shares`, `float_percent` and `ticker_type` as newer
    readers ask for them. `sector` is one of eleven by `sector_scheme`, or `sector_reason` says why there is none;
    `ff12` is the Fama-French code. Averages are split-adjusted, as of the session `as_of`.
    """

    symbol: str
    company_name: str | None = None
    exchange: str | None = None
    ticker_type: str | None = None
    type: str | None = None
    sector: str | None = None
    sector_scheme: str | None = None
    sector_reason: str | None = None
    ff12: str | None = None
    industry: str | None = None
    industry_group: str | None = None
    sic_code: str | None = None
    market_cap: int | None = None
    float_shares: int | None = None
    free_float: int | None = None
    float_percent: float | None = None
    free_float_percent: float | None = None
    float_effective_date: dt.date | None = None
    shares_outstanding: int | None = None
    shares_class: int | None = None
    avg_volume_30d: int | None = None
    avg_volume_10d: int | None = None
    avg_volume_5d: int | None = None
    avg_volume_3m: int | None = None
    avg_price_30d: float | None = None
    last_close: float | None = None
    beta: float | None = None
    is_etf: bool | None = None
    is_actively_trading: bool | None = None
    cik: str | None = None
    composite_figi: str | None = None
    share_class_figi: str | None = None
    list_date: dt.date | None = None
    delisted_at: dt.datetime | None = None
    delisted_utc: dt.datetime | None = None
    market: str | None = None
    locale: str | None = None
    currency_name: str | None = None
    round_lot: int | None = None
    ticker_root: str | None = None
    ticker_suffix: str | None = None
    description: str | None = None
    homepage_url: str | None = None
    phone_number: str | None = None
    address: HeadOffice | None = None
    total_employees: int | None = None
    logo_url: str | None = None
    icon_url: str | None = None
    as_of: dt.date | None = None
    updated_at: dt.datetime | None = None
    avg_volume_sessions: int | None = None
    avg_volume_sessions_10d: int | None = None
    avg_volume_sessions_5d: int | None = None
    avg_volume_sessions_3m: int | None = None


_WHOLE = (
    "market_cap",
    "float_shares",
    "shares_outstanding",
    "shares_class",
    "avg_volume_30d",
    "avg_volume_10d",
    "avg_volume_5d",
    "avg_volume_3m",
    "round_lot",
)
_MADE_HERE = {"type", "free_float", "free_float_percent", "sector", "sector_scheme", "sector_reason", "ff12", "address"}
_ADDRESS = HeadOffice.__struct_fields__
_SAME_NAMES = tuple(name for name in MetadataDocument.__struct_fields__ if name not in _MADE_HERE)
#: The columns of ticker_profile that a document is made of.
OF_PROFILE = (*_SAME_NAMES, "sector", *_ADDRESS)


def document_of(row: Mapping[str, Any]) -> MetadataDocument:
    """The document of a row of OF_PROFILE; OverflowError and ValueError where a count in it has no end, or is none."""
    same = {name: row.get(name) for name in _SAME_NAMES}
    whole = {name: round(count) for name in _WHOLE if (count := same[name]) is not None}
    sector = sector_name(row.get("ticker_type"), row.get("sic_code"))
    lines = {name: line for name in _ADDRESS if (line := row.get(name)) is not None}
    made = {
        "type": same["ticker_type"],
        "free_float": whole.get("float_shares"),
        "free_float_percent": same["float_percent"],
        "sector": sector,
        "sector_scheme": None if sector is None else SIC_11,
        "sector_reason": why_no_sector(row.get("ticker_type"), row.get("sic_code")),
        "ff12": None if row.get("sector") == FUND else row.get("sector"),
        "address": HeadOffice(**lines) if lines else None,
    }
    return MetadataDocument(**{**same, **whole, **made})
