"""Hears another service's market_session, on its stream and its channels, and tells on market:session what it says.

Any number of these may run side by side, and beside a producer of ours: what is new, publish.lua decides. The stream is
only read, from its beginning at each start, since what was told before is known; nothing is left on it. A channel has
no memory: what was said while nobody listened, calendar and ledger bring within half a minute.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger
from redis.exceptions import RedisError

from contract.foreign_sessions import decode_foreign_change, decode_foreign_message
from contract.messages import UndecodableMessage
from market.calendar_errors import CalendarError
from process.trouble import Trouble
from producers.market_session.session_stream import Outcome, SessionStream
from producers.session_bridge.derive import ContradictsCalendar, derived

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

    from contract.foreign_sessions import ForeignChange
    from contract.messages import SessionChanged
    from market.trading_calendar import TradingCalendar

BLOCK = dt.timedelta(seconds=2)
ENTRIES_AT_ONCE = 50
#: A connection that says nothing is asked for a sign of life, and given up without one.
SILENCE = dt.timedelta(seconds=10)
LOOKS_AGAIN = 5
LOOK_AGAIN = dt.timedelta(seconds=1)


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """Where another service tells of sessions, how old a change may be to be told on, and the clock to go by."""

    stream: str | None
    channels: tuple[str, ...]
    catch_up: dt.timedelta
    now: Callable[[], dt.datetime]


class SessionBridge:
    """One bridge; *blocking* is a client whose reads may last longer than BLOCK, also for the subscription."""

    def __init__(self, commands: Redis, blocking: Redis, calendar: TradingCalendar, heard: Heard) -> None:
        self._commands, self._blocking = commands, blocking
        self._calendar = calendar
        self._heard = heard
        self._sessions = SessionStream(commands)
        self._last_id = "0"
        #: Set once the channels are listened to; for whoever has to wait for that.
        self.listening = asyncio.Event()

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What listens until cancelled. Each is to be a task of its own, and cancelled until it has ended: a group of
        tasks cancels them once, and a driver may swallow that."""
        loops = []
        if self._heard.stream is not None:
            loops.append(self._for_ever(self.read_stream, "foreign_session_stream_unreachable"))
        if self._heard.channels:
            loops.append(self._for_ever(self._listen, "foreign_session_channels_unreachable"))
        return loops

    async def _for_ever(self, work: Callable[[], Any], event: str) -> None:
        trouble = Trouble(event)
        while True:
            try:
                await work()
                trouble.over()
            except (RedisError, OSError, TimeoutError) as error:
                await asyncio.sleep(trouble.met(error))

    async def read_stream(self) -> None:
        """Read what has come, wait for it a while, and tell on what is new. Raises RedisError."""
        stream = self._heard.stream or ""
        block = BLOCK // dt.timedelta(milliseconds=1)
        answer: Any = await self._blocking.xread({stream: self._last_id}, count=ENTRIES_AT_ONCE, block=block)
        refused: list[str] = []
        for entry_id, fields in answer[0][1] if answer else []:
            await self._hear(lambda fields=fields: decode_foreign_change(fields or {}), stream, refused)  # type: ignore[misc]
            self._last_id = entry_id
        _tell_refused(stream, refused)

    async def _listen(self) -> None:
        """Listen on the channels until the connection fails."""
        pubsub = self._blocking.pubsub()
        try:
            await pubsub.subscribe(*self._heard.channels)
            self.listening.set()
            while True:
                await self._hear_one(pubsub)
        finally:
            self.listening.clear()
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _hear_one(self, pubsub: PubSub) -> None:
        message = await pubsub.get_message(timeout=SILENCE.total_seconds())
        if message is None:
            await pubsub.ping()
            message = await pubsub.get_message(timeout=SILENCE.total_seconds())
            if message is None:
                raise TimeoutError("the channels' connection is silent")
        if message["type"] == "message":
            refused: list[str] = []
            await self._hear(lambda: decode_foreign_message(message["data"]), message["channel"], refused)
            _tell_refused(message["channel"], refused)

    async def _hear(self, read: Callable[[], ForeignChange], source: str, refused: list[str]) -> None:
        """Tell on what *read* gives; why it cannot be is added to *refused*. Raises RedisError."""
        now = self._heard.now()
        try:
            message = derived(read(), self._calendar, heard_at=now, source=source)
        except (UndecodableMessage, ContradictsCalendar, CalendarError) as error:
            refused.append(str(error))
            return
        if message is not None and message.timestamp > now - self._heard.catch_up:
            await self._publish(message)

    async def _publish(self, message: SessionChanged) -> None:
        for _ in range(LOOKS_AGAIN):
            seen = await self._sessions.look()
            match await self._sessions.publish(message, seen):
                case Outcome.PUBLISHED:
                    logger.info(
                        "foreign_session_change_published",
                        trading_day=str(message.trading_date),
                        to_session=message.to_session.value,
                        source=message.source,
                    )
                    return
                case Outcome.KNOWN:
                    return
                case Outcome.EARLY:  # by Redis' clock: theirs, or the vendor, was seconds ahead
                    await asyncio.sleep(max(LOOK_AGAIN, message.timestamp - seen.redis_now).total_seconds())
                case Outcome.MOVED:
                    pass
        logger.warning("foreign_session_change_not_published", timestamp=message.timestamp, source=message.source)


def _tell_refused(source: str, refused: list[str]) -> None:
    """One line for all that came together: of a stream full of junk it is told once a read."""
    if refused:
        logger.bind(source=source, refused=len(refused), reason=refused[-1], runbook="foreign-sessions").warning(
            "foreign_session_changes_refused"
        )
