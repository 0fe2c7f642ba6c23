"""Takes out of what was read what this consumer cannot run: entries that are no messages, and those of a newer version.

Of the first, many at once need no slot, no fence token and no lease of their own: they are recorded in one transaction
and dropped in one script. What cannot be recorded so goes the way of all entries, which waits for a server that is
away. The others wait, as they are, until a worker comes that knows them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from consumer.delivery.entries import Drop, Received, Refusal
from consumer.delivery.flood import Flood
from consumer.delivery.retry_log import RetryLog
from consumer.delivery.settle import Ending, outcome_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from consumer.delivery.entries import Entry
    from consumer.delivery.handler import Handler
    from consumer.delivery.task_stream import TaskStream

RECORDED_WITHIN_S = 5.0  # nobody beats for them


class Sieve:
    """The sieve of one reader of the task stream; *newer_again*: when what a newer worker knows is looked at again."""

    def __init__(
        self, stream: TaskStream, handler: Handler, *, now: Callable[[], dt.datetime], newer_again: dt.timedelta
    ) -> None:
        self._stream = stream
        self._handler = handler
        self._now = now
        self._newer_again = newer_again
        self._put_off = RetryLog()
        self.flood = Flood(stream.channel.stream)

    async def received(self, entries: Iterable[Entry]) -> list[Received]:
        """Return *entries* with what they ask for, without those that only a newer worker knows. Raises RedisError."""
        received = [_received(entry, self._handler) for entry in entries]
        newer = [one for one in received if one.work.newer]
        # Together: they go in one script, however many there are.
        await asyncio.gather(*map(self._leave_to_a_newer, newer))
        return [one for one in received if not one.work.newer]

    async def _leave_to_a_newer(self, received: Received) -> None:
        """Park it as it is: a new entry later, so that this delivery does not count."""
        again = msgspec.structs.replace(self._handler.put_off(received), due_at=self._now() + self._newer_again)
        entry, work = received.entry, received.work
        await self._stream.settle(entry, Ending.RETRY_LATER, key=work.key, detail=again.as_script_argument())
        reason = f"waits for a newer worker: {work.newer}"
        self._put_off.retried(entry.entry_id, reason=reason, delay=self._newer_again)

    async def messages_of(self, received: Sequence[Received], *, free: int) -> Sequence[Received]:
        """Return at most *free* to run; the rest is refused, or handed back. Raises RedisError."""
        self.flood.tell()
        junk = [one for one in received if one.work.refusal]
        giants = sum(bool(one.entry.oversize) for one in received)
        if self.flood.rises(len(junk), giants=giants) and await self._refused(junk):
            received = [one for one in received if not one.work.refusal]
        for one in received[free:]:
            await self._stream.settle(one.entry, Ending.RELEASE, key="")
        return received[:free]

    async def _refused(self, junk: Sequence[Received]) -> bool:
        """Whether that has been recorded."""
        name = self._stream.channel.stream
        refusals = {one.entry.entry_id: Refusal.of(one.entry, name, one.work.refusal, at=self._now()) for one in junk}
        refusing = asyncio.create_task(self._handler.refuse_all(list(refusals.values())))
        await asyncio.wait({refusing}, timeout=RECORDED_WITHIN_S)
        refusing.cancel()
        if not refusing.done():
            return False
        copied, failure = outcome_of(refusing, None)
        if failure is not None:
            return False
        keys = {one.entry.entry_id: one.work.key for one in junk}
        letters = {entry_id: self._handler.letter_of(refusals[entry_id]) for entry_id in copied}
        await self._stream.refuse([Drop(entry_id=i, key=keys[i], letter=letters.get(i)) for i in refusals])
        self.flood.refused(len(junk), reason=junk[-1].work.refusal)
        return True


def _received(entry: Entry, handler: Handler) -> Received:
    """What is too large is no message whatever its beginning says, and waits for nobody."""
    work = handler.read(entry)
    if entry.oversize:
        work = msgspec.structs.replace(work, refusal=entry.oversize, newer="")
    return Received(entry=entry, work=work)
