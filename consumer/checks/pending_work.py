"""Reads what is held, queued and parked, in words: XPENDING for people."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import ResponseError

from producers import keys
from producers.messages import TaskMessage, UndecodableMessage, decode_session_changed, decode_task

if TYPE_CHECKING:
    from redis.asyncio import Redis

MOST = 1000


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a message asks for; *note* says so where the message cannot be read, or is gone."""

    trading_day: dt.date | None = None
    task: str | None = None
    part: str | None = None
    note: str | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that a consumer holds; *idle_seconds* counts from its last beat."""

    stream: str
    entry_id: str
    work: Work
    holder: str
    idle_seconds: float
    lease_seconds: float
    deliveries: int
    max_deliveries: int

    @property
    def abandoned(self) -> bool:
        """Whether its lease has run out, and some more: a living service would have taken it over."""
        return self.idle_seconds > self.lease_seconds + 1

    @property
    def suspect(self) -> bool:
        """Whether it has lost more consumers than it may."""
        return self.deliveries > self.max_deliveries


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits for its time."""

    key: str
    work: Work
    due_at: dt.datetime


class PendingWork(msgspec.Struct, frozen=True, kw_only=True):
    """Everything under way; *queued* entries stand in the stream and nobody holds them yet."""

    now: dt.datetime
    held: list[Held]
    queued: int
    parked: list[Parked]


async def read_pending(redis: Redis, *, lease: dt.timedelta, max_deliveries: int, now: dt.datetime) -> PendingWork:
    """Ask Redis. Raises RedisError."""
    held = []
    for stream in (keys.TASKS.name, keys.SESSIONS.name):
        for row in await _pending(redis, stream):
            held.append(
                Held(
                    stream=stream, entry_id=row["message_id"], work=await _work_of(redis, stream, row["message_id"]),
                    holder=row["consumer"], idle_seconds=row["time_since_delivered"] / 1000,
                    lease_seconds=lease.total_seconds(), deliveries=row["times_delivered"],
                    max_deliveries=max_deliveries,
                )
            )  # fmt: skip
    entries = int(await redis.xlen(keys.TASKS.name))
    standing = sum(one.stream == keys.TASKS.name and one.work.note != GONE for one in held)
    return PendingWork(now=now, held=held, queued=max(0, entries - standing), parked=await _parked(redis))


GONE = "its message is gone"


async def _pending(redis: Redis, stream: str) -> list[Any]:
    try:
        return list(await redis.xpending_range(stream, keys.GROUP, "-", "+", MOST))
    except ResponseError:  # no stream or no group: nothing is held
        return []


async def _work_of(redis: Redis, stream: str, entry_id: str) -> Work:
    entries: Any = await redis.xrange(stream, entry_id, entry_id)
    if not entries:
        return Work(note=GONE)
    return describe(stream, entries[0][1])


def describe(stream: str, fields: dict[str, str]) -> Work:
    """Say what the message *fields* of *stream* asks for."""
    try:
        if stream == keys.SESSIONS.name:
            event = decode_session_changed(fields)
            return Work(trading_day=event.trading_date, note=f"{event.from_session} to {event.to_session}")
        return _asked(decode_task(fields))
    except UndecodableMessage as error:
        return Work(note=f"not readable: {error}")


def _asked(message: TaskMessage) -> Work:
    note = f"rule {message.rule}" if message.rule else None
    if message.cycle is not None and message.part is None:
        note = f"next pass of cycle {message.cycle}"
    elif note is None and message.part is None:
        note = f"asked by {message.requested_by}"
    if message.attempt > 1:
        note = f"{note}, attempt {message.attempt}" if note else f"attempt {message.attempt}"
    return Work(trading_day=message.trading_day, task=message.task.value, part=message.part, note=note)


async def _parked(redis: Redis) -> list[Parked]:
    rows: Any = await redis.zrange(keys.LATER.pattern, 0, MOST - 1, withscores=True)
    parked = []
    for key, score in rows:
        text: Any = await redis.hget(keys.LATER_MESSAGES.pattern, key)
        parked.append(
            Parked(key=key, work=_parked_work(text), due_at=dt.datetime.fromtimestamp(float(score) / 1000, dt.UTC))
        )
    return parked


def _parked_work(text: str | None) -> Work:
    try:
        flat = msgspec.json.decode(text or "", type=list[str])
    except msgspec.DecodeError:
        return Work(note=GONE if text is None else "not readable")
    return describe(keys.TASKS.name, dict(zip(flat[::2], flat[1::2], strict=False)))
