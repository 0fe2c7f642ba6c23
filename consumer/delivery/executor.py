"""Takes entries from their fence token to their settlement, each in a task of its own.

The handler runs in a further task, and only that one is ever cancelled: beginning and settling are never interrupted,
so a commit is followed by its acknowledgement also while the consumer stops. What its end means is said by `judging`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
from loguru import logger
from redis.exceptions import ConnectionError as RedisUnreachable
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisSilent

from consumer.delivery.brake import Brake
from consumer.delivery.entries import Delivery, Refusal, flatten
from consumer.delivery.errors import ShutdownRequested
from consumer.delivery.judging import Judge
from consumer.delivery.retry_log import RetryLog
from consumer.delivery.running import Running, end_of
from consumer.delivery.settle import Ending, Settlement, outcome_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from loguru import Logger

    from consumer.delivery.entries import Outgoing, Received
    from consumer.delivery.handler import Handler, Surroundings, WorkerOptions
    from consumer.delivery.lease import LeaseKeeper
    from consumer.delivery.task_stream import TaskStream

T = TypeVar("T")

HANDLER_STOPS_WITHIN_S = 0.5  # what does not heed its cancellation by then is handed back while it still runs
SETTLED_WITHIN_S = 5.0
REPEAT_EVERY_S = 0.1


class Executor:
    """The slots of one consumer."""

    def __init__(
        self,
        stream: TaskStream,
        keeper: LeaseKeeper,
        handler: Handler,
        options: WorkerOptions,
        surroundings: Surroundings,
    ) -> None:
        self._stream = stream
        self._keeper = keeper
        self._handler = handler
        self._options = options
        self._now = surroundings.now
        self._on_settled = surroundings.on_settled
        self._judge = Judge(handler, options, surroundings)
        self._running: dict[str, Running] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._brake = Brake(surroundings.random)
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

    def start(self, received: Received) -> None:
        """Run what was received, unless it runs here already or this consumer is stopping (`leave` hands it back)."""
        entry = received.entry
        if self._stopping or entry.entry_id in self._running:
            return
        running = self._running[entry.entry_id] = Running(received)
        self._brake.tried(now=running.begun_at)
        self._keeper.hold(entry.entry_id, running.tell, deadline_s=self._options.deadline.total_seconds())
        delivery = asyncio.create_task(self._deliver(running))
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

    async def _hand_back(self, running: Running) -> None:
        """The handler goes on, and the fence keeps it from committing once somebody else has begun."""
        entry, running.handed_back = running.entry, True
        logger.warning("handler_does_not_stop", entry_id=entry.entry_id)
        self._keeper.drop(entry.entry_id)  # or the next beat would take the entry back
        with contextlib.suppress(RedisError):
            key = running.received.work.key
            await self._stream.settle(entry, Ending.RELEASE, key=key, detail=running.deliveries)

    def _ended(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        if not delivery.cancelled() and (defect := delivery.exception()) is not None:
            logger.opt(exception=defect).error("delivery_broke_off", runbook="dead-letters")

    async def _deliver(self, running: Running) -> None:
        entry_id = running.entry.entry_id
        try:
            delivery = await self._begun(running.received)
            if delivery is not None:
                running.deliveries = delivery.deliveries
                self._keeper.work_begins(entry_id)
                settlement, successors = await self._end_of_work(delivery, running)
                self._note(settlement, running)
                self._on_settled(delivery, settlement)
                # What was handed back while its handler went on is not handed back again: it would be uncounted twice.
                if not (running.handed_back and settlement.ending is Ending.RELEASE):
                    await self._perform(delivery, settlement, successors)
        except RedisError as error:
            logger.warning("delivery_left_to_its_lease", entry_id=entry_id, reason=str(error))
        finally:
            self._keeper.drop(entry_id)
            self._running.pop(entry_id, None)
            self.slot_freed.set()

    async def _begun(self, received: Received) -> Delivery | None:
        """An oversize entry is not begun: nothing of it will run, it takes the place of no work that it names, and to
        look whether it stands would stop the server."""
        entry, work = received.entry, received.work
        if entry.oversize:
            return Delivery(entry=entry, token=0, deliveries=entry.deliveries, work=work)
        begun = await self._insist(lambda: self._stream.begin(entry, key=work.key))
        return None if begun is None else msgspec.structs.replace(begun, work=work)

    def _note(self, settlement: Settlement, running: Running) -> None:
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

    async def _end_of_work(self, delivery: Delivery, running: Running) -> tuple[Settlement, list[Outgoing]]:
        entry = delivery.entry
        failure: BaseException | None = self._judge.refusal(delivery)
        successors: list[Outgoing] = []
        if entry.taken_from is not None:
            logger.warning("entry_reclaimed", entry_id=entry.entry_id, taken_from=entry.taken_from)
        if failure is None:
            successors, failure = await self._work(delivery, running)
        self._keeper.settling(entry.entry_id)
        return await self._judge.judge(delivery, successors, failure)

    async def _work(self, delivery: Delivery, running: Running) -> tuple[list[Outgoing], BaseException | None]:
        if running.told is not None:
            return [], running.told
        running.work = asyncio.create_task(self._run(delivery))
        await end_of(running.work)
        return outcome_of(running.work, running.told)

    async def _run(self, delivery: Delivery) -> list[Outgoing]:
        if delivery.entry.taken_from is not None:
            await self._handler.taken_over(delivery)
        return await self._handler.run(delivery)

    async def _perform(self, delivery: Delivery, settlement: Settlement, successors: list[Outgoing]) -> None:
        entry, ending = delivery.entry, settlement.ending
        detail = self._detail(delivery, settlement)
        settled = await self._insist(
            lambda: self._stream.settle(entry, ending, key=delivery.work.key, detail=detail, successors=successors)
        )
        if not settled and ending is not Ending.ABANDON:
            _log(delivery, settlement).warning("settlement_came_too_late")

    def _detail(self, delivery: Delivery, settlement: Settlement) -> object:
        """What settle.lua needs beside the ending; told on the way, because what is told is what will be written."""
        log = _log(delivery, settlement)
        match settlement.ending:
            case Ending.RETRY_LATER:
                again = self._handler.retry_of(delivery, counted=settlement.counted, waits=settlement.waits)
                self._retries.retried(delivery.entry.entry_id, reason=settlement.reason, delay=settlement.delay)
                return msgspec.structs.replace(again, due_at=self._now() + settlement.delay).as_script_argument()
            case Ending.DEAD_LETTER:
                refusal = self._refusal(delivery, settlement)
                log.error("delivery_dead_lettered", runbook="dead-letters", fields=refusal.fields)
                return flatten(self._handler.letter_of(refusal))
            case Ending.ABANDON:
                log.warning("delivery_abandoned")
            case Ending.RELEASE:
                if not self._stopping:
                    log.warning("delivery_released")
                return delivery.deliveries
            case Ending.ACKNOWLEDGE:
                pass
        return None

    def _refusal(self, delivery: Delivery, settlement: Settlement) -> Refusal:
        at = settlement.at or self._now()
        stream = self._stream.channel.stream
        return Refusal.of(delivery.entry, stream, settlement.reason, at=at, deliveries=delivery.deliveries)


def _log(delivery: Delivery, settlement: Settlement) -> Logger:
    return logger.bind(entry_id=delivery.entry.entry_id, ending=settlement.ending.value, reason=settlement.reason)
