"""Brings entries from Redis, whole, whatever their size: new ones, and those whose lease has run out.

What is larger than any message comes as its beginning. Nothing is lost with a reply that does not come: what it named
is handed back, or waits for its lease.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec
from redis.exceptions import RedisError

from consumer.delivery.entries import ADDED_BYTES, MOST_BYTES, MOST_FIELDS, Claimed, CutShort, Unread, entry_of
from consumer.delivery.redis_scripts import ClaimLook, Suspects, execute

if TYPE_CHECKING:
    import datetime as dt

    from redis.asyncio import Redis

    from consumer.delivery.channel import Channel
    from consumer.delivery.entries import Entry
    from consumer.delivery.redis_scripts import Scripts

# No command may hold up the others for long, however much is pending (bench/delivery/pending.py).
LOOKED_AT = 1000
LOOKS_A_CLAIM = 10
TRIED_WHOLE = 2  # deliveries

Taken = tuple[str, str, int]  # entry, previous holder, deliveries


class EntryReader:
    """Reads as one consumer; *blocking* is a client whose socket timeout is longer than any BLOCK."""

    def __init__(self, blocking: Redis, scripts: Scripts, channel: Channel, *, consumer: str) -> None:
        self._blocking = blocking
        self._scripts = scripts
        self._channel = channel
        self._consumer = consumer
        self._claimed_up_to: dict[str, str] = {}
        self.unbrought: deque[str] = deque(maxlen=LOOKED_AT)  # the last entries whose own reply did not come

    async def read(self, count: int, *, block: dt.timedelta, stream: str) -> list[Entry]:
        """Return up to *count* new entries; waits at most *block* for the first."""
        group = ("GROUP", self._channel.group, self._consumer)
        # BLOCK 0 would wait for ever.
        milliseconds = max(1, int(block.total_seconds() * 1000))
        answer = await execute(
            self._blocking, "XREADGROUP", *group, "COUNT", count, "BLOCK", milliseconds, "STREAMS", stream, ">"
        )
        streams = answer.items() if isinstance(answer, dict) else answer or []
        taken = [
            await self._whole(entry_id.decode(), fields or {}, stream=stream)
            for _, entries in streams
            for entry_id, fields in entries
        ]
        return [entry for entry in taken if entry is not None]

    async def _whole(self, entry_id: str, fields: dict[bytes, bytes], *, stream: str) -> Entry | None:
        """The entry that was read; where its neighbours left no room for it in the reply, as it is read alone."""
        try:
            return entry_of(entry_id, fields, self._channel)
        except CutShort:
            entry = await self._read_again(entry_id, 1, stream=stream)
        if entry is None:
            await self._forget(entry_id, stream=stream)
        return entry

    async def claim(self, count: int, *, suspect_after: int, alone: bool, stream: str) -> Claimed:
        """Take over up to *count* entries whose lease has run out, without the suspects: those that were handed out
        *suspect_after* times (0: none ever is one). Such a one may be taken *alone*, and is the only one then."""
        taken: list[Taken] = []
        waits, suspects = False, Suspects.NONE
        for _ in range(LOOKS_A_CLAIM):
            look = ClaimLook(
                limit=count - len(taken),
                cursor=self._claimed_up_to.pop(stream, "-"),
                looked_at=LOOKED_AT,
                suspect_after=suspect_after,
                alone=alone and not taken,
            )
            rows, cursor, suspects = await self._scripts.claim(look, stream=stream)
            taken += rows
            waits = waits or suspects is Suspects.ONE_WAITS
            if not cursor:
                break
            self._claimed_up_to[stream] = cursor
            if len(taken) >= count:
                break
        entries = await self._bring(taken, suspect=suspects is Suspects.ONE_TAKEN, stream=stream)
        return Claimed(entries=entries, suspect_waits=waits)

    async def _bring(self, taken: list[Taken], *, suspect: bool, stream: str) -> list[Entry]:
        """The entries that were taken; a deleted one is forgotten.

        One that cannot be brought waits for its lease, counted, and those behind it are handed back for its sake.
        """
        entries: list[Entry] = []
        for number, (entry_id, holder, deliveries) in enumerate(taken, start=1):
            try:
                entry = await self._read_again(entry_id, deliveries, stream=stream)
            except RedisError:
                self.unbrought.append(entry_id)
                await self._hand_back(taken[number:], stream=stream)
                if entries:
                    break
                raise
            if entry is None:
                await self._forget(entry_id, stream=stream)
                continue
            lost_by = holder if holder != self._consumer else None
            entries.append(msgspec.structs.replace(entry, taken_from=lost_by, suspect=suspect, deliveries=deliveries))
        return entries

    async def _hand_back(self, taken: list[Taken], *, stream: str) -> None:
        if taken:
            await self._scripts.hand_back([entry_id for entry_id, _, _ in taken], stream=stream)

    async def _forget(self, entry_id: str, *, stream: str) -> None:
        """Of an entry that was deleted the group would remember the holder for ever."""
        await execute(self._blocking, "XACK", stream, self._channel.group, entry_id)

    async def _read_again(self, entry_id: str, deliveries: int, *, stream: str) -> Entry | None:
        try:
            found = await execute(self._blocking, "XRANGE", stream, entry_id, entry_id)
            return entry_of(entry_id, found[0][1] or {}, self._channel) if found else None
        except RedisError:
            if deliveries <= TRIED_WHOLE:
                raise
        beginning = await self._scripts.beginning(
            entry_id, fields=MOST_FIELDS + len(self._channel.added), size=MOST_BYTES + ADDED_BYTES, stream=stream
        )
        if beginning is None:
            return None
        flat = [
            Unread(text, size=of) if of > len(text) else text
            for text, of in zip(beginning.texts, beginning.lengths, strict=True)
        ]
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return entry_of(entry_id, fields, self._channel, size=beginning.size, count=beginning.count)
