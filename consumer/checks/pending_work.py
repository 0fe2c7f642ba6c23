"""Reads what is held, queued and parked, in words: XPENDING for people.

One MULTI gives a state that was true at one instant; the messages are read after it, so what was settled meanwhile is
left out rather than told as lost. The Structs here are also the JSON of `maintenance pending --json` and GET /pending.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from redis.exceptions import ResponseError

from consumer.checks.asked_work import GONE, Work, describe
from contract import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

MOST = 1000
STREAMS = (keys.TASKS.name, keys.SESSIONS.name)
# A living service looks for leases that have run out more often than once a second.
TAKEN_OVER_WITHIN_S = 1.0
_LATEST = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


class HeldAs(StrEnum):
    RUNNING = "running"  # its holder renews the lease
    LAST_DELIVERY = "last_delivery"  # the same, but once more without an end and it is a dead letter
    ABANDONED = "abandoned"  # the lease has run out, and nobody took it over
    GHOST = "ghost"  # held, but its message was deleted: the next consumer that looks forgets it


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that a consumer holds; *idle_seconds* counts from its last beat."""

    stream: str
    entry_id: str
    standing: HeldAs
    work: Work
    holder: str
    idle_seconds: float
    lease_seconds: float
    deliveries: int
    max_deliveries: int


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits for its time."""

    key: str
    work: Work
    due_at: dt.datetime


class PendingWork(msgspec.Struct, frozen=True, kw_only=True):
    """Everything under way at *now* of Redis's clock; *queued* entries stand in the stream and nobody holds them yet.

    *held* and *parked* list the first thousand of *held_in_all* and *parked_in_all*.
    """

    now: dt.datetime
    held: list[Held]
    held_in_all: int
    queued: int
    parked: list[Parked]
    parked_in_all: int

    @property
    def for_newer(self) -> list[Work]:
        """What waits for a newer worker than this program."""
        works = [one.work for one in self.held] + [one.work for one in self.parked]
        return [work for work in works if work.version is not None]

    @property
    def asks_for_a_person(self) -> bool:
        """Whether something is held by nobody alive, or on its last delivery."""
        return any(one.standing in (HeldAs.ABANDONED, HeldAs.LAST_DELIVERY) for one in self.held)


async def read_pending(redis: Redis, *, lease: dt.timedelta, max_deliveries: int) -> PendingWork:
    """Ask Redis. Raises RedisError."""
    tasks, sessions, of_tasks, of_sessions, *counts, later, time = await _ask_at_once(redis)
    entries, in_all = (0 if isinstance(one, ResponseError) else one for one in counts)
    seconds, _ = answer_of(time)
    rows = [(stream, row) for stream, some in zip(STREAMS, (tasks, sessions), strict=True) for row in _listed(some)]
    works = await _works(redis, [(stream, row["message_id"]) for stream, row in rows])
    held = [
        _held(stream, row, work, lease, max_deliveries)
        for (stream, row), work in zip(rows, works, strict=True)
        if work is not None
    ]
    counted = [0 if isinstance(one, ResponseError) else int(one["pending"]) for one in (of_tasks, of_sessions)]
    ghosts = sum(one.stream == keys.TASKS.name and one.work.note == GONE for one in held)
    return PendingWork(
        now=dt.datetime.fromtimestamp(seconds, dt.UTC),
        held=held,
        held_in_all=len(held) if sum(counted) <= MOST else sum(counted),
        queued=max(0, entries - (counted[0] - ghosts)),
        parked=await _parked(redis, _listed(later)),
        parked_in_all=in_all,
    )


async def waiting_for_newer(redis: Redis) -> list[Work]:
    """What is parked for a newer worker, of the first thousand that are parked. Raises RedisError."""
    try:
        later: Any = await redis.zrange(keys.LATER.pattern, 0, MOST - 1, withscores=True)
    except ResponseError as error:
        later = error  # another type under its name: told by `spoilt_keys`
    return [one.work for one in await _parked(redis, _listed(later)) if one.work.version is not None]


async def _ask_at_once(redis: Redis) -> list[Any]:
    """One transaction: what is held and what is counted are of the same instant. An error is its own answer."""
    pipeline = redis.pipeline(transaction=True)
    for stream in STREAMS:
        pipeline.xpending_range(stream, keys.GROUP, "-", "+", MOST)
    for stream in STREAMS:
        pipeline.xpending(stream, keys.GROUP)
    pipeline.xlen(keys.TASKS.name)
    pipeline.zcard(keys.LATER.pattern)
    pipeline.zrange(keys.LATER.pattern, 0, MOST - 1, withscores=True)
    pipeline.time()
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    return answers


def _listed(answer: Any) -> list[Any]:
    """No stream or no group, or another type under its name (`spoilt_keys` tells it), means that nothing is held."""
    if isinstance(answer, ResponseError):
        return []
    return list(answer)


def answer_of(answer: Any) -> Any:
    """Return *answer*, unless it is an error: that is raised."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def _held(stream: str, row: Any, work: Work, lease: dt.timedelta, max_deliveries: int) -> Held:
    idle, deliveries = row["time_since_delivered"] / 1000, row["times_delivered"]
    if idle > lease.total_seconds() + TAKEN_OVER_WITHIN_S:
        standing = HeldAs.ABANDONED
    elif work.note == GONE:
        standing = HeldAs.GHOST
    elif stream == keys.TASKS.name and deliveries >= max_deliveries:
        standing = HeldAs.LAST_DELIVERY
    else:
        standing = HeldAs.RUNNING
    return Held(
        stream=stream,
        entry_id=row["message_id"],
        standing=standing,
        work=work,
        holder=row["consumer"],
        idle_seconds=idle,
        lease_seconds=lease.total_seconds(),
        deliveries=deliveries,
        max_deliveries=max_deliveries,
    )


