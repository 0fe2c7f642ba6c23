"""Names the rows that a vendor's answers are made of and the results handed to the tasks.

Rows carry the field names of the first vendor, whose JSON is decoded into them; another one fills them by name.  Only
what a row is useless without is required.  Results say what was set aside, and why, so that nothing is dropped unseen.
"""

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from market.bounded_fields import MILLISECONDS

# Held while a row is decoded: numpy could not hold what is beyond.
Milliseconds = Annotated[int, msgspec.Meta(ge=int(MILLISECONDS.least), le=int(MILLISECONDS.most))]
# The same of a count; whether it can be one is held against its bound afterwards.
Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Flaw(StrEnum):
    """Why a row, or one field of it, was set aside."""

    UNDECODABLE = "undecodable"
    SYMBOL = "symbol"
    FOREIGN_DAY = "foreign_day"
    PRICE = "price"
    HIGH_BELOW_LOW = "high_below_low"
    OUTSIDE_RANGE = "outside_range"  # of low to high
    BOUNDS = "bounds"
    VOLUME = "volume"
    RATIO = "ratio"
    AMOUNT = "amount"
    DUPLICATE = "duplicate"
    OUTSIDE_GRID = "outside_grid"
    TEST_ISSUE = "test_issue"
    OUTWEIGHED = "outweighed"  # by what stands


# By flaw the rows, and as "field <name>" the values left out of rows that were taken.
Rejected = Mapping[str, int]


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """One row that was not taken, or one *field* left out of a row that was; *evidence* is what came, while kept."""

    flaw: Flaw
    symbol: str | None = None
    field: str | None = None
    evidence: Any = None


class DailyRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ticker's bar of one trading day, raw prices; volume is fractional."""

    T: str
    o: float
    h: float
    l: float  # noqa: E741  (the vendor's name)
    c: float
    v: float
    t: Milliseconds
    vw: float | None = None
    n: int | None = None
    otc: bool | None = None


class GroupedDaily(msgspec.Struct, frozen=True, kw_only=True):
    """The whole market's bars of the requested day; no rows is an answer, not an error."""

    day: dt.date
    rows: list[DailyRow]
    request_id: str | None = None
    rejected: Rejected = {}
    set_aside: tuple[SetAside, ...] = ()


class RangeBars(msgspec.Struct, frozen=True, kw_only=True):
    """One ticker's intraday bars in time order, each start once; `foreign` bars lay outside the requested days.

    `trades` int64, of how many each is made, UNKNOWN_TRADES (market/volume_slots.py) where a bar does not say it; None
    where the source has no such counts.
    """

    timestamps_ms: NDArray[np.int64]
    volumes: NDArray[np.float64]
    request_ids: tuple[str, ...]
    pages: int
    foreign: int
    trades: NDArray[np.int64] | None = None
    rejected: Rejected = {}
    set_aside: tuple[SetAside, ...] = ()


class MinuteSlots(msgspec.Struct, frozen=True, kw_only=True):
    """One session's traded shares: row i of `volumes` holds the 192 slots of `symbols[i]`, symbols in byte order.

    `trades` int64 likewise, UNKNOWN_TRADES (market/volume_slots.py) where a slot's are not known; None where the source
    has no such counts.
    """

    symbols: list[str]
    volumes: NDArray[np.float64]
    trades: NDArray[np.int64] | None = None
    rejected: Rejected = {}
    set_aside: tuple[SetAside, ...] = ()


class TickerRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ticker of the reference listing."""

    ticker: str
    name: str | None = None
    market: str | None = None
    locale: str | None = None
    primary_exchange: str | None = None
    type: str | None = None
    active: bool | None = None
    currency_name: str | None = None
    cik: str | None = None
    composite_figi: str | None = None
    share_class_figi: str | None = None
    last_updated_utc: str | None = None
    delisted_utc: str | None = None


class TickerListing(msgspec.Struct, frozen=True, kw_only=True):
    """A listing read to its end: `complete` is always true, a partial one is raised and never returned."""

    rows: list[TickerRow]
    pages: int
    others: tuple[TickerRow, ...] = ()  # further rows of the same tickers, updated earlier
    complete: bool = True
    rejected: Rejected = {}


class Address(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a company's head office is."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None


class Branding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a company's pictures are; the vendor gives them to whoever has a key."""

    logo_url: str | None = None
    icon_url: str | None = None


class TickerDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor knows of one company; any field but the ticker may be missing."""

    ticker: str
    name: str | None = None
    market: str | None = None
    locale: str | None = None
    active: bool | None = None
    type: str | None = None
    primary_exchange: str | None = None
    currency_name: str | None = None
    cik: str | None = None
    composite_figi: str | None = None
    share_class_figi: str | None = None
    market_cap: float | None = None
    weighted_shares_outstanding: float | None = None
    share_class_shares_outstanding: float | None = None
    round_lot: float | None = None
    sic_code: str | None = None
    sic_description: str | None = None
    ticker_root: str | None = None
    ticker_suffix: str | None = None
    total_employees: int | None = None
    list_date: dt.date | None = None
    delisted_utc: str | None = None
    homepage_url: str | None = None
    phone_number: str | None = None
    description: str | None = None
    address: Address | None = None
    branding: Branding | None = None


class FloatRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The shares of one ticker that trade freely; percent from 0 to 100."""

    ticker: str
    effective_date: dt.date | None = None
    free_float: int | None = None
    free_float_percent: float | None = None


class SplitRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One split: `split_from` old shares became `split_to` new ones on `execution_date`; ratios are numbers."""

    ticker: str
    execution_date: dt.date
    split_from: float
    split_to: float
    id: str | None = None
    adjustment_type: str | None = None
    historical_adjustment_factor: float | None = None


class DividendRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One cash dividend: who holds a share before `ex_dividend_date` is paid `cash_amount`, as it was paid, unadjusted.

    `frequency` counts payments a year, 0 for one that is not repeated; `distribution_type` is the vendor's word.
    """

    ticker: str
    ex_dividend_date: dt.date
    cash_amount: float
    id: str | None = None
    currency: str | None = None
    declaration_date: dt.date | None = None
    record_date: dt.date | None = None
    pay_date: dt.date | None = None
    frequency: int | None = None
    distribution_type: str | None = None


class ClosureRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One exchange's closure or early close ahead."""

    date: dt.date
    exchange: str | None = None
    status: str | None = None
    close: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None
