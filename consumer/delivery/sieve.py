"""Takes out of what was read the entries that are no messages, when there are many of them.

They need no slot, no fence token and no lease of their own: they are recorded in one transaction and dropped in one
script. What cannot be recorded so goes the way of all entries, which waits for a server that is away.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumer.delivery.flood import Flood
from consumer.delivery.settle import Ending, outcome_of
from contract import keys
from contract.reports import DeadLetter

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from consumer.delivery.entries import Entry
    from consumer.delivery.handler import Handler
    from consumer.delivery.task_stream import TaskStream

RECORDED_WITHIN_S = 5.0  # nobody beats for them


class Sieve:
    """The sieve of one reader of the task stream."""

    def __init__(
        self, stream: TaskStream, handler: Handler, *, now: Callable[[], dt.datetime], flood: Flood | None = None
    ) -> None:
        self._stream = stream
        self._handler = handler
        self._now = now
        self.flood = flood or Flood(keys.TASKS.name)

    async def messages_of(self, entries: Sequence[Entry], *, free: int) -> Sequence[Entry]:
        """Return at most *free* entries to run; the rest is refused, or handed back. Raises RedisError."""
        self.flood.tell()
        letters = {one.entry_id: letter for one in entries if (letter := self._letter(one)) is not None}
        giants = sum(bool(one.oversize) for one in entries)
        if self.flood.rises(len(letters), giants=giants) and await self._refused(
            [one for one in entries if one.entry_id in letters], letters
        ):
            entries = [one for one in entries if one.entry_id not in letters]
        for one in entries[free:]:
            await self._stream.settle(one, Ending.RELEASE, key="")
        return entries[:free]

    def _letter(self, entry: Entry) -> DeadLetter | None:
        reason = entry.oversize or self._handler.refusal_of(entry)
        if not reason:
            return None
        return DeadLetter(
            stream=keys.TASKS.name,
            entry_id=entry.entry_id,
            reason=reason,
            deliveries=entry.deliveries,
            at=self._now(),
            fields=entry.fields,
        )

    async def _refused(self, entries: list[Entry], letters: dict[str, DeadLetter]) -> bool:
        """Whether that has been recorded."""
        refusing = asyncio.create_task(self._handler.refuse_all(list(letters.values())))
        await asyncio.wait({refusing}, timeout=RECORDED_WITHIN_S)
        refusing.cancel()
        if not refusing.done():
            return False
        copied, failure = outcome_of(refusing, None)
        if failure is not None:
            return False
        drops = [(letters[one.entry_id], one.entry_id in copied, self._handler.key_of(one)) for one in entries]
        await self._stream.refuse(drops)
        self.flood.refused(len(entries), reason=letters[entries[-1].entry_id].reason)
        return True
