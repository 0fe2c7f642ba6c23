"""Takes entries from their fence token to their settlement, each in a task of its own.

The handler runs in a further task, and only that one is ever cancelled: beginning and settling are never interrupted,
so a commit is followed by its acknowledgement also while the consumer stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, TypeVar

import msgspec
from loguru import logger
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisSilent

from consumer.delivery.brake import Brake
from consumer.delivery.entries import MOST_FIELDS, Delivery, flatten
from consumer.delivery.errors import DataRejected, DeliveryError, PoisonedEntry, ShutdownRequested
from consumer.delivery.retry_log import RetryLog
from consumer.delivery.settle import Ending, Settlement, describe, outcome_of, settle
from contract import keys
from contract.reports import DeadLetter, encode_dead_letter

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable
    from random import Random

    from consumer.delivery.entries import Entry, Outgoing
    from consumer.delivery.handler import Handler, WorkerOptions
    from consumer.delivery.lease import LeaseKeeper
    from consumer.delivery.task_stream import TaskStream

T = TypeVar("T")

RECORD_WITHIN_S = 30.0
HANDLER_STOPS_WITHIN_S = 0.5  # what does not heed its cancellation by then is handed back while it still runs
SETTLED_WITHIN_S = 5.0
REPEAT_EVERY_S = 0.1


class _Running:
    """One delivery under way: the task of its handler, and why that was told to stop."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.begun_at = asyncio.get_running_loop().time()
        self.told: DeliveryError | None = None
        self.handed_back = False
        self.deliveries: int | None = None  # once it has begun
        self.work: asyncio.Task[list[Outgoing]] | None = None

    def tell(self, why: DeliveryError) -> None:
        """Only once: a second cancellation would hit what the handler does to end cleanly."""
        if self.told is None:
            self.told = why
            if self.work is not None:
                self.work.cancel()

    @property
    def at_work(self) -> bool:
        return self.work is not None and not self.work.done()


def dead_letter(delivery: Delivery, reason: str, *, at: dt.datetime) -> DeadLetter:
    """Return the record of an entry that is given up, with its own fields as they were."""
    return DeadLetter(
        stream=keys.TASKS.name,
        entry_id=delivery.entry.entry_id,
        reason=reason,
        deliveries=delivery.deliveries,
        at=at,
        fields=dict(itertools.islice(delivery.entry.fields.items(), MOST_FIELDS)),
    )


