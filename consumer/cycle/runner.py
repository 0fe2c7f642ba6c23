"""Runs what a task message asks for: opens a cycle, starts its next pass, or runs one part of it.

This is the handler that `delivery` calls. A part's data, its end in the ledger and the release of what waited for it
commit in one transaction; the messages that follow are sent together with the acknowledgement.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from loguru import logger

from consumer.catalogue.registry import KINDS, kind_of, placed
from consumer.cycle import calling_off, next_pass, opening
from consumer.cycle.calling_off import CalledOff
from consumer.cycle.failure_classes import VendorAway, lease_lost_named, local_trouble_named, policy_of
from consumer.cycle.failures import FailureRecorder
from consumer.cycle.handlers import handler_of
from consumer.cycle.messages import dead_letter, letter_fields, newer_message, part_message, read_work, retry_message
from consumer.cycle.noting import note_request
from consumer.cycle.outbox import OpenParts, ready_messages
from consumer.cycle.plan_learning import PlanLearner
from consumer.data_sets.declaration import Asked
from consumer.delivery.errors import Busy, DataRejected
from consumer.delivery.outbox import resend
from consumer.postgres import cycles, ledger, part_outcomes
from consumer.postgres.ledger import FenceBehind, PartEnd, PartGone, PartId, Taker
from consumer.postgres.states import PartState
from consumer.tasks.part import PartContext
from consumer.vendor.requests import counted_requests
from contract.messages import TaskMessage
from contract.reports import EventName, MaintenanceEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.cycle.reporting import Reporter
    from consumer.delivery.entries import Delivery, Entry, Outgoing, Received, Refusal, Work
    from consumer.delivery.settle import Policy, Settlement
    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.cycle_changes import Request
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.ledger import Taken
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import Services

FENCE_BEHIND_DELAY = dt.timedelta(milliseconds=200)
AWAY_AFTER = 3
# A bucket is another server than the vendor's API: the absence of one says nothing about the other.
BUCKET_KINDS = tuple(kind for (_, kind), place in KINDS.items() if place.kind.asked is Asked.BUCKET)


class CycleRunner:
    """The handler of the task stream."""

    def __init__(self, services: Services, stream: TaskStream, reporter: Reporter) -> None:
        self._services = services
        self._stream = stream
        self._reporter = reporter
        self._learner = PlanLearner(services)
        self._failures = FailureRecorder(services, reporter, self._learner)
        self._requests: dict[str, Counter[str]] = {}

    def read(self, entry: Entry) -> Work:
        work = read_work(entry)
        message = work.message
        # What is tried again may be all that still leads to the running cycle: `record` sees to that.
        if isinstance(message, TaskMessage) and not (message.part or message.cycle or message.request):
            return msgspec.structs.replace(work, refusal=self._refusal_of(message, entry))
        return work

    def retry_of(self, delivery: Delivery, *, counted: bool, waits: int) -> Outgoing:
        entry, attempt = delivery.entry, delivery.work.attempt + int(counted)
        return retry_message(entry.entry_id, entry.fields, attempt=attempt, waits=waits)

    def put_off(self, received: Received) -> Outgoing:
        return newer_message(received)

    def classify(self, failure: BaseException) -> Policy:
        return policy_of(failure)

    def _refusal_of(self, message: TaskMessage, entry: Entry) -> str:
        try:
            self._request(message, entry)
        except DataRejected as error:
            return str(error)
        except Busy:
            pass
        return ""

    def letter_of(self, refusal: Refusal) -> dict[str, str]:
        return letter_fields(refusal)

    async def refuse_all(self, refusals: Sequence[Refusal]) -> list[str]:
        return await self._failures.give_up_all([dead_letter(refusal) for refusal in refusals])

    async def taken_over(self, delivery: Delivery) -> None:
        entry, message = delivery.entry, delivery.work.message
        work = message if isinstance(message, TaskMessage) else None
        happened = MaintenanceEvent(
            event=EventName.RECLAIMED,
            at=self._services.now(),
            trading_day=work.trading_day if work else None,
            task=work.task if work else None,
            part=work.part if work else None,
            detail=f"entry {entry.entry_id} from {entry.taken_from}, delivery {delivery.deliveries}",
        )
        await self._reporter.tell(happened)

    def _request(self, message: TaskMessage, entry: Entry) -> Request:
        return opening.request_from(
            message,
            message.request or entry.entry_id,
            calendar=self._services.calendar,
            schedule=self._services.schedule,
            now=self._services.now(),
        )

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        with lease_lost_named():
            return await self._run(delivery)

    async def _run(self, delivery: Delivery) -> list[Outgoing]:
        message = delivery.work.message
        if not isinstance(message, TaskMessage):
            raise DataRejected(delivery.work.refusal)
        if message.part is not None or message.cycle is not None:
            if message.cycle is None:
                raise DataRejected("part without cycle: leave part out to run the whole task")
            if message.part is None:
                return await self._next_pass(message.cycle)
            successors = await self._run_part(delivery, message, message.cycle, message.part)
            self._requests.pop(delivery.entry.entry_id, None)
            return successors
        return await self._open(delivery.entry, message)

    async def _open(self, entry: Entry, message: TaskMessage) -> list[Outgoing]:
        now, pool, request = self._services.now(), self._services.pool, self._request(message, entry)
        try:
            opened = await opening.open_cycle(pool, request, now=now)
        except Busy:
            await note_request(pool, message, request, cycle_id=None, now=now)
            raise
        await note_request(pool, message, request, cycle_id=opened.cycle.cycle_id, now=now)
        # From the commit on they write nothing more; to stop them spares the vendor questions that serve nobody.
        await self._call_off(opened.superseded)
        await self._set_aside(opened.suspended)
        await self._reporter.cycle_opened(opened)
        if message.clear_caches and opened.served is not opening.Served.KNOWN:
            await self._reporter.clear_caches_asked(opened.cycle)
        return [part_message(part, opened.cycle.trading_day) for part in opened.parts]

    async def _call_off(self, ended: Sequence[Cycle]) -> None:
        """Stop who is at work for *ended*, which a newer cycle has replaced."""
        if ended:
            now = self._services.now()
            called_off = await calling_off.close(self._services.pool, ended, PartState.SUPERSEDED, now=now)
            await calling_off.withdraw(self._stream, called_off)

    async def _set_aside(self, suspended: Sequence[Cycle]) -> None:
        """Stop who is at work for *suspended*, backfills that wait until the day's own cycle has ended.

        Messages are named after the part, not the pass: who freezes here takes those of a newer pass back as well. They
        are sent again, and at once: the settlement of whoever was frozen is refused, and what would follow from it.
        """
        if not suspended:
            return
        pool = self._services.pool
        closed = await calling_off.close(pool, suspended, PartState.SUPERSEDED, now=self._services.now())
        await calling_off.withdraw(self._stream, CalledOff(parts=closed.parts))
        await resend(self._stream, OpenParts(pool, suspended), now=self._services.now())

    async def _next_pass(self, cycle_id: int) -> list[Outgoing]:
        begun = await next_pass.begin_next_pass(self._services.pool, cycle_id, now=self._services.now())
        await self._set_aside(begun.suspended)
        await self._reporter.publish(cycle_id)
        cycle = await cycles.find_cycle(self._services.pool, cycle_id)
        if cycle is None:
            return []
        if cycle.finished_at is not None:
            await self._reporter.pass_ended(cycle)
        return [part_message(part, cycle.trading_day) for part in begun.parts]

    async def _run_part(self, delivery: Delivery, message: TaskMessage, cycle_id: int, name: str) -> list[Outgoing]:
        part = PartId(cycle_id=cycle_id, task=message.task, part=name)
        cycle = await cycles.find_cycle(self._services.pool, cycle_id)
        if cycle is None:
            raise DataRejected(f"cycle {cycle_id} is unknown: leave cycle and part out to ask for a new one")
        try:
            taker = Taker(name=self._stream.consumer, fence=delivery.token, attempt=message.attempt)
            taken = await ledger.take_part(self._services.pool, part, taker, now=self._services.now())
        except FenceBehind as behind:
            await self._stream.raise_fence(behind.seen)
            raise Busy(str(behind), delay=FENCE_BEHIND_DELAY) from behind
        except PartGone as gone:
            # Committed by an earlier delivery, or taken over: what followed from it may still have to be sent.
            logger.info("part_needs_no_run", cycle=cycle_id, task=part.task, part=name, state=gone.state)
            return await ready_messages(self._services.pool, cycle)
        if taken.run_pass != cycle.run_pass:
            # Its next pass has begun since it was read: a late message of the last pass takes a part of this one.
            cycle = await cycles.find_cycle(self._services.pool, cycle_id) or cycle
        with logger.contextualize(trading_day=str(cycle.trading_day), cycle=cycle_id, task=part.task, part=name):
            return await self._run_taken(delivery, cycle, part, taken)

    async def _run_taken(self, delivery: Delivery, cycle: Cycle, part: PartId, taken: Taken) -> list[Outgoing]:
        await self._stop_asking_when_vendor_is_away(cycle, part)
        ctx = PartContext(self._services, cycle, part, taken.payload, delivery.token)
        requests = self._requests.setdefault(delivery.entry.entry_id, Counter())
        with counted_requests(requests), local_trouble_named():
            write = await handler_of(part)(ctx)
        async with ledger.fenced_write(self._services.pool, part, fence=delivery.token) as connection:
            report = await write(connection)
            # What a part spawns is placed by its declaration: which stage it is of, and what goes before it.
            report = msgspec.structs.replace(report, spawned=tuple(placed(one) for one in report.spawned))
            ready = await self._end(connection, part, report, requests)
        requests.clear()  # in the ledger now; what a failure leaves here is written by `record`
        if report.rows:
            await self._learner.part_loaded(part)
        if report.unfinished is not None:
            raise report.unfinished
        logger.debug("part_done", rows=report.rows)
        await self._reporter.part_ended(cycle.cycle_id, part)
        return [part_message(other, cycle.trading_day) for other in ready]

    async def _end(
        self, connection: Connection, part: PartId, report: ledger.PartReport, requests: Counter[str]
    ) -> list[PartId]:
        if report.unfinished is not None:
            await ledger.note_progress(connection, part, rows=report.rows, requests=requests)
            return []
        await cycles.lock_cycle(connection, part.cycle_id)
        end = PartEnd(state=PartState.DONE, at=self._services.now(), report=report, requests=requests)
        await ledger.end_part(connection, part, end)
        return await ledger.unblock(connection, part.cycle_id)

    async def _stop_asking_when_vendor_is_away(self, cycle: Cycle, part: PartId) -> None:
        """One pass makes a handful of parts find out that the vendor is away, not all of them."""
        place = kind_of(part.task, part.part)
        if place is None or place.kind.asked is not Asked.VENDOR:
            return
        gave_up = await part_outcomes.gave_up_on_vendor(self._services.pool, cycle, but_kinds=BUCKET_KINDS)
        if gave_up >= AWAY_AFTER:
            raise VendorAway(f"{gave_up} parts gave up on the vendor in this pass")

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        """Write into the ledger how the work stopped; return what may go on without it."""
        requests = self._requests.pop(delivery.entry.entry_id, Counter())
        with lease_lost_named():
            return await self._failures.record(delivery, settlement, failure, requests)
