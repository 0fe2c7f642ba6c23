"""Speaks to the task stream as one consumer: every state change is one atomic Lua script.

A lost reply is harmless everywhere: repeating a script finds its work done. What is begun or settled at the same time
goes in one call, see `group_commit`: each entry is checked, written and answered for by itself. Needs Redis 6.2 (EVAL,
exclusive ranges of XPENDING); nothing here uses a newer command, so that every supported server behaves the same. How
entries are read is in `reading`, how scripts are called in `redis_scripts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from loguru import logger

from consumer.delivery.entries import Claimed, Delivery, Outgoing, flatten
from consumer.delivery.group_commit import GroupCommit
from consumer.delivery.reading import EntryReader
from consumer.delivery.redis_scripts import Scripts, make_group

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from redis.asyncio import Redis

    from consumer.delivery.channel import Channel
    from consumer.delivery.entries import Drop, Entry
    from consumer.delivery.settle import Ending

T = TypeVar("T")

# No command may hold up the others for long, however much is sent or ends at once (bench/delivery/pending.py).
AT_ONCE = 50
SENT_AT_ONCE = 500
MOST_PROMOTED = 100


class TaskStream:
    """The task stream as one consumer of the group sees it.

    *commands* answers quickly; *blocking* is a client of its own whose socket timeout is longer than any BLOCK.
    """

    def __init__(
        self, commands: Redis, blocking: Redis, channel: Channel, *, consumer: str, lease: dt.timedelta
    ) -> None:
        self._redis = commands
        self.channel = channel
        self.consumer = consumer
        self.lease = lease
        self._scripts = Scripts(commands, channel, consumer=consumer, lease=lease)
        self._reader = EntryReader(blocking, self._scripts, channel, consumer=consumer)
        self._begins = GroupCommit(self._scripts.begin, most=AT_ONCE)
        self._settlements = GroupCommit(self._settle_all, most=AT_ONCE)

    async def ensure_group(self) -> bool:
        """Create stream and group where they are missing; return whether they were."""
        return await make_group(self._redis, self.channel.stream, self.channel.group)

    async def read(self, count: int, *, block: dt.timedelta, stream: str | None = None) -> list[Entry]:
        """Return up to *count* new entries; waits at most *block* for the first."""
        return await self._reader.read(count, block=block, stream=stream or self.channel.stream)

    async def claim(self, count: int, *, stream: str | None = None) -> list[Entry]:
        """Take over up to *count* entries whose lease has run out."""
        return (await self.claim_apart(count, stream=stream, suspect_after=0, alone=False)).entries

    async def claim_apart(self, count: int, *, suspect_after: int, alone: bool, stream: str | None = None) -> Claimed:
        """The same, without the suspects: entries that were handed out *suspect_after* times (0: none ever is one).

        Such a one may be taken *alone*, and is the only one then.
        """
        stream = stream or self.channel.stream
        return await self._reader.claim(count, suspect_after=suspect_after, alone=alone, stream=stream)

    async def begin(self, entry: Entry, *, key: str = "") -> Delivery | None:
        """Issue the fence token, and renew the lease, if the entry is still ours; None when there is nothing to run.

        An entry whose work, named *key*, stands in the stream a second time is dropped in favour of that one.
        """
        row = await self._begins.ask(msgspec.json.encode((entry.entry_id, key)))
        if row == "DUPLICATE":
            logger.info("duplicate_entry_dropped", entry_id=entry.entry_id, key=key)
        return Delivery(entry=entry, token=row[0], deliveries=row[1]) if isinstance(row, list) else None

    async def settle(
        self,
        entry: Entry,
        ending: Ending,
        *,
        key: str,
        detail: object = None,
        successors: Iterable[Outgoing] = (),
    ) -> bool:
        """Write *ending* with what follows from it; False when somebody else holds the entry (nothing was written)."""
        following = [message.as_script_argument() for message in successors]
        reply = await self._settlements.ask(msgspec.json.encode((entry.entry_id, key, ending.value, detail, following)))
        return bool(reply == "OK")

    async def _settle_all(self, settlements: list[bytes]) -> list[Any]:
        return await self._scripts.settle(settlements)

    async def refuse(self, drops: Sequence[Drop], *, stream: str | None = None, deleted: bool = True) -> int:
        """Drop entries that this consumer holds, each with its dead letter where it is to have one; how many were
        still ours. Not *deleted*, they stay for those who read the stream beside us."""
        items = [(one.entry_id, one.key, flatten(one.letter) if one.letter else False, deleted) for one in drops]
        return await self._scripts.refuse(items, stream=stream or self.channel.stream)

    async def enqueue(self, messages: Iterable[Outgoing]) -> int:
        """Send what is not under way already; return how many were new."""
        arguments = [message.as_script_argument() for message in messages]
        return sum([await self._scripts.enqueue(some) for some in _portions(arguments)])

    async def withdraw(self, work: Sequence[str]) -> int:
        """Take back the messages of the *work* with these keys, queued, held or due later; how many there were."""
        return sum([await self._scripts.withdraw(some) for some in _portions(work)])

    async def promote(self) -> int:
        """Move what has become due into the stream."""
        moved, spoilt = await self._scripts.promote(MOST_PROMOTED)
        for key in spoilt:
            logger.error("parked_message_unreadable", key=key, runbook="dead-letters")
        return moved

    async def raise_fence(self, floor: int) -> None:
        """Lift the fence counter to at least *floor*: the ledger has seen that token, so Redis lost some."""
        await self._scripts.raise_fence(floor)

    async def collect_consumers(self, *, idle: dt.timedelta) -> int:
        """Remove consumers that hold nothing and were silent for *idle*, from every stream that has the group."""
        milliseconds = int(idle.total_seconds() * 1000)
        streams = (*self.channel.beside, self.channel.stream)
        return sum([await self._scripts.collect(milliseconds, stream=name) for name in streams])

    async def sweep(self) -> None:
        """Forget the identities of entries that somebody deleted, and send again what nobody would ever be given."""
        for what in ("queued", "later"):
            cursor = "0"
            while (cursor := await self._scripts.sweep(what, cursor)) != "0":
                pass
        await self.send_stranded()

    async def send_stranded(self) -> None:
        """Send entries again that stand in the stream and would never be given to anybody."""
        cursor, sent = "-", 0
        while cursor:
            cursor, some = await self._scripts.send_again(cursor)
            sent += some
        if sent:
            logger.warning("stranded_entries_sent_again", entries=sent)

    async def leave(self, *, stream: str | None = None) -> int:
        """Hand back, uncounted, what this consumer holds, or remove it when that is nothing; how many it held."""
        return await self._scripts.leave(stream=stream or self.channel.stream)

    async def hand_back_unheard(self, *, known: Iterable[str]) -> int:
        """Hand back, uncounted, what this consumer holds beside *known*: it was given with a reply that never came."""
        return await self._scripts.unheard([*known, *self._reader.unbrought])


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[first : first + SENT_AT_ONCE] for first in range(0, len(items), SENT_AT_ONCE))
