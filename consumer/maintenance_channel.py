"""Says which keys of ours delivery uses: the wire contract, handed to a package that knows none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.delivery.channel import Channel
from consumer.delivery.task_stream import TaskStream
from contract import keys
from process.shortened import shown

if TYPE_CHECKING:
    import datetime as dt

    from redis.asyncio import Redis

CHANNEL = Channel(
    stream=keys.TASKS.name,
    group=keys.GROUP,
    later=keys.LATER.pattern,
    later_messages=keys.LATER_MESSAGES.pattern,
    queued=keys.QUEUED.pattern,
    dead=keys.DEAD.name,
    fence=keys.FENCE.pattern,
    heard=keys.HEARD.pattern,
    dead_kept=keys.DEAD.kept or 0,
    beside=tuple(stream.name for stream in keys.STREAMS if stream.group is not None and stream is not keys.TASKS),
    added=frozenset({b"attempt", b"waits", b"request", b"requested_by", b"refused_entry", b"deliveries"}),
    shown=shown,
)


def task_stream(commands: Redis, blocking: Redis, *, consumer: str, lease: dt.timedelta) -> TaskStream:
    """Return `maintenance:tasks` as *consumer* sees it."""
    return TaskStream(commands, blocking, CHANNEL, consumer=consumer, lease=lease)
