"""Names what values can be, and holds the table of bounds of every field of every question that is answered.

The readers drop what is beyond (`consumer/vendor/sieve.py`). Columns name the same bounds in the declarations of their
tables (`consumer/data_sets`), and their CHECK constraints say the same, which a test compares. A column is never
narrower than the fields that it keeps, so nothing a reader lets through can fail in the database.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

import msgspec

from market.bounds import PRINTABLE, Bound, Day, Flag, Instant, Number, Text
from market.symbols import MAX_SYMBOL_LENGTH, WELL_FORMED


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a field can be; without a *required* one its row is of no use."""

    bound: Bound
    required: bool = False


SYMBOL: Final = Text(longest=MAX_SYMBOL_LENGTH, pattern=WELL_FORMED)
# Berkshire A, the dearest share there is, stands below 1e6; a share is quoted in ten-thousandths, traded in finer ones.
PRICE: Final = Number(unit="USD", least=1e-6, most=1e7)
# Fractions have six digits. The busiest day of a share saw some 1e10 shares.
VOLUME: Final = Number(unit="shares", least=1e-6, most=1e12, or_zero=True)
TRADES: Final = Number(unit="trades", least=0, most=1e9, whole=True)
# What has no milliseconds between it and its neighbour is no time; numpy and PostgreSQL hold these.
MILLISECONDS: Final = Number(unit="ms since 1970", least=0, most=2**53 - 1, whole=True)
NANOSECONDS: Final = Number(unit="ns since 1970", least=0, most=2**63 - 1, whole=True)
SHARES: Final = Number(unit="shares", least=1, most=1e13)
FREE_FLOAT: Final = Number(unit="shares", least=0, most=1e13, whole=True)
PERCENT: Final = Number(unit="percent", least=0, most=100)
MARKET_CAP: Final = Number(unit="USD", least=1e-6, most=1e15)
ROUND_LOT: Final = Number(unit="shares", least=1, most=1e6)
EMPLOYEES: Final = Number(unit="people", least=0, most=1e8, whole=True)
# No company gives more than thousands of shares for one; beyond, a ratio is a slip or noise.
SPLIT_SHARES: Final = Number(unit="shares", least=1e-6, most=1e6)
SPLIT_FACTOR: Final = Number(unit="factor", least=1e-12, most=1e12)
# A share pays less than it costs, in whatever currency; funds pay amounts of seven digits behind the point.
DIVIDEND: Final = Number(unit="an amount a share", least=1e-9, most=1e7)
PAYMENTS: Final = Number(unit="payments a year", least=0, most=366, whole=True)
COUNT: Final = Number(unit="rows", least=0, most=1e9, whole=True)

