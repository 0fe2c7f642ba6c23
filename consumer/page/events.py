"""Passes what stands on `maintenance:events` to the pages that watch: server-sent events, one read for all of them.

An event's id is its stream entry's, so that a page whose connection broke sends the last one it saw (`Last-Event-ID`)
and is given what came since, by XRANGE. A page that does not take its events is let go: it comes back the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from redis.exceptions import RedisError

from consumer.runtime import connect_redis, end_all
from contract import keys
from contract.messages import UndecodableMessage
from contract.reports import MaintenanceEvent, decode_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from redis.asyncio import Redis

    from consumer.web.monitor import Monitor

MOST_LISTENERS = 100
#: Events that one page may be behind; whoever has missed more reads everything anew.
MOST_BEHIND = 500
LOG_LENGTH = 60
KEEP_ALIVE_S = 15.0
#: Below the ten seconds after which a blocking read would be taken for a silent server.
_BLOCK_MS = 5_000
_TIMEOUT_S = 10.0
_TRIED_AGAIN_S = 1.0
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and its entry's id."""

    id: str
    event: MaintenanceEvent


class TooManyListeners(Exception):
    """No more pages are served events: each of them asks now and then instead."""


class _Ended(Exception):
    """The service ends, or the page did not take its events."""


class Listener:
    """One page that watches, and what it has not taken yet."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[LoggedEvent | None] = asyncio.Queue(MOST_BEHIND + 1)

    def put(self, event: LoggedEvent) -> None:
        """Keep *event* for it; one that is too far behind is told to come again."""
        if self.waiting.qsize() >= MOST_BEHIND:
            self.end()
        else:
            self.waiting.put_nowait(event)

    def end(self) -> None:
        if not self.waiting.full():
            self.waiting.put_nowait(None)

    async def next(self, within_s: float) -> LoggedEvent | None:
        """The next event; None where none came in time. Raises _Ended."""
        try:
            async with asyncio.timeout(within_s):
                event = await self.waiting.get()
        except TimeoutError:
            return None
        if event is None:
            raise _Ended
        return event


class Events:
    """The events of one process: reads while any page watches. *on_news* is called before what came is passed on."""

    def __init__(
        self,
        monitor: Monitor,
        redis_url: str | None,
        *,
        most: int = MOST_LISTENERS,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        self._monitor = monitor
        self._redis_url = redis_url
        self._on_news = on_news
        self._most = most
        self._listeners: set[Listener] = set()
        self._reading: asyncio.Task[None] | None = None

    async def tail(self) -> list[LoggedEvent]:
        """The last events, newest first."""
        rows: Any = await self._monitor.redis.xrevrange(keys.EVENTS.name, count=LOG_LENGTH)
        return [event for entry_id, fields in rows if (event := _logged(entry_id, fields)) is not None]

    async def since(self, last_id: str) -> list[LoggedEvent] | None:
        """What came after *last_id*, oldest first; None where it is no id, or more came than are told."""
        if not _ENTRY_ID.fullmatch(last_id):
            return None
        rows: Any = await self._monitor.redis.xrange(keys.EVENTS.name, f"({last_id}", "+", count=MOST_BEHIND + 1)
        if len(rows) > MOST_BEHIND:
            return None
        return [event for entry_id, fields in rows if (event := _logged(entry_id, fields)) is not None]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """Watch until the block ends. Raises TooManyListeners."""
        if len(self._listeners) >= self._most:
            raise TooManyListeners(f"{self._most} pages watch already: this one asks every half minute instead")
        assert self._redis_url is not None, "the service has a Redis"
        listener = Listener()
        self._listeners.add(listener)
        if self._reading is None or self._reading.done():
            # From the newest one there is now: from "$" what comes before the first read would be missed.
            self._reading = asyncio.create_task(self._read(self._redis_url, await self.newest_id()))
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                await self._stop()

    async def newest_id(self) -> str:
        """The id of the newest event; the least there can be where there is none."""
        rows: Any = await self._monitor.redis.xrevrange(keys.EVENTS.name, count=1)
        return str(rows[0][0]) if rows else "0-0"

    async def close(self) -> None:
        """End what watches, so that the service need not wait for pages."""
        for listener in self._listeners:
            listener.end()
        await self._stop()

    async def _stop(self) -> None:
        if self._reading is not None:
            reading, self._reading = self._reading, None
            await end_all([reading])

    async def _read(self, redis_url: str, last_id: str) -> None:
        async with connect_redis(redis_url, timeout_s=_TIMEOUT_S) as redis:
            while True:
                try:
                    last_id = await self._read_once(redis, last_id)
                except RedisError as error:
                    logger.debug("events_not_read", reason=str(error))
                    await asyncio.sleep(_TRIED_AGAIN_S)

    async def _read_once(self, redis: Redis, last_id: str) -> str:
        found: Any = await redis.xread({keys.EVENTS.name: last_id}, count=MOST_BEHIND, block=_BLOCK_MS)
        if found:
            self._on_news()  # before any page hears of it, and asks
        for _, rows in found or []:
            for entry_id, fields in rows:
                last_id = str(entry_id)
                if (event := _logged(last_id, fields)) is not None:
                    for listener in tuple(self._listeners):
                        listener.put(event)
        return last_id


def _logged(entry_id: str, fields: Mapping[str, str]) -> LoggedEvent | None:
    """Of what somebody else has written to the stream, nothing."""
    try:
        return LoggedEvent(id=entry_id, event=decode_event(fields))
    except UndecodableMessage:
        return None


def is_after(one: str, other: str) -> bool:
    """Whether the entry *one* came after *other*."""
    return tuple(map(int, one.split("-"))) > tuple(map(int, other.split("-")))


def frame(event: LoggedEvent) -> bytes:
    """An event as the wire has it."""
    return b"id: %b\nevent: maintenance\ndata: %b\n\n" % (event.id.encode(), msgspec.json.encode(event.event))


def hello(last_id: str, *, anew: bool) -> bytes:
    """The first frame: from which entry on there is news; *anew*: too much was missed, everything is to be read."""
    return b"retry: 2000\nid: %b\nevent: hello\ndata: %b\n\n" % (last_id.encode(), msgspec.json.encode({"anew": anew}))


KEEP_ALIVE = b": still here\n\n"


async def frames(events: Events, last_seen: str | None) -> AsyncGenerator[bytes, None]:
    """What one page is sent, until it goes or the service ends. Raises TooManyListeners before the first frame."""
    async with events.listening() as listener:
        missed = [] if last_seen is None else await events.since(last_seen)
        last_id = last_seen if missed and last_seen is not None else await events.newest_id()
        yield hello(last_id, anew=missed is None)
        for event in missed or []:
            last_id = event.id
            yield frame(event)
        with contextlib.suppress(_Ended):
            while True:
                news = await listener.next(KEEP_ALIVE_S)
                if news is None:
                    yield KEEP_ALIVE
                elif is_after(news.id, last_id):
                    last_id = news.id
                    yield frame(news)
