"""Makes the messages of a cycle, and names the work of any message, so that it is never twice under way."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from consumer.cycle import calling_off
from consumer.delivery.entries import Outgoing
from consumer.postgres.ledger import PartId
from contract.messages import TaskMessage, TaskName, UndecodableMessage, decode_task, encode

if TYPE_CHECKING:
    from consumer.postgres import cycles

# What is parked further ahead than a retry of it can be was parked by hand, or by another's clock: it is due now.
# Opening waits for its turn or for our own servers; a part also for as long as the vendor wants to be left alone.
A_RETRY = dt.timedelta(minutes=1)
A_LONG_RETRY = dt.timedelta(hours=1)
LONGEST_COUNT = 6  # digits
REFUSED_ENTRY = "refused_entry"  # no field of a message: what the entry was that nobody can read


def part_message(part: PartId, trading_day: dt.date) -> Outgoing:
    """Return the message that makes somebody run *part*."""
    message = TaskMessage(
        task=TaskName(part.task), trading_day=trading_day, part=part.part, cycle=part.cycle_id, requested_by="cycle"
    )
    return Outgoing(fields=encode(message), key=part.key, overtakes=A_LONG_RETRY)


def pass_message(cycle: cycles.Cycle) -> Outgoing:
    """Return the message that starts the next pass of a waiting cycle."""
    message = TaskMessage(
        task=TaskName.CYCLE, trading_day=cycle.trading_day, cycle=cycle.cycle_id, requested_by="catch-up"
    )
    return Outgoing(fields=encode(message), key=calling_off.pass_key(cycle.cycle_id), overtakes=A_RETRY)


def rule_message(trading_day: dt.date, rule: str, *, requested_by: str, due_at: dt.datetime | None = None) -> Outgoing:
    """Return the message that opens the cycle of *rule* on *trading_day*; due now, whatever is parked under its key."""
    message = TaskMessage(task=TaskName.CYCLE, trading_day=trading_day, rule=rule, requested_by=requested_by)
    overtakes = A_LONG_RETRY if due_at is None else None  # no clock of ours is wrong by so much
    return Outgoing(fields=encode(message), key=f"{trading_day}/{rule}", due_at=due_at, overtakes=overtakes)


def retry_message(entry_id: str, fields: dict[str, str], *, attempt: int, waits: int) -> Outgoing:
    """Return the message that tries the work of an entry again; a person's request keeps the entry it came from."""
    again = {**fields, "attempt": str(attempt), "waits": str(waits)}
    if not _is_readable(fields):
        # It is refused as soon as somebody can record that.  Nothing of it may be mended here, or it would be run.
        again = fields if _is_readable(again) else again
        again = {**again, REFUSED_ENTRY: fields.get(REFUSED_ENTRY) or entry_id}
    elif not work_key(again):
        again["request"] = entry_id
    return Outgoing(fields=again, key=work_key(again))


def count_in(fields: dict[str, str], name: str, *, least: int) -> int:
    """The count that a field holds, also of a message that nobody can read; *least* where it holds none."""
    text = fields.get(name, "")
    return max(least, int(text)) if text.isascii() and text.isdigit() and len(text) <= LONGEST_COUNT else least


def work_key(fields: dict[str, str]) -> str:
    """The identity of a message's work, so that it is never twice under way; a person's request has none."""
    try:
        message = decode_task(fields)
    except UndecodableMessage:
        entry_id = fields.get(REFUSED_ENTRY)
        return f"refused:{entry_id}" if entry_id else ""
    if message.cycle is not None and message.part is not None:
        return PartId(cycle_id=message.cycle, task=message.task, part=message.part).key
    if message.cycle is not None:
        return calling_off.pass_key(message.cycle)
    if message.rule is not None and message.trading_day is not None:
        return f"{message.trading_day}/{message.rule}"
    return f"request:{message.request}" if message.request else ""


def _is_readable(fields: dict[str, str]) -> bool:
    try:
        decode_task(fields)
    except UndecodableMessage:
        return False
    return True