NAME: Final = Text(longest=500, pattern=PRINTABLE)
WORD: Final = Text(longest=50, pattern=PRINTABLE)
PROSE: Final = Text(longest=20_000, pattern=r"[^\x00\ud800-\udfff]+")
# As PRINTABLE, in lines.
LINES: Final = Text(longest=20_000, pattern=r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+")
MIC: Final = Text(longest=20, pattern=r"[A-Za-z0-9._-]+")
CIK: Final = Text(longest=10, pattern=r"[0-9]+")
FIGI: Final = Text(longest=12, pattern=r"[A-Za-z0-9]+")
CURRENCY: Final = Text(longest=3, pattern=r"[A-Za-z]{3}")
SIC: Final = Text(longest=4, pattern=r"[0-9]+")
REQUEST_ID: Final = Text(longest=200, pattern=PRINTABLE)
# What a page may make a link of: a "javascript:" is no address of a company.
WEB_ADDRESS: Final = Text(longest=2_000, pattern=r"https?://[!-~]+")
NEXT_URL: Final = Text(longest=8_000, pattern=r"[!-~]*")  # an empty one says that there is no next page
FLAG: Final = Flag()

# The first shares were traded under the buttonwood tree; who lists a company announces it in the same year.
LIST_DATE: Final = Day(first=dt.date(1792, 5, 17), days_ahead=400)
FLOAT_DATE: Final = Day(first=dt.date(1970, 1, 1), days_ahead=1)  # of what was counted; a zone further it is tomorrow
SPLIT_DATE: Final = Day(first=dt.date(1970, 1, 1), days_ahead=400)
DIVIDEND_DATE: Final = Day(first=dt.date(1970, 1, 1), days_ahead=1_100)  # what is declared may be paid years later
CLOSURE_DATE: Final = Day(first=dt.date(2000, 1, 1), days_ahead=1_500)
CLOSURE_TIME: Final = Instant(first=dt.date(2000, 1, 1), days_ahead=1_500)
DELISTED_AT: Final = Instant(first=dt.date(1792, 5, 17), days_ahead=400, or_day=True)
UPDATED_AT: Final = Instant(first=dt.date(1970, 1, 1), days_ahead=7, or_day=True)

# What is computed here. Prices and ranges on the basis of later splits reach further than traded ones.
ADJUSTED_PRICE: Final = Number(unit="USD", least=1e-9, most=1e10)
RANGE: Final = Number(unit="USD", least=0, most=1e10)
RANGE_PERCENT: Final = Number(unit="percent", least=0, most=1e12)
MEAN_VOLUME: Final = Number(unit="shares", least=0, most=1e12)
DAY_VOLUME: Final = Number(unit="shares", least=0, most=1e15)  # as caches hold it: a whole number of eight bytes
PRICE_RATIO: Final = Number(unit="factor", least=1e-13, most=1e13)
PRICE_CHANGE: Final = Number(unit="USD", least=-1e13, most=1e13)
PAID: Final = Number(unit="USD a share", least=0, most=1e13)
PRICE_OF_BEFORE: Final = Number(unit="USD", least=1e-13, most=1e13)  # brought over a split to the basis of the ex-day
DIVIDEND_FACTOR: Final = Number(unit="factor", least=1e-6, most=1)


def _required(bound: Bound) -> Field:
    return Field(bound=bound, required=True)


def _optional(bound: Bound) -> Field:
    return Field(bound=bound)


_BAR: Final = {
    **{name: _required(PRICE) for name in ("o", "h", "l", "c")},
    "v": _required(VOLUME),
    "t": _required(MILLISECONDS),
    "vw": _optional(PRICE),
    "n": _optional(TRADES),
}
_IDENTITY: Final = {
    "ticker": _required(SYMBOL),
    "name": _optional(NAME),
    "market": _optional(WORD),
    "locale": _optional(WORD),
    "primary_exchange": _optional(MIC),
    "type": _optional(WORD),
    "active": _optional(FLAG),
    "currency_name": _optional(WORD),
    "cik": _optional(CIK),
    "composite_figi": _optional(FIGI),
    "share_class_figi": _optional(FIGI),
    "delisted_utc": _optional(DELISTED_AT),
}

#: By endpoint (as counters and logs call it; files, the envelope and the parts of details beside them) and the
#: vendor's field name.
ENDPOINTS: Final[Mapping[str, Mapping[str, Field]]] = {
    "envelope": {
        "status": _optional(WORD),
        "request_id": _optional(REQUEST_ID),
        "error": _optional(PROSE),
        "message": _optional(PROSE),
        "next_url": _required(NEXT_URL),
        "ticker": _optional(SYMBOL),
        "adjusted": _optional(FLAG),
        "count": _optional(COUNT),
        "resultsCount": _optional(COUNT),
    },
    "grouped_daily": {"T": _required(SYMBOL), **_BAR, "otc": _optional(FLAG)},
    "range_bars": {"t": _required(MILLISECONDS), "v": _required(VOLUME), "n": _optional(TRADES)},
    "tickers": {**_IDENTITY, "last_updated_utc": _optional(UPDATED_AT)},
    "ticker_details": {
        **_IDENTITY,
        "market_cap": _optional(MARKET_CAP),
        "weighted_shares_outstanding": _optional(SHARES),
        "share_class_shares_outstanding": _optional(SHARES),
        "round_lot": _optional(ROUND_LOT),
        "sic_code": _optional(SIC),
        "sic_description": _optional(NAME),
        "ticker_root": _optional(SYMBOL),
        "ticker_suffix": _optional(SYMBOL),
        "total_employees": _optional(EMPLOYEES),
        "list_date": _optional(LIST_DATE),
        "homepage_url": _optional(WEB_ADDRESS),
        "phone_number": _optional(WORD),
        "description": _optional(LINES),
    },
    "ticker_address": {
        "address1": _optional(NAME),
        "address2": _optional(NAME),
        "city": _optional(NAME),
        "state": _optional(WORD),
        "postal_code": _optional(WORD),
    },
    "ticker_branding": {"logo_url": _optional(WEB_ADDRESS), "icon_url": _optional(WEB_ADDRESS)},
    "floats": {
        "ticker": _required(SYMBOL),
        "effective_date": _optional(FLOAT_DATE),
        "free_float": _optional(FREE_FLOAT),
        "free_float_percent": _optional(PERCENT),
    },
    "splits": {
        "ticker": _required(SYMBOL),
        "execution_date": _required(SPLIT_DATE),
        "split_from": _required(SPLIT_SHARES),
        "split_to": _required(SPLIT_SHARES),
        "id": _optional(REQUEST_ID),
        "adjustment_type": _optional(WORD),
        "historical_adjustment_factor": _optional(SPLIT_FACTOR),
    },
    "dividends": {
        "ticker": _required(SYMBOL),
        "ex_dividend_date": _required(DIVIDEND_DATE),
        "cash_amount": _required(DIVIDEND),
        "id": _optional(REQUEST_ID),
        "currency": _optional(CURRENCY),
        "declaration_date": _optional(DIVIDEND_DATE),
        "record_date": _optional(DIVIDEND_DATE),
        "pay_date": _optional(DIVIDEND_DATE),
        "frequency": _optional(PAYMENTS),
        "distribution_type": _optional(WORD),
    },
    "market_holidays": {
        "date": _required(CLOSURE_DATE),
        "exchange": _optional(WORD),
        "status": _optional(WORD),
        "close": _optional(CLOSURE_TIME),
    },
    "day_file": {
        "ticker": _required(SYMBOL),
        **{name: _required(PRICE) for name in ("open", "high", "low", "close")},
        "volume": _required(VOLUME),
        "window_start": _required(NANOSECONDS),
        "transactions": _optional(TRADES),
    },
    "minute_file": {
        "ticker": _required(SYMBOL),
        "volume": _required(VOLUME),
        "window_start": _required(NANOSECONDS),
        "transactions": _optional(TRADES),
    },
}

#: Readers hold dates against the day of the fetch. A table has no such day: nothing later than this stands in one.
LAST_DAY: Final = dt.date(2200, 1, 1)