async def _works(redis: Redis, entries: list[tuple[str, str]]) -> list[Work | None]:
    """What each entry asks for; None where it was settled meanwhile."""
    messages = redis.pipeline(transaction=False)
    for stream, entry_id in entries:
        messages.xrange(stream, entry_id, entry_id)
    still_held = redis.pipeline(transaction=False)
    for stream, entry_id in entries:
        still_held.xpending_range(stream, keys.GROUP, entry_id, entry_id, 1)
    found: list[Any] = await messages.execute()
    # Asked after the messages: an entry without one that is still held now has lost it.
    held: list[Any] = await still_held.execute(raise_on_error=False) if not all(found) else found
    return [
        describe(stream, rows[0][1]) if rows else Work(note=GONE) if _listed(still) else None
        for (stream, _), rows, still in zip(entries, found, held, strict=True)
    ]


async def _parked(redis: Redis, later: list[Any]) -> list[Parked]:
    """The parked messages of the *later* rows; those that became due meanwhile are left out."""
    if not later:
        return []
    names = [key for key, _ in later]
    texts: Any = await redis.hmget(keys.LATER_MESSAGES.pattern, names)
    scores: Any = texts if all(texts) else await redis.zmscore(keys.LATER.pattern, names)
    return [
        Parked(key=key, work=_parked_work(text), due_at=_instant(due))
        for (key, due), text, still in zip(later, texts, scores, strict=True)
        if text is not None or still is not None
    ]


def _instant(milliseconds: float) -> dt.datetime:
    """What somebody parked for a time that no calendar has is shown at its end."""
    at_s = min(max(float(milliseconds) / 1000, 0.0), _LATEST.timestamp())
    return dt.datetime.fromtimestamp(at_s, dt.UTC)


def _parked_work(text: str | None) -> Work:
    try:
        flat = msgspec.json.decode(text or "", type=list[str])
    except msgspec.DecodeError:
        return Work(note=GONE if text is None else "not readable")
    return describe(keys.TASKS.name, dict(zip(flat[::2], flat[1::2], strict=False)))
