"""Writes what neighbours hear on channels, in the fields that they parse; streams.md has the same tables.

An event bus of theirs wants a type, the data and an instant; the others are one flat JSON object. All of it may be said
twice after a crash, and says the same then.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from contract.flat_fields import write_field

if TYPE_CHECKING:
    from contract.messages import SessionChanged
    from market.session import SessionPhase

MAINTENANCE_COMPLETED = "maintenance_completed"
NEW_TRADING_DAY = "new_trading_day"
CLEAR_CACHES = "clear_caches"


class BusMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the neighbours' event bus."""

    event_type: str
    data: dict[str, str]
    timestamp: str


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a trading day are whole: provisional or final, as *state* says."""

    event: str = MAINTENANCE_COMPLETED
    date: dt.date
    timestamp: dt.datetime
    state: str


class NewDay(msgspec.Struct, frozen=True, kw_only=True):
    """A trading day begins: who hears it clears what it has of the last one."""

    event: str = NEW_TRADING_DAY
    date: dt.date
    action: str = CLEAR_CACHES
    timestamp: dt.datetime


def session_changed(message: SessionChanged) -> str:
    """Return what `events:session:changed` says of a transition."""
    data = {
        "new_session": message.to_session.value,
        "previous_session": message.from_session.value,
        "trading_date": message.trading_date.isoformat(),
    }
    return _on_the_bus("session:changed", data, message.timestamp)


def day_changed(day: dt.date, phase: SessionPhase, *, at: dt.datetime) -> str:
    """Return what `events:day:changed` says when the New York date becomes *day*, whether or not it has a session."""
    before = day - dt.timedelta(days=1)
    data = {"new_date": day.isoformat(), "previous_date": before.isoformat(), "session": phase.value}
    return _on_the_bus("day:changed", data, at)


def encode_announcement(announcement: Completed | NewDay) -> str:
    return msgspec.json.encode(announcement).decode()


def _on_the_bus(event_type: str, data: dict[str, str], at: dt.datetime) -> str:
    message = BusMessage(event_type=event_type, data=data, timestamp=write_field(at))
    return msgspec.json.encode(message).decode()
