"""Makes the messages of a cycle, and names the work of any message, so that it is never twice under way."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle import calling_off
from consumer.delivery.entries import NAMELESS, Outgoing, Work
from consumer.postgres.ledger import PartId
from contract.messages import TASK_VERSION, NewerMessage, TaskMessage, TaskName, UndecodableMessage, decode_task, encode
from contract.reports import DeadLetter, encode_dead_letter

if TYPE_CHECKING:
    from consumer.delivery.entries import Entry, Received, Refusal
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
    else:
        again.pop("deliveries", None)  # it has come to an end
        again |= {} if work_key(again) else {"request": entry_id}
    return Outgoing(fields=again, key=work_key(again))


def count_in(fields: dict[str, str], name: str, *, least: int) -> int:
    """The count that a field holds, also of a message that nobody can read; *least* where it holds none."""
    text = fields.get(name, "")
    return max(least, int(text)) if text.isascii() and text.isdigit() and len(text) <= LONGEST_COUNT else least


def dead_letter(refusal: Refusal) -> DeadLetter:
    """Return the dead letter of an entry that is given up, as the wire contract has it."""
    return DeadLetter(**msgspec.structs.asdict(refusal))


def letter_fields(refusal: Refusal) -> dict[str, str]:
    """The same as it stands on `maintenance:dead`."""
    return encode_dead_letter(dead_letter(refusal))


def read_work(entry: Entry, *, version: int = TASK_VERSION) -> Work:
    """Read an entry for a worker that knows messages up to *version*: the one place where a task message is decoded."""
    fields = entry.fields
    work = Work(
        attempt=count_in(fields, "attempt", least=1),
        waits=count_in(fields, "waits", least=0),
        lost=count_in(fields, "deliveries", least=0),
    )
    try:
        message = decode_task(fields, version=version)
    except NewerMessage as error:
        return msgspec.structs.replace(work, key=_key_as_sent(fields), newer=str(error))
    except UndecodableMessage as error:
        return msgspec.structs.replace(work, key=_key_of_unreadable(fields), refusal=str(error))
    return msgspec.structs.replace(work, key=key_of(message), message=message)


def newer_message(received: Received) -> Outgoing:
    """Return a message that only a newer worker knows as it is, but for how often it lost its consumer: whoever puts it
    off makes it a new entry, and one that kills the newer workers has to come to an end beside us as well."""
    entry, work = received.entry, received.work
    lost = work.lost + entry.deliveries - 1
    counted = {"deliveries": str(lost)} if lost else {}
    return Outgoing(fields={**entry.fields, **counted}, key=work.key or f"{NAMELESS}{entry.entry_id}")


def work_key(fields: dict[str, str]) -> str:
    """The identity of a message's work, so that it is never twice under way; a person's request has none."""
    try:
        return key_of(decode_task(fields))
    except UndecodableMessage:
        return _key_of_unreadable(fields)


def _key_of_unreadable(fields: dict[str, str]) -> str:
    entry_id = fields.get(REFUSED_ENTRY)
    return f"refused:{entry_id}" if entry_id else ""


def _key_as_sent(fields: dict[str, str]) -> str:
    """The name under which a newer sender most likely has it in `maintenance:queued`: whoever put it off without that
    name would have it sent again at every look of the catch-up."""
    names = ("cycle", "task", "part", "trading_day", "rule", "request")
    cycle, task, part, day, rule, request = (fields.get(name, "").strip() for name in names)
    if cycle:
        return f"{cycle}/{task}/{part}" if part else f"{cycle}/pass"
    if day and rule:
        return f"{day}/{rule}"
    return f"request:{request}" if request else ""


def key_of(message: TaskMessage) -> str:
    """The same of a message that was read."""
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
