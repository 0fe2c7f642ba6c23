"""Reads entries for the free slots of one consumer, keeps the group in order, and stops without leaving work behind.

It never asks for more entries than it has free slots, so what is pending is what is running. What is due, and what
dead consumers left behind, it looks for each LOOK_EVERY_S: so late is either at most. Each entry is run and settled by
`executor`; what a failure means is decided in `settle`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING

from loguru import logger
from redis.exceptions import RedisError

from consumer.delivery.executor import Executor
from consumer.delivery.sieve import Sieve
from consumer.delivery.task_stream import MOST_PROMOTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.delivery.entries import Entry, Received
    from consumer.delivery.handler import Handler, Surroundings, WorkerOptions
    from consumer.delivery.lease import LeaseKeeper
    from consumer.delivery.task_stream import TaskStream

BLOCK = dt.timedelta(milliseconds=400)
LOOK_EVERY_S = BLOCK.total_seconds()  # a busy consumer looks as often as an idle one, not before every read
READ_ENDS_WITHIN_S = 0.7
TIDY_EVERY_S = 600.0
SILENT_CONSUMER = dt.timedelta(hours=1)


class Worker:
    """One consumer of the group."""

    def __init__(
        self,
        stream: TaskStream,
        keeper: LeaseKeeper,
        handler: Handler,
        options: WorkerOptions,
        surroundings: Surroundings,
    ) -> None:
        self._stream = stream
        self._executor = Executor(stream, keeper, handler, options, surroundings)
        self._sieve = Sieve(stream, handler, now=surroundings.now, newer_again=options.newer_again)
        self._on_lost = surroundings.on_lost
        self._trouble = surroundings.trouble
        self._slots = options.slots
        # The last two deliveries of an entry are its own: by then it has lost consumers often enough to be run alone.
        self._suspect_after = max(1, options.max_deliveries - 2)
        self._quarantine = False
        self._stopping = False
        self._idle = True
        self._promote_at = self._claim_at = 0.0  # seconds of the loop's clock
        # At the first chance: consumers that are killed young would otherwise never be tidied away by anybody.
        self._tidy_at = time.monotonic()

    @property
    def free_slots(self) -> int:
        return self._executor.free_slots

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set; then release what is running, at once and uncounted."""
        reader = asyncio.create_task(self._read_until_stopped())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({reader, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping = True
            stopped.cancel()
            await self._leave(reader)
        if not reader.cancelled():
            reader.result()

    async def _leave(self, reader: asyncio.Task[None]) -> None:
        """The reader may end its round: cancelled in the middle of it, it would lose the entries of the reply."""
        releasing = asyncio.create_task(self._executor.stop())
        await asyncio.wait({reader}, timeout=READ_ENDS_WITHIN_S)
        reader.cancel()
        await asyncio.wait({reader, releasing})
        releasing.result()
        self._sieve.flood.tell(at_once=True)
        try:
            await self._stream.leave()
        except RedisError as error:
            logger.warning("consumer_not_removed", reason=str(error))

    async def _read_until_stopped(self) -> None:
        failures = 0
        joined = False
        while not self._stopping:
            try:
                if not joined:
                    await self._join_group(first=not failures)
                    joined = True
                await self._read_once()
                await self._tidy()
                failures = 0
                self._trouble.over()
            except RedisError as error:
                failures += 1
                joined = False
                self._sieve.flood.read_failed()
                self._trouble.met(error)
                await asyncio.sleep(min(0.1 * 2 ** min(failures, 5), 2.0))

    async def _join_group(self, *, first: bool) -> None:
        """A group that had to be made anew means that Redis lost messages: somebody should look what was due.

        One that is still there may have given us entries with a reply that was lost: nobody would run them for a lease.
        """
        if await self._stream.ensure_group():
            logger.log("INFO" if first else "WARNING", "consumer_group_made", stream=self._stream.channel.stream)
            self._on_lost()
        elif not first and (entries := await self._stream.hand_back_unheard(known=self._executor.entries)):
            logger.info("unheard_entries_handed_back", entries=entries)
            self._claim_at = 0.0

    async def _read_once(self) -> None:
        await self._promote()
        free = self._executor.admitted
        if free <= 0 or (self._quarantine and self._executor.free_slots < self._slots):
            await self._wait_for_a_slot()
            return
        for received in await self._next(free):
            self._executor.start(received)
        self._note_idleness(self._executor.free_slots == self._slots)

    async def _next(self, free: int) -> Sequence[Received]:
        """What is to be run now. Claimed entries first: they have waited for a lease already."""
        claimed = await self._claim(free)
        received = await self._sieve.received(claimed)
        if any(entry.suspect for entry in claimed):
            return received  # it runs alone, and is refused alone
        if not claimed and not self._quarantine:
            received = await self._sieve.received(await self._read(free + self._sieve.flood.more))
        return await self._sieve.messages_of(received, free=free)

    async def _promote(self) -> None:
        """Move what is due into the stream: each LOOK_EVERY_S, and whenever there was nothing to read."""
        now = asyncio.get_running_loop().time()
        if now >= self._promote_at and await self._stream.promote() < MOST_PROMOTED:
            self._promote_at = now + LOOK_EVERY_S

    async def _claim(self, free: int) -> list[Entry]:
        """The same for leases that have run out; as long as they fill the free slots, before anything else."""
        now = asyncio.get_running_loop().time()
        if now < self._claim_at and not self._quarantine:
            return []
        alone = self._executor.free_slots == self._slots
        claimed = await self._stream.claim_apart(free, suspect_after=self._suspect_after, alone=alone)
        taken = claimed.entries
        # Until a suspect is taken, by whomever, and until it has ended, nothing is begun that might share its fate.
        self._quarantine = claimed.suspect_waits or any(entry.suspect for entry in taken)
        if len(taken) < free and not self._quarantine:
            self._claim_at = now + LOOK_EVERY_S
        return taken

    async def _read(self, free: int) -> list[Entry]:
        look_in_s = min(self._promote_at, self._claim_at) - asyncio.get_running_loop().time()
        entries = await self._stream.read(free, block=min(BLOCK, dt.timedelta(seconds=max(look_in_s, 0.0))))
        if not entries:
            self._promote_at = self._claim_at = 0.0
        return entries

    def _note_idleness(self, idle: bool) -> None:
        """Out of work may mean done, or that somebody trimmed the stream: worth one look, and Redis tells nobody."""
        if idle and not self._idle:
            self._on_lost()
        self._idle = idle

    async def _wait_for_a_slot(self) -> None:
        """`asyncio.timeout`, not `wait_for`: that one may swallow a cancellation that comes with the event."""
        self._executor.slot_freed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BLOCK.total_seconds()):
                await self._executor.slot_freed.wait()

    async def _tidy(self) -> None:
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY_S
            await self._stream.collect_consumers(idle=SILENT_CONSUMER)
            await self._stream.sweep()
