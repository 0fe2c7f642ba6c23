"""Makes of a foreign change the transition of the calendar that it tells of, or nothing where it tells of none.

Pure. Theirs polls: what it says comes up to minutes late and on days without a session too, and of a phase it knows the
name and the date. When it began and when the regular session ends, the calendar says.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from contract.messages import SessionChanged
from market.session import SessionPhase

if TYPE_CHECKING:
    from contract.foreign_sessions import ForeignChange
    from market.session import TradingSession
    from market.trading_calendar import TradingCalendar

# Clocks of machines, and a vendor that opens the market seconds before its time.
SAME_INSTANT = dt.timedelta(minutes=1)


class ContradictsCalendar(Exception):
    """What was said is not so by the calendar; the text says both."""


def derived(
    change: ForeignChange, calendar: TradingCalendar, *, heard_at: dt.datetime, source: str
) -> SessionChanged | None:
    """Return the transition that *change*, heard at *heard_at*, tells of; None where it tells of none.

    Raises ContradictsCalendar, or CalendarError for a day outside of the calendar.
    """
    if not change.is_a_change:
        return None
    day, at = change.trading_date, change.timestamp or heard_at
    closed = change.after is SessionPhase.CLOSED
    if not calendar.is_trading_day(day):
        if closed:
            return None
        why = calendar.closure_name(day)
        raise ContradictsCalendar(f"{change.after} on {day}, and there is no session here: {why}")
    session = calendar.session(day)
    if closed and at < session.pre_market_opens_at:
        return None  # after a restart in the night: the day before closed, and that was said then
    _hold_against(session, change.after, at)
    transition = next(one for one in session.transitions() if one.to_phase is change.after)
    return SessionChanged(
        from_session=transition.from_phase,
        to_session=transition.to_phase,
        trading_date=day,
        timestamp=transition.at,
        regular_close=session.closes_at,
        early_close=session.early_close,
        source=source,
    )


def _hold_against(session: TradingSession, phase: SessionPhase, at: dt.datetime) -> None:
    """Raises ContradictsCalendar where it is not *phase* at *at*, nor soon."""
    if phase not in (session.phase_at(at), session.phase_at(at + SAME_INSTANT)):
        raise ContradictsCalendar(
            f"{phase} on {session.day} at {at.isoformat()}, and it is {session.phase_at(at)} here: see to the clock of "
            "that market_session, or to TRADING_CALENDAR_OVERRIDES and EARLY_EXTENDED_CLOSE"
        )
