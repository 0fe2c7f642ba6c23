"""Defines what neighbours read of the market's phase and of its holidays, in their fields; streams.md has the same.

Times are of New York, as they are written on a wall; a date is of that wall too, with a session or without one.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from market.session import SessionPhase

EXCHANGES = ("NYSE", "NASDAQ")


class MarketStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The phase now, the day's hours and the next change, as `market:session:status` has them.

    On a day without a session the hours are the regular ones. A weekend is no holiday.
    """

    timestamp: dt.datetime
    current_session: SessionPhase
    trading_date: dt.date
    is_trading_day: bool
    is_holiday: bool
    holiday_name: str | None
    pre_market_start: dt.time
    market_open: dt.time
    market_close: dt.time
    post_market_end: dt.time
    next_session: SessionPhase
    next_session_time: dt.time
    seconds_until_next_session: int
    exchange: str = EXCHANGES[0]
    timezone: str = "America/New_York"


class MarketHoliday(msgspec.Struct, frozen=True, kw_only=True):
    """A weekday on which the exchange is shut or shuts early, then with *open* and *close*; as the vendor lists it."""

    name: str
    status: str
    exchange: str
    open: dt.datetime | None = None
    close: dt.datetime | None = None


CLOSED = "closed"
EARLY_CLOSE = "early-close"


def encode_for_neighbours(what: MarketStatus | MarketHoliday) -> str:
    return msgspec.json.encode(what).decode()
