"""Turns SESSION_CHANGED into due cycles: the fast path; calendar and ledger find the same work without it."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

from loguru import logger
from redis.exceptions import RedisError, ResponseError

from consumer.cycle.messages import rule_message
from consumer.delivery.entries import Drop
from consumer.delivery.flood import Flood
from consumer.postgres import cycles, dead_letters
from consumer.postgres.pool import BUSY_ERRORS, POSTGRES_ERRORS
from contract import keys
from contract.messages import SessionChanged, UndecodableMessage, decode_session_changed
from contract.reports import DeadLetter, encode_dead_letter
from market.calendar_errors import CalendarError
from process.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.cycle.stores import Stores
    from consumer.delivery.entries import Entry, Outgoing
    from market.schedule import Schedule

BLOCK = dt.timedelta(seconds=2)
SAME_INSTANT = dt.timedelta(minutes=1)


class EventRefused(Exception):
    """The event contradicts the calendar; the text says how."""


class SessionEvents:
    """One consumer of the session stream."""

    def __init__(self, stores: Stores, schedule: Schedule, *, now: Callable[[], dt.datetime]) -> None:
        self._redis, self._stream, self._pool = stores.redis, stores.stream, stores.pool
        self._schedule = schedule
        self._calendar = schedule.calendar
        self._now = now
        self._flood = Flood(keys.SESSIONS.name)

    async def run(self) -> None:
        """Read events until cancelled."""
        try:
            await self._read_for_ever()
        finally:
            self._flood.tell(at_once=True)
            await self._leave()

    async def _read_for_ever(self) -> None:
        ready = False
        trouble = Trouble("session_events_postponed")
        while True:
            try:
                if not ready:
                    await self._ensure_group()
                    ready = True
                await self._read_once()
                trouble.over()
            except (RedisError, *BUSY_ERRORS) as error:
                ready = False
                self._flood.read_failed()
                await asyncio.sleep(trouble.met(error))
            except POSTGRES_ERRORS as error:  # the event stays pending, and those after it are read
                await asyncio.sleep(trouble.met(error, event="session_event_not_handled", runbook="statement-refused"))

    async def _leave(self) -> None:
        """Take this consumer's name, which is never used again, off the group; unless it still holds events."""
        try:
            held: Any = await self._redis.xpending_range(
                keys.SESSIONS.name, keys.GROUP, min="-", max="+", count=1, consumername=self._stream.consumer
            )
            if not held:
                # Never where it holds any: Redis drops a consumer together with what is pending for it.
                await self._redis.xgroup_delconsumer(keys.SESSIONS.name, keys.GROUP, self._stream.consumer)
        except RedisError as error:
            logger.debug("session_consumer_not_removed", reason=str(error))

    async def _ensure_group(self) -> None:
        try:
            await self._redis.xgroup_create(keys.SESSIONS.name, keys.GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _read_once(self) -> None:
        name = keys.SESSIONS.name
        # What another left is older than anything new, and goes first.
        entries = await self._stream.claim(20, stream=name)
        if not entries:
            entries = await self._stream.read(20 + self._flood.more, block=BLOCK, stream=name)
        for entry in await self._without_junk(entries):
            await self._handle(entry)

    async def _without_junk(self, entries: list[Entry]) -> list[Entry]:
        """Where there is much that nobody can read, it is refused together."""
        self._flood.tell()
        letters = {one.entry_id: self._letter(one, why) for one in entries if (why := _unreadable(one))}
        if not self._flood.rises(len(letters), giants=sum(bool(one.oversize) for one in entries)):
            return entries
        copied = await dead_letters.keep_examples(self._pool, list(letters.values()))
        for deleted in (True, False):
            mine = [one.entry_id for one in entries if one.entry_id in letters and bool(one.oversize) == deleted]
            drops = [_drop(letters[entry_id], copied=entry_id in copied) for entry_id in mine]
            await self._stream.refuse(drops, stream=keys.SESSIONS.name, deleted=deleted)
        self._flood.refused(len(letters), reason=list(letters.values())[-1].reason)
        return [one for one in entries if one.entry_id not in letters]

    async def _handle(self, entry: Entry) -> None:
        if why := _unreadable(entry):
            await self._refuse(entry, why)
            return
        try:
            event = decode_session_changed(entry.fields)
            due = self.due_messages(event, now=self._now())
        except EventRefused as error:
            await self._refuse(entry, str(error))
            return
        for message in due:
            day, rule = event.trading_date, message.fields["rule"]
            if await cycles.cycle_of_occasion(self._pool, day, rule) is None:
                added = await self._stream.enqueue([message])
                logger.info(
                    "session_changed", trading_day=str(day), to_session=event.to_session, rule=rule, added=added
                )
        # Last: an event that comes again for want of this finds its cycle there, or the message under way.
        await self._redis.xack(keys.SESSIONS.name, keys.GROUP, entry.entry_id)

    def due_messages(self, event: SessionChanged, *, now: dt.datetime) -> list[Outgoing]:
        """Return the cycles that *event* tells of, each due when the calendar says so, not when the event does.

        Of those due already only the newest of all counts, because its cycle brings the days before it up to date.
        """
        try:
            self._hold_against_calendar(event)
        except CalendarError as error:
            raise EventRefused(f"trading_date: {error}") from error
        try:
            newest = self._schedule.latest_due(now)
        except CalendarError:
            return []  # our clock is outside the calendar: the catch-up says so, and sends what is due once it is not
        messages = []
        for one in self._schedule.occurrences(event.trading_date):
            if one.rule.phase != event.to_session:
                continue
            if one.due_at <= now and (newest.trading_day, newest.due_at) > (one.trading_day, one.due_at):
                continue
            messages.append(
                rule_message(one.trading_day, one.rule.text, requested_by="session_changed", due_at=one.due_at)
            )
        return messages

    def _hold_against_calendar(self, event: SessionChanged) -> None:
        """Raises EventRefused where the event is not one of our calendar's transitions, at its own instant."""
        session = self._calendar.session(event.trading_date)
        if event.regular_close != session.closes_at:
            raise EventRefused(
                f"regular_close {event.regular_close.isoformat()} is not {session.closes_at.isoformat()}, the close of "
                f"{event.trading_date} here: give producer and consumer the same TRADING_CALENDAR_OVERRIDES"
            )
        begins_at = next(one.at for one in session.transitions() if one.to_phase == event.to_session)
        if abs(event.timestamp - begins_at) >= SAME_INSTANT:
            raise EventRefused(
                f"timestamp {event.timestamp.isoformat()} is not {begins_at.isoformat()}, when {event.to_session} "
                f"begins on {event.trading_date} here: give producer and consumer the same "
                "TRADING_CALENDAR_OVERRIDES and EARLY_EXTENDED_CLOSE"
            )

    def _letter(self, entry: Entry, reason: str) -> DeadLetter:
        return DeadLetter(
            stream=keys.SESSIONS.name,
            entry_id=entry.entry_id,
            reason=reason,
            deliveries=entry.deliveries,
            at=self._now(),
            fields=entry.fields,
        )

    async def _refuse(self, entry: Entry, reason: str) -> None:
        """A giant goes; all else stays for those who read the stream beside us, and may be newer than we are."""
        letter = self._letter(entry, reason)
        async with self._pool.acquire() as connection, connection.transaction():
            await dead_letters.keep_example(connection, letter)
        await self._stream.refuse([_drop(letter, copied=True)], stream=keys.SESSIONS.name, deleted=bool(entry.oversize))
        logger.error("session_event_refused", entry_id=entry.entry_id, reason=reason, runbook="dead-letters")


def _drop(letter: DeadLetter, *, copied: bool) -> Drop:
    return Drop(entry_id=letter.entry_id, letter=encode_dead_letter(letter) if copied else None)


def _unreadable(entry: Entry) -> str:
    """Why the entry is no event, whatever the calendar says; empty where it is one."""
    if entry.oversize:
        return entry.oversize
    try:
        decode_session_changed(entry.fields)
    except UndecodableMessage as error:
        return str(error)
    return ""
