"""Keeps Redis fit to carry work: mends streams and keys that somebody's hand has spoilt, sends stranded entries again.

Every consumer runs it, without a leader and apart from the catch-up, whose own messages a spoilt stream would refuse.
What was lost with a mended key is sent again by the catch-up, from the ledger.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from consumer.catalogue.registry import CACHES
from contract import keys
from process.trouble import Trouble
from producers import mending

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from consumer.delivery.task_stream import TaskStream

EVERY = dt.timedelta(seconds=10)
STRANDED_EVERY = 6  # looks

#: What `mending` knows by name, and the registers of our caches.
TYPES = {
    **mending.TYPES,
    **{keys.CACHED.pattern.format(cache=cache): keys.CACHED.holds for cache in CACHES},
}


class Caretaker:
    """The caretaker of one consumer; *on_mended* has the ledger's work sent again."""

    def __init__(
        self, redis: Redis, stream: TaskStream, *, on_mended: Callable[[], None], every: dt.timedelta = EVERY
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._on_mended = on_mended
        self._every = every
        self._looks = 0

    async def run(self) -> None:
        """Look at start, then every *every*, until cancelled."""
        trouble = Trouble("caretaking_postponed")
        while True:
            try:
                await self.look()
                trouble.over()
            except (RedisError, OSError) as error:
                trouble.met(error)
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> None:
        """Mend what is spoilt. Raises RedisError."""
        mended = await mending.mend(self._redis, TYPES)
        if mended:
            self._on_mended()
        # Of a stream of many it looks at every entry that was handed out: seldom, unless there is a reason.
        if mended or self._looks % STRANDED_EVERY == 0:
            await self._stream.send_stranded()
        self._looks += 1
