"""Decides which transitions have to be published now, from the calendar and the latest published one.

Pure: two producers that see the same state decide the same. That both then publish, and yet each transition
appears once, is seen to in publish.lua.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from contract.messages import SessionChanged
from market.session import Transition

if TYPE_CHECKING:
    from market.trading_calendar import TradingCalendar

SOURCE = "trading_calendar"

# The longest silence of the market since 1998 lasted six and a half days (September 2001).
LONGEST_SILENCE = dt.timedelta(days=15)

# While nothing is due the clock is read again this often: it may have jumped, the calendar's day begun.
LONGEST_PAUSE = dt.timedelta(seconds=30)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What to publish, oldest first, and how many older transitions are given up for good."""

    transitions: tuple[Transition, ...] = ()
    skipped: int = 0


def due_transitions(
    calendar: TradingCalendar, *, published_at: dt.datetime | None, now: dt.datetime, catch_up: dt.timedelta
) -> Due:
    """Everything after *published_at* that is not older than *catch_up*; if nothing is known, the latest one.

    The latest transition is due however old it is: after it, what was published says which phase it is now.
    """
    if published_at is None:
        latest = tuple(calendar.transitions(now - LONGEST_SILENCE, now))[-1:]
        return Due(transitions=latest)
    if published_at >= now:
        return Due()
    missed = tuple(calendar.transitions(_inside_horizon(calendar, published_at), now))
    kept = tuple(transition for transition in missed if transition.at > now - catch_up) or missed[-1:]
    return Due(transitions=kept, skipped=len(missed) - len(kept))


def pause_until_next(calendar: TradingCalendar, now: dt.datetime) -> dt.timedelta:
    """How long nothing can become due, at most LONGEST_PAUSE."""
    upcoming = next(calendar.transitions(now, now + LONGEST_PAUSE), None)
    return LONGEST_PAUSE if upcoming is None else upcoming.at - now


def session_changed(calendar: TradingCalendar, transition: Transition) -> SessionChanged:
    session = calendar.session(transition.trading_day)
    return SessionChanged(
        from_session=transition.from_phase,
        to_session=transition.to_phase,
        trading_date=transition.trading_day,
        timestamp=transition.at,
        regular_close=session.closes_at,
        early_close=session.early_close,
        source=SOURCE,
    )


def _inside_horizon(calendar: TradingCalendar, instant: dt.datetime) -> dt.datetime:
    """A state typed by hand (0, say) must not put the question outside what the calendar knows."""
    earliest = dt.datetime.combine(calendar.FIRST_DAY + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
    return max(instant, earliest)
