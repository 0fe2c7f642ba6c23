"""Keeps an export up: waits for what the service says on `maintenance:events`, and exports the sessions that changed.

What changed, the ledger says: an event only wakes it. So nothing is lost with Redis; without events it looks each
LOOK_EVERY_S seconds. A server or a place that is away is waited for, and told once.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from loguru import logger
from redis.exceptions import RedisError

from consumer.export.outcome import Outcome
from consumer.export.place import PlaceAway
from consumer.postgres.exported import marks
from consumer.postgres.pool import BUSY_ERRORS
from consumer.runtime import Stopped, unless_stopped
from contract import keys
from contract.reports import EventName

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Callable

    from redis.asyncio import Redis

    from consumer.export.exporter import Exporter
    from consumer.export.outcome import Exported

LOOK_EVERY_S = 60.0
_BLOCKS_MS = 2_000  # less than a command's timeout
_AGAIN_AFTER_S = 2.0
_WAKING = {EventName.SESSION_JUDGED.value, EventName.CYCLE_FINISHED.value, EventName.CYCLE_WAITING.value}


class Follower:
    """Exports what has changed of the sessions that *days* gives, which may become more."""

    def __init__(
        self, exporter: Exporter, redis: Redis, stop: asyncio.Event, days: Callable[[], tuple[dt.date, ...]]
    ) -> None:
        self._exporter = exporter
        self._redis = redis
        self._stop = stop
        self._days = days
        self._marks: dict[dt.date, str] = {}
        self._present_due = True
        self._seen = "0-0"
        self._told = False
        self._said: dict[str, Outcome] = {}

    async def run(self) -> AsyncIterator[Exported]:
        """Give what was written, or lacks, until told to stop; a file that is being written is finished first.

        Raises PlaceError for what waiting does not cure.
        """
        while not self._stop.is_set():
            self._seen = await self._newest()
            try:
                async for one in self._changed():
                    yield one
                self._told = False
            except (PlaceAway, *BUSY_ERRORS) as error:
                self._tell(error)
                await self._pause(_AGAIN_AFTER_S)
                continue
            with contextlib.suppress(Stopped, TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await unless_stopped(self._stop, self._event())

    async def _changed(self) -> AsyncIterator[Exported]:
        days = self._days()
        async with self._exporter.pool.acquire() as connection:
            found = await marks(connection, days)
        changed = [day for day in days if found[day] != self._marks.get(day)]
        self._present_due |= bool(changed)
        for day in changed:
            if self._stop.is_set():
                return
            async for one in self._exporter.session(day):
                if self._is_news(one):
                    yield one
            self._marks[day] = found[day]
        if self._present_due and not self._stop.is_set():
            async for one in self._exporter.present():
                if self._is_news(one):
                    yield one
            self._present_due = False  # only now: an outage amid it leaves the rest due

    def _is_news(self, one: Exported) -> bool:
        """What was written, and what has come to be in another way since it was last said."""
        before = self._said.get(one.key)
        self._said[one.key] = one.outcome
        return one.outcome is Outcome.WRITTEN or (one.outcome is not Outcome.UNCHANGED and before is not one.outcome)

    async def _newest(self) -> str:
        """The id of the last event: what comes while sessions are looked at wakes the next look."""
        try:
            entries: Any = await self._redis.xrevrange(keys.EVENTS.name, count=1)
        except RedisError as error:
            self._tell(error)
            return self._seen
        return str(entries[0][0]) if entries else "0-0"

    async def _event(self) -> None:
        """Return once something has happened after which a session may be another one."""
        while True:
            try:
                answer: Any = await self._redis.xread({keys.EVENTS.name: self._seen}, count=100, block=_BLOCKS_MS)
            except RedisError as error:
                self._tell(error)
                await asyncio.sleep(_AGAIN_AFTER_S)
                continue
            for _, entries in answer or ():
                self._seen = entries[-1][0]
                if any(fields.get("event") in _WAKING for _, fields in entries):
                    return

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(Stopped):
            await unless_stopped(self._stop, asyncio.sleep(seconds))

    def _tell(self, error: Exception) -> None:
        if not self._told:
            logger.warning("export_waits", reason=f"{type(error).__name__}: {error}")
        self._told = True
