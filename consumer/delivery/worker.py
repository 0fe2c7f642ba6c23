"""Reads entries, runs each as a task of its own, and settles it.

It never asks for more entries than it has free slots, so what is pending is what is running. What the work means is
the handler's affair; what a failure means is decided in `settle`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Protocol

import msgspec
from loguru import logger
from redis.exceptions import RedisError

from consumer.delivery.errors import DeliveryError, LeaseLost, ShutdownRequested
from consumer.delivery.settle import Policy, Settlement, Verdict, failure_of, settle
from producers import keys
from producers.reports import DeadLetter, encode_dead_letter

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from consumer.delivery.lease import LeaseKeeper
    from consumer.delivery.task_stream import Delivery, Entry, Outgoing, TaskStream

BLOCK = dt.timedelta(milliseconds=400)
COLLECT_EVERY = dt.timedelta(minutes=10)
SILENT_CONSUMER = dt.timedelta(hours=1)


class Handler(Protocol):
    """What the worker runs: decodes, does and records the work of an entry."""

    def key_of(self, entry: Entry) -> str: ...

    def attempt_of(self, entry: Entry) -> int: ...

    def retry_of(self, entry: Entry, *, counted: bool) -> Outgoing: ...

    def classify(self, failure: BaseException) -> Policy: ...

    async def run(self, delivery: Delivery) -> list[Outgoing]: ...

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]: ...


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """*slots*: entries at a time; *max_deliveries*: times an entry may kill or lose its consumer."""

    slots: int = 4
    max_attempts: int = 5
    max_deliveries: int = 5
    deadline: dt.timedelta = dt.timedelta(minutes=30)


class Worker:
    """One consumer of the group."""

    def __init__(
        self,
        stream: TaskStream,
        keeper: LeaseKeeper,
        handler: Handler,
        options: WorkerOptions,
        *,
        random: Random,
        now: Callable[[], dt.datetime],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._stream = stream
        self._keeper = keeper
        self._handler = handler
        self._options = options
        self._random = random
        self._now = now
        self._on_lost = on_lost
        self._running: dict[str, asyncio.Task[object]] = {}
        self._slot_freed = asyncio.Event()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set; then release what is running, at once and uncounted."""
        reader = asyncio.create_task(self._read_for_ever())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({reader, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
        finally:
            self._stopping = True
            reader.cancel()
            stopped.cancel()
            await asyncio.gather(reader, stopped, return_exceptions=True)
            await self._release_running()

    async def _release_running(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        try:
            await self._stream.leave()
        except RedisError as error:
            logger.warning("consumer_not_removed", reason=str(error))

    async def _read_for_ever(self) -> None:
        trouble: int | None = None  # None: nothing tried yet
        collect_at = self._now() + COLLECT_EVERY
        while True:
            try:
                if trouble is None or trouble:
                    await self._join_group()
                await self._read_once()
                if self._now() >= collect_at:
                    collect_at = self._now() + COLLECT_EVERY
                    await self._stream.collect_consumers(idle=SILENT_CONSUMER)
                trouble = 0
            except RedisError as error:
                trouble = (trouble or 0) + 1
                if trouble == 1:
                    logger.warning("redis_not_reachable", reason=str(error))
                await asyncio.sleep(min(0.1 * 2 ** min(trouble, 5), 2.0))

    async def _join_group(self) -> None:
        """A group that had to be made anew means that Redis lost messages: somebody should look what was due."""
        if await self._stream.ensure_group():
            logger.warning("consumer_group_made", stream=keys.TASKS.name)
            self._on_lost()

    async def _read_once(self) -> None:
        await self._stream.promote()
        free = self._options.slots - len(self._running)
        if free <= 0:
            self._slot_freed.clear()
            try:
                await asyncio.wait_for(self._slot_freed.wait(), BLOCK.total_seconds())
            except TimeoutError:
                return
            return
        entries = await self._stream.claim(free)
        if not entries:
            entries = await self._stream.read(free, block=BLOCK)
        for entry in entries:
            if entry.entry_id not in self._running:
                task = asyncio.create_task(self._deliver(entry))
                self._running[entry.entry_id] = task
                self._keeper.hold(entry.entry_id, task, deadline_s=self._options.deadline.total_seconds())

    async def _deliver(self, entry: Entry) -> None:
        try:
            delivery = await self._stream.begin(entry)
            if delivery is not None:
                await self._run_and_settle(delivery)
        except RedisError as error:
            logger.warning("delivery_left_to_its_lease", entry_id=entry.entry_id, reason=str(error))
        finally:
            self._keeper.drop(entry.entry_id)
            self._running.pop(entry.entry_id, None)
            self._slot_freed.set()

    async def _run_and_settle(self, delivery: Delivery) -> None:
        entry = delivery.entry
        if entry.taken_from is not None:
            logger.warning("entry_reclaimed", entry_id=entry.entry_id, taken_from=entry.taken_from)
        if delivery.deliveries > self._options.max_deliveries:
            failure: BaseException | None = PoisonedEntry(
                f"{delivery.deliveries} deliveries, none of which ended: it may kill or wedge its consumer"
            )
            settlement = Settlement(verdict=Verdict.DEAD_LETTER, reason=str(failure))
            successors: list[Outgoing] = []
        else:
            successors, failure = await failure_of(self._handler.run(delivery))
            settlement = settle(
                self._meaning(failure),
                attempt=self._handler.attempt_of(entry),
                max_attempts=self._options.max_attempts,
                classify=self._handler.classify,
                random=self._random,
            )
        if failure is not None and settlement.verdict not in (Verdict.RELEASE, Verdict.ABANDON):
            successors, unrecorded = await failure_of(self._handler.record(delivery, settlement, failure))
            if unrecorded is not None:
                # The ledger is away: what could not be recorded is tried again rather than forgotten.
                reason = f"not recorded: {unrecorded!r}; before that: {settlement.reason}"
                delay = dt.timedelta(seconds=2)
                settlement = Settlement(verdict=Verdict.RETRY_LATER, reason=reason, delay=delay, counted=False)
                successors = []
        await self._perform(delivery, settlement, successors)

    def _meaning(self, failure: BaseException | None) -> BaseException | None:
        """A cancelled task was either told to stop, or has lost its lease or its deadline."""
        if not isinstance(failure, asyncio.CancelledError):
            return failure
        if self._stopping:
            return ShutdownRequested()
        if "deadline" in str(failure):
            return DeadlinePassed(f"no end after {self._options.deadline}")
        return LeaseLost(str(failure))

    async def _perform(self, delivery: Delivery, settlement: Settlement, successors: list[Outgoing]) -> None:
        entry, verdict = delivery.entry, settlement.verdict
        log = logger.bind(entry_id=entry.entry_id, verdict=verdict.value, reason=settlement.reason)
        detail: object = None
        match verdict:
            case Verdict.ABANDON:
                log.warning("delivery_abandoned")
                return
            case Verdict.RETRY_LATER:
                again = self._handler.retry_of(entry, counted=settlement.counted)
                due_at = self._now() + settlement.delay
                detail = msgspec.structs.replace(again, due_at=due_at).as_script_argument()
                log.info("delivery_retried_later", delay_s=round(settlement.delay.total_seconds(), 2))
            case Verdict.DEAD_LETTER:
                letter = DeadLetter(
                    stream=keys.TASKS.name,
                    entry_id=entry.entry_id,
                    reason=settlement.reason,
                    deliveries=delivery.deliveries,
                    at=self._now(),
                    fields=entry.fields,
                )
                detail = [text for pair in encode_dead_letter(letter).items() for text in pair]
                log.error("delivery_dead_lettered", runbook="dead-letters", fields=entry.fields)
            case Verdict.RELEASE | Verdict.ACKNOWLEDGE:
                pass
        key = self._handler.key_of(entry)
        if not await self._stream.settle(entry, verdict, key=key, detail=detail, successors=successors):
            log.warning("settlement_came_too_late")


class PoisonedEntry(DeliveryError):
    """The entry was handed out too often without an end."""


class DeadlinePassed(DeliveryError):
    """The work did not end within its deadline."""
