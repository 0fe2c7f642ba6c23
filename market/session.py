"""Names the four phases of a trading day and the instants between them.

One value per fact: a session knows its own boundaries, so nobody else compares clock times.
Which days have a session, and when an early one ends, is decided in trading_calendar.
"""

import datetime as dt
from enum import StrEnum

import msgspec

# Of the extended session, New York time; an early close ends it earlier.
EXTENDED_OPEN = dt.time(4)
EXTENDED_CLOSE = dt.time(20)


class SessionPhase(StrEnum):
    """Part of the day as the streams spell it; CLOSED is everything that is no extended session."""

    PRE_MARKET = "PRE_MARKET"
    MARKET_OPEN = "MARKET_OPEN"
    POST_MARKET = "POST_MARKET"
    CLOSED = "CLOSED"


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """The scheduled instant (UTC) at which one phase gives way to the next."""

    from_phase: SessionPhase
    to_phase: SessionPhase
    at: dt.datetime
    trading_day: dt.date


class TradingSession(msgspec.Struct, frozen=True, kw_only=True):
    """One trading day's boundaries, aware UTC instants in ascending order; `day` is the New York date."""

    day: dt.date
    pre_market_opens_at: dt.datetime
    opens_at: dt.datetime
    closes_at: dt.datetime
    extended_closes_at: dt.datetime
    early_close: bool

    def phase_at(self, now: dt.datetime) -> SessionPhase:
        """Phase at an aware instant; a boundary belongs to the phase that it opens."""
        if now < self.pre_market_opens_at or now >= self.extended_closes_at:
            return SessionPhase.CLOSED
        if now < self.opens_at:
            return SessionPhase.PRE_MARKET
        return SessionPhase.MARKET_OPEN if now < self.closes_at else SessionPhase.POST_MARKET

    def transitions(self) -> tuple[Transition, ...]:
        """The day's four transitions in order; it starts and ends CLOSED."""
        steps = (
            (SessionPhase.CLOSED, SessionPhase.PRE_MARKET, self.pre_market_opens_at),
            (SessionPhase.PRE_MARKET, SessionPhase.MARKET_OPEN, self.opens_at),
            (SessionPhase.MARKET_OPEN, SessionPhase.POST_MARKET, self.closes_at),
            (SessionPhase.POST_MARKET, SessionPhase.CLOSED, self.extended_closes_at),
        )
        return tuple(
            Transition(from_phase=before, to_phase=after, at=at, trading_day=self.day) for before, after, at in steps
        )