def _end_of(work: asyncio.Task[T]) -> asyncio.Future[None]:
    """What `asyncio.wait({work})` gives, for a third of its price: cancelling the wait leaves *work* alone."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(_: asyncio.Task[T]) -> None:
        if not ended.done():
            ended.set_result(None)

    work.add_done_callback(note)
    return ended


class Executor:
    """The slots of one consumer."""

    def __init__(
        self,
        stream: TaskStream,
        keeper: LeaseKeeper,
        handler: Handler,
        options: WorkerOptions,
        *,
        random: Random,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._stream = stream
        self._keeper = keeper
        self._handler = handler
        self._options = options
        self._random = random
        self._now = now
        self._running: dict[str, _Running] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._brake = Brake(random)
        self._retries = RetryLog()
        self.slot_freed = asyncio.Event()

    @property
    def free_slots(self) -> int:
        return self._options.slots - len(self._running)

    @property
    def entries(self) -> list[str]:
        """The ids of what fills the other slots."""
        return list(self._running)

    @property
    def admitted(self) -> int:
        """How many entries may be begun now: fewer than there are free slots while what they need is away."""
        return self._brake.admits(self.free_slots, now=asyncio.get_running_loop().time())

    def start(self, entry: Entry) -> None:
        """Run *entry*, unless it is running here already or this consumer is stopping (`leave` hands it back)."""
        if self._stopping or entry.entry_id in self._running:
            return
        running = self._running[entry.entry_id] = _Running(entry)
        self._brake.tried(now=running.begun_at)
        self._keeper.hold(entry.entry_id, running.tell, deadline_s=self._options.deadline.total_seconds())
        delivery = asyncio.create_task(self._deliver(entry, running))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Tell everything to stop; return when it is settled or handed back, or cannot be."""
        self._stopping = True
        for running in self._running.values():
            running.tell(ShutdownRequested("this consumer is shutting down"))
        await self._settled(HANDLER_STOPS_WITHIN_S)
        stubborn = [running for running in self._running.values() if running.at_work]
        for running in stubborn:
            await self._hand_back(running)
        if len(self._running) > len(stubborn):
            await self._settled(SETTLED_WITHIN_S)

    async def _settled(self, within_s: float) -> None:
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=within_s)

    async def _hand_back(self, running: _Running) -> None:
        """The handler goes on, and the fence keeps it from committing once somebody else has begun."""
        entry, running.handed_back = running.entry, True
        logger.warning("handler_does_not_stop", entry_id=entry.entry_id)
        self._keeper.drop(entry.entry_id)  # or the next beat would take the entry back
        with contextlib.suppress(RedisError):
            await self._stream.settle(entry, Ending.RELEASE, key=self._handler.key_of(entry), detail=running.deliveries)

    def _ended(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        if not delivery.cancelled() and (defect := delivery.exception()) is not None:
            logger.opt(exception=defect).error("delivery_broke_off", runbook="dead-letters")

    async def _deliver(self, entry: Entry, running: _Running) -> None:
        key = self._handler.key_of(entry)
        try:
            delivery = await self._begun(entry, key)
            if delivery is not None:
                running.deliveries = delivery.deliveries
                self._keeper.work_begins(entry.entry_id)
                settlement, successors = await self._judge(delivery, running)
                self._note(settlement, running)
                # What was handed back while its handler went on is not handed back again: it would be uncounted twice.
                if not (running.handed_back and settlement.ending is Ending.RELEASE):
                    await self._perform(delivery, settlement, successors, key=key)
        except RedisError as error:
            logger.warning("delivery_left_to_its_lease", entry_id=entry.entry_id, reason=str(error))
        finally:
            self._keeper.drop(entry.entry_id)
            self._running.pop(entry.entry_id, None)
            self.slot_freed.set()

    async def _begun(self, entry: Entry, key: str) -> Delivery | None:
        """An oversize entry is not begun: nothing of it will run, it takes the place of no work that it names, and to
        look whether it stands would stop the server."""
        if entry.oversize:
            return Delivery(entry=entry, token=0, deliveries=entry.deliveries)
        return await self._insist(lambda: self._stream.begin(entry, key=key))

    def _note(self, settlement: Settlement, running: _Running) -> None:
        """Told to stop, or without its lease, the work says nothing of what it needs."""
        if settlement.waits:
            self._brake.failed(begun_at=running.begun_at, now=asyncio.get_running_loop().time())
        elif settlement.ending not in (Ending.RELEASE, Ending.ABANDON):
            self._brake.got_through(begun_at=running.begun_at)

    async def _insist(self, send: Callable[[], Awaitable[T]]) -> T:
        """Repeat a script until Redis is back: meanwhile nobody can take the entry, and to give up would count as a
        delivery without an end. Repeated, a script finds its work done, or the entry with somebody else."""
        while True:
            try:
                return await send()
            except (RedisUnreachable, RedisSilent, ReadOnlyError):
                if self._stopping:
                    raise
            await asyncio.sleep(REPEAT_EVERY_S)

    async def _judge(self, delivery: Delivery, running: _Running) -> tuple[Settlement, list[Outgoing]]:
        entry = delivery.entry
        if entry.taken_from not in (None, self._stream.consumer):
            logger.warning("entry_reclaimed", entry_id=entry.entry_id, taken_from=entry.taken_from)
        failure: BaseException | None = self._refusal(delivery)
        successors: list[Outgoing] = []
        if failure is None:
            successors, failure = await self._work(delivery, running)
        self._keeper.settling(entry.entry_id)
        settlement = msgspec.structs.replace(self._settlement(failure, entry), at=self._now())
        if failure is None or settlement.ending in (Ending.RELEASE, Ending.ABANDON):
            return settlement, successors
        return await self._record(delivery, settlement, failure)

    def _refusal(self, delivery: Delivery) -> DataRejected | None:
        """Why the work is not even begun: counted and looked at before anything of it is read."""
        if delivery.entry.oversize:
            return DataRejected(delivery.entry.oversize)
        if delivery.deliveries > self._options.max_deliveries:
            return PoisonedEntry(f"{delivery.deliveries} deliveries, none of which ended: it may kill its consumer")
        return None

    async def _work(self, delivery: Delivery, running: _Running) -> tuple[list[Outgoing], BaseException | None]:
        if running.told is not None:
            return [], running.told
        running.work = asyncio.create_task(self._handler.run(delivery))
        await _end_of(running.work)
        return outcome_of(running.work, running.told)

    def _settlement(self, failure: BaseException | None, entry: Entry) -> Settlement:
        return settle(
            failure,
            attempt=1 if failure is None else self._handler.attempt_of(entry),
            waits=0 if failure is None else self._handler.waits_of(entry),
            max_attempts=self._options.max_attempts,
            classify=self._handler.classify,
            random=self._random,
        )

    async def _record(
        self, delivery: Delivery, settlement: Settlement, failure: BaseException
    ) -> tuple[Settlement, list[Outgoing]]:
        """Have the handler record the failure. What cannot be recorded is tried again rather than forgotten."""
        recording = asyncio.create_task(self._handler.record(delivery, settlement, failure))
        await asyncio.wait({recording}, timeout=RECORD_WITHIN_S)
        if recording.done():
            successors, unrecorded = outcome_of(recording, None)
        else:
            recording.cancel()
            successors, unrecorded = [], TimeoutError(f"no answer within {RECORD_WITHIN_S:g} s")
        if unrecorded is None:
            return settlement, successors
        reason = f"not recorded: {describe(unrecorded)}; before that: {settlement.reason}"
        if delivery.entry.oversize:
            # Tried again it would be another message, of the beginning alone. It stays where it is, and is waited for.
            return Settlement(ending=Ending.RELEASE, reason=reason, waits=1), []
        return msgspec.structs.replace(self._settlement(unrecorded, delivery.entry), reason=reason), []

    async def _perform(
        self, delivery: Delivery, settlement: Settlement, successors: list[Outgoing], *, key: str
    ) -> None:
        entry, ending = delivery.entry, settlement.ending
        log = logger.bind(entry_id=entry.entry_id, ending=ending.value, reason=settlement.reason)
        detail: object = None
        match ending:
            case Ending.RETRY_LATER:
                again = self._handler.retry_of(entry, counted=settlement.counted, waits=settlement.waits)
                due_at = self._now() + settlement.delay
                detail = msgspec.structs.replace(again, due_at=due_at).as_script_argument()
                self._retries.retried(entry.entry_id, reason=settlement.reason, delay=settlement.delay)
            case Ending.DEAD_LETTER:
                letter = dead_letter(delivery, settlement.reason, at=settlement.at or self._now())
                detail = flatten(encode_dead_letter(letter))
                log.error("delivery_dead_lettered", runbook="dead-letters", fields=letter.fields)
            case Ending.ABANDON:
                log.warning("delivery_abandoned")
            case Ending.RELEASE:
                detail = delivery.deliveries
                if not self._stopping:
                    log.warning("delivery_released")
            case Ending.ACKNOWLEDGE:
                pass
        settled = await self._insist(
            lambda: self._stream.settle(entry, ending, key=key, detail=detail, successors=successors)
        )
        if not settled and ending is not Ending.ABANDON:
            log.warning("settlement_came_too_late")
