"""Runs what a task message asks for: opens a cycle, starts its next pass, or runs one part of it.

This is the handler that `delivery` calls. A part's data, its end in the ledger and the release of what waited for it
commit in one transaction; the messages that follow are sent together with the acknowledgement.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
from loguru import logger
from redis.exceptions import RedisError

from consumer.cycle import calling_off, opening
from consumer.cycle.handlers import handler_of
from consumer.cycle.messages import part_message, work_key
from consumer.delivery.errors import Busy, DataRejected, LeaseLost
from consumer.delivery.executor import dead_letter
from consumer.delivery.settle import Policy, Settlement, Verdict
from consumer.delivery.task_stream import Delivery, Entry, Outgoing
from consumer.massive.errors import BadRequest, KeyRejected, NotEntitled, NotYetPublished, ProviderUnavailable
from consumer.massive.requests import counted_requests
from consumer.postgres import dead_letters, ledger
from consumer.postgres.ledger import FenceBehind, PartGone, PartId
from consumer.postgres.pool import CONNECTION_ERRORS
from consumer.tasks.part import InputMissing, PartContext
from market.calendar_errors import CalendarError
from producers.messages import TaskMessage, TaskName, UndecodableMessage, decode_task
from producers.reports import EventName

if TYPE_CHECKING:
    from consumer.cycle.reporting import Reporter
    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.ledger import Connection, Cycle
    from consumer.tasks.part import Services

FENCE_BEHIND_DELAY = dt.timedelta(milliseconds=200)
AWAY_AFTER = 3
_CONTENTION = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class VendorAway(Exception):
    """Other parts of this pass gave up on the vendor already: this one ends without asking."""


class CycleRunner:
    """The handler of the task stream."""

    def __init__(self, services: Services, stream: TaskStream, reporter: Reporter) -> None:
        self._services = services
        self._stream = stream
        self._reporter = reporter
        self._requests: dict[str, Counter[str]] = {}

    def key_of(self, entry: Entry) -> str:
        return work_key(entry.fields)

    def attempt_of(self, entry: Entry) -> int:
        try:
            return decode_task(entry.fields).attempt
        except UndecodableMessage:
            return 1

    def retry_of(self, entry: Entry, *, counted: bool) -> Outgoing:
        """The message that tries the entry's work again; a person's request keeps the entry it came from."""
        fields = dict(entry.fields)
        fields["attempt"] = str(self.attempt_of(entry) + int(counted))
        key = self.key_of(entry)
        if not key:
            fields["request"] = entry.entry_id
            key = f"request:{entry.entry_id}"
        return Outgoing(fields=fields, key=key)

    def classify(self, failure: BaseException) -> Policy:
        match failure:
            case NotYetPublished() | KeyRejected() | NotEntitled() | VendorAway() | InputMissing():
                return Policy.END
            case BadRequest() | CalendarError():
                return Policy.REJECT
            case ProviderUnavailable():
                return Policy.RETRY_THEN_END  # the cycle waits, and its next pass asks again: nobody has to see to it
            case _ if isinstance(failure, (*CONNECTION_ERRORS, *_CONTENTION, RedisError)):
                return Policy.RETRY_FREELY
            case _:
                return Policy.RETRY

    async def run(self, delivery: Delivery) -> list[Outgoing]:
        try:
            message = decode_task(delivery.entry.fields)
        except UndecodableMessage as error:
            raise DataRejected(str(error)) from error
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
        now = self._services.now()
        request = opening.request_from(
            message, message.request or entry.entry_id,
            calendar=self._services.calendar, schedule=self._services.schedule, now=now,
        )  # fmt: skip
        opened = await opening.open_cycle(self._services.pool, request, now=now)
        if opened.superseded:
            ended = await calling_off.close_parts(self._services.pool, opened.superseded, state="superseded", now=now)
            await calling_off.withdraw(self._stream, ended)
        await self._reporter.cycle_opened(opened)
        return [part_message(part, opened.cycle.trading_day) for part in opened.parts]

    async def _next_pass(self, cycle_id: int) -> list[Outgoing]:
        parts = await opening.begin_next_pass(self._services.pool, cycle_id, now=self._services.now())
        await self._reporter.publish(cycle_id)
        cycle = await ledger.find_cycle(self._services.pool, cycle_id)
        if cycle is None:
            return []
        if cycle.finished_at is not None:
            await self._reporter.pass_ended(cycle)
        return [part_message(part, cycle.trading_day) for part in parts]

    async def _run_part(self, delivery: Delivery, message: TaskMessage, cycle_id: int, name: str) -> list[Outgoing]:
        part = PartId(cycle_id=cycle_id, task=message.task, part=name)
        cycle = await ledger.find_cycle(self._services.pool, cycle_id)
        if cycle is None:
            raise DataRejected(f"cycle {cycle_id} is unknown: leave cycle and part out to ask for a new one")
        try:
            row = await ledger.take_part(
                self._services.pool, part, fence=delivery.token, holder=self._stream.consumer,
                attempt=message.attempt, now=self._services.now(),
            )  # fmt: skip
        except FenceBehind as behind:
            await self._stream.raise_fence(behind.seen)
            raise Busy(str(behind), delay=FENCE_BEHIND_DELAY) from behind
        except PartGone as gone:
            # Committed by an earlier delivery, or taken over: what followed from it may still have to be sent.
            logger.info("part_needs_no_run", cycle=cycle_id, task=part.task, part=name, state=gone.state)
            waiting = await ledger.dispatchable(self._services.pool, cycle_id)
            return [part_message(other, cycle.trading_day) for other in waiting]
        with logger.contextualize(trading_day=str(cycle.trading_day), cycle=cycle_id, task=part.task, part=name):
            return await self._run_taken(delivery, cycle, part, row)

    async def _run_taken(
        self, delivery: Delivery, cycle: ledger.Cycle, part: PartId, row: dict[str, Any]
    ) -> list[Outgoing]:
        await self._stop_asking_when_vendor_is_away(cycle, part)
        ctx = PartContext(self._services, cycle, part, row["payload"], delivery.token)
        requests = self._requests.setdefault(delivery.entry.entry_id, Counter())
        with counted_requests(requests):
            write = await handler_of(part)(ctx)
        async with ledger.fenced_write(self._services.pool, part, fence=delivery.token) as connection:
            report = await write(connection)
            ready = await self._end(connection, part, report, requests)
        requests.clear()  # in the ledger now; what a failure leaves here is written by `record`
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
        await ledger.lock_cycle(connection, part.cycle_id)
        now = self._services.now()
        await ledger.end_part(connection, part, state="done", now=now, report=report, requests=requests)
        return await ledger.unblock(connection, part.cycle_id)

    async def _stop_asking_when_vendor_is_away(self, cycle: ledger.Cycle, part: PartId) -> None:
        """One pass makes a handful of parts find out that the vendor is away, not all of them."""
        if part.task == TaskName.CYCLE or part.task == TaskName.REDIS_SYNC:
            return
        gave_up = await self._services.pool.fetchval(
            "SELECT count(*) FROM part WHERE cycle_id = $1 AND pass = $2 AND state = 'failed' AND retryable",
            cycle.cycle_id, cycle.run_pass,
        )  # fmt: skip
        if gave_up >= AWAY_AFTER:
            raise VendorAway(f"{gave_up} parts gave up on the vendor in this pass")

    async def record(self, delivery: Delivery, settlement: Settlement, failure: BaseException) -> list[Outgoing]:
        """Write into the ledger how the work stopped; return what may go on without it."""
        requests = self._requests.pop(delivery.entry.entry_id, Counter())
        try:
            message = decode_task(delivery.entry.fields)
        except UndecodableMessage:
            await self._give_up(delivery, settlement)
            return []
        if message.part is None or message.cycle is None:
            if settlement.verdict is Verdict.DEAD_LETTER:
                await self._give_up(delivery, settlement, trading_day=message.trading_day, task=message.task)
            return []
        part = PartId(cycle_id=message.cycle, task=message.task, part=message.part)
        if settlement.verdict is Verdict.RETRY_LATER:
            await ledger.note_retry(
                self._services.pool, part, fence=delivery.token, reason=settlement.reason, requests=requests
            )
            await self._reporter.part_retried(part.cycle_id)
            return []
        return await self._record_end(delivery, part, settlement, failure, requests)

    async def _give_up(self, delivery: Delivery, settlement: Settlement, **work: Any) -> None:
        letter = dead_letter(delivery, settlement.reason, at=self._services.now())
        await dead_letters.keep(self._services.pool, letter, **work)
        await self._reporter.refused(settlement.reason)

    async def _record_end(
        self, delivery: Delivery, part: PartId, settlement: Settlement, failure: BaseException, requests: Counter[str]
    ) -> list[Outgoing]:
        now = self._services.now()
        not_yet = isinstance(failure, NotYetPublished)
        async with self._services.pool.acquire() as connection, connection.transaction():
            standing = await ledger.standing_of(connection, part, fence=delivery.token)
            if standing is ledger.Standing.TAKEN:
                raise LeaseLost(f"{part.key} belongs to a newer delivery")
            if standing is ledger.Standing.OVER:
                return await self._nothing_to_end(connection, delivery, part, settlement)
            cycle = await ledger.lock_cycle(connection, part.cycle_id)
            await ledger.end_part(
                connection, part, state="not_yet" if not_yet else "failed", now=now, reason=settlement.reason,
                requests=requests,
                retryable=isinstance(failure, ProviderUnavailable | VendorAway),
            )  # fmt: skip
            if settlement.verdict is Verdict.DEAD_LETTER:
                await self._keep_letter(connection, delivery, settlement, part, cycle)
            if isinstance(failure, KeyRejected):
                await ledger.cancel_waiting_parts(connection, part.cycle_id, now=now, but=opening.PLAN.task)
            if part.task == TaskName.CYCLE:
                await ledger.fail_cycle(connection, part.cycle_id, now=now, reason=settlement.reason)
            ready = await ledger.unblock(connection, part.cycle_id)
        event = EventName.DEAD_LETTERED if settlement.verdict is Verdict.DEAD_LETTER else EventName.PART_FAILED
        await self._reporter.part_failed(part, cycle.trading_day, settlement.reason, event=event, not_yet=not_yet)
        return [part_message(other, cycle.trading_day) for other in ready]

    async def _nothing_to_end(
        self, connection: Connection, delivery: Delivery, part: PartId, settlement: Settlement
    ) -> list[Outgoing]:
        """The part has ended already, or never was: settle the entry, and send what may have been lost with a crash.

        Not LeaseLost: an entry that is handed back whenever it cannot be recorded comes back for ever.
        """
        cycle = await ledger.find_cycle(connection, part.cycle_id)
        if settlement.verdict is Verdict.DEAD_LETTER:
            await self._keep_letter(connection, delivery, settlement, part, cycle)
            await self._reporter.refused(settlement.reason)
        if cycle is None or cycle.state != "running":
            return []
        waiting = await ledger.dispatchable(connection, part.cycle_id)
        return [part_message(other, cycle.trading_day) for other in waiting]

    async def _keep_letter(
        self, connection: Connection, delivery: Delivery, settlement: Settlement, part: PartId, cycle: Cycle | None
    ) -> None:
        letter = dead_letter(delivery, settlement.reason, at=self._services.now())
        day = None if cycle is None else cycle.trading_day
        await dead_letters.keep(connection, letter, trading_day=day, task=part.task, part=part.part)
