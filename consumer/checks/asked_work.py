"""Says in words what a message asks for: one that is held, one that is parked, one that nobody can read."""

from __future__ import annotations

import datetime as dt

import msgspec

from contract import keys
from contract.messages import NewerMessage, TaskMessage, UndecodableMessage, decode_session_changed, decode_task
from process.shortened import BEGINNING, printable

GONE = "its message is gone"
WAITS_FOR_NEWER = "waits for a newer worker"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a message asks for; *note* says so where the message cannot be read, or is gone.

    *version*: which one it wants, where it waits for a worker newer than this program.
    """

    trading_day: dt.date | None = None
    task: str | None = None
    part: str | None = None
    cycle: int | None = None
    note: str | None = None
    version: int | None = None


def describe(stream: str, fields: dict[str, str]) -> Work:
    """Say what the message *fields* of *stream* asks for."""
    try:
        if stream == keys.SESSIONS.name:
            event = decode_session_changed(fields)
            return Work(trading_day=event.trading_date, note=f"{event.from_session} to {event.to_session}")
        return _asked(decode_task(fields))
    except NewerMessage as error:
        return _for_a_newer_worker(fields, error)
    except UndecodableMessage as error:
        return Work(note=f"not readable: {error}")


def _for_a_newer_worker(fields: dict[str, str], error: NewerMessage) -> Work:
    """Its words are shown as they stand: what they mean a newer program knows."""
    task, part = (printable(fields.get(name, "").strip()[:BEGINNING]) or None for name in ("task", "part"))
    return Work(task=task, part=part, note=f"{WAITS_FOR_NEWER}: {error}", version=error.version)


def _asked(message: TaskMessage) -> Work:
    note = f"rule {message.rule}" if message.rule else None
    if message.cycle is not None and message.part is None:
        note = f"next pass of cycle {message.cycle}"
    elif note is None and message.part is None:
        note = f"asked by {message.requested_by}"
    if message.attempt > 1:
        note = f"{note}, attempt {message.attempt}" if note else f"attempt {message.attempt}"
    return Work(
        trading_day=message.trading_day, task=message.task.value, part=message.part, cycle=message.cycle, note=note
    )
