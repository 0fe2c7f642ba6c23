"""Writes into the ledger how the work of a part stopped; how its failure is treated, failure_classes decides.

A dead letter is kept in the transaction that ends its part. What fails here is tried again rather than forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from consumer.cycle.failure_classes import class_of
from consumer.cycle.messages import dead_letter, part_message
from consumer.cycle.outbox import ready_messages
from consumer.delivery.entries import Refusal
from consumer.delivery.errors import LeaseLost
from consumer.delivery.settle import Ending, Settlement
from consumer.postgres import cycles, dead_letters, ledger
from consumer.postgres.cycle_changes import end_cycles
from consumer.postgres.dead_letters import About
from consumer.postgres.ledger import PartEnd, PartId
from consumer.postgres.part_ends import Closing, Ownership, close_parts, ownership_of
from consumer.postgres.states import PartState
from contract import keys
from contract.failures import FailureClass
from contract.messages import TaskMessage, TaskName
from contract.reports import CycleState, EventName

if TYPE_CHECKING:
    import datetime as dt
    from collections import Counter
    from collections.abc import Sequence

    from consumer.cycle.plan_learning import PlanLearner
    from consumer.cycle.reporting import Reporter
    from consumer.delivery.entries import Delivery, Outgoing
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import Services
    from contract.reports import DeadLetter


def _message_of(delivery: Delivery) -> TaskMessage | None:
    """What the entry asks for; nothing where it cannot be read, or is too large to be believed."""
    message = delivery.work.message
    return message if isinstance(message, TaskMessage) and not delivery.entry.oversize else None


def _letter_of(delivery: Delivery, settlement: Settlement, *, now: dt.datetime) -> DeadLetter:
    at = settlement.at or now
    return dead_letter(
        Refusal.of(delivery.entry, keys.TASKS.name, settlement.reason, at=at, deliveries=delivery.deliveries)
    )


# A pass that cannot be planned, or judged, ends its cycle; what it does besides, such as the retention, does not.
WITHOUT_WHICH_NO_CYCLE = ("plan", "finish")


class FailureRecorder:
    """Writes the ends of parts that did not commit, and the dead letters."""

    def __init__(self, services: Services, reporter: Reporter, learner: PlanLearner) -> None:
        self._services = services
        self._reporter = reporter
        self._learner = learner

    async def record(
        self, delivery: Delivery, settlement: Settlement, failure: BaseException, requests: Counter[str]
    ) -> list[Outgoing]:
        """Write how the work stopped and what it has cost in *requests*; return the messages of what may go on."""
        if isinstance(failure, asyncpg.ReadOnlySQLTransactionError):
            # A session that was opened on a server in recovery stays read-only: the next ones are opened anew.
            await self._services.pool.expire_connections()
        message = _message_of(delivery)
        if message is None:
            await self._give_up(delivery, settlement)
            return []
        if message.part is None or message.cycle is None:
            if settlement.ending is Ending.DEAD_LETTER:
                about = About(trading_day=message.trading_day, task=message.task)
                await self._give_up(delivery, settlement, about)
            return await self._of_the_running_cycle()
        part = PartId(cycle_id=message.cycle, task=message.task, part=message.part)
        if settlement.ending is Ending.RETRY_LATER:
            await ledger.note_retry(
                self._services.pool, part, fence=delivery.token, reason=settlement.reason, requests=requests
            )
            await self._reporter.part_retried(part.cycle_id)
            return []
        return await self._record_end(delivery, part, settlement, failure, requests)

    async def _of_the_running_cycle(self) -> list[Outgoing]:
        """What the running cycle has ready: a request that waits for it, or is given up, may be all that still leads
        to it. Whoever opened it may have died, again and again, before it sent the first part."""
        running = [one for one in await cycles.unended_cycles(self._services.pool) if one.state is CycleState.RUNNING]
        return [message for cycle in running for message in await ready_messages(self._services.pool, cycle)]

    async def _give_up(self, delivery: Delivery, settlement: Settlement, about: About | None = None) -> None:
        letter = _letter_of(delivery, settlement, now=self._services.now())
        async with self._services.pool.acquire() as connection, connection.transaction():
            await dead_letters.keep_example(connection, letter, about)
        await self._reporter.refused(settlement.reason)

    async def give_up_all(self, letters: Sequence[DeadLetter]) -> list[str]:
        """The same for many at once; return the entries of which there should be a copy on the stream."""
        copied = await dead_letters.keep_examples(self._services.pool, letters)
        await self._reporter.refused(f"{len(letters)} entries, the last: {letters[-1].reason}")
        return copied

    async def _record_end(
        self, delivery: Delivery, part: PartId, settlement: Settlement, failure: BaseException, requests: Counter[str]
    ) -> list[Outgoing]:
        await self._learner.part_refused(part, failure)
        now = self._services.now()
        failed_as = class_of(failure)
        not_yet = failed_as is FailureClass.NOT_YET
        async with self._services.pool.acquire() as connection, connection.transaction():
            ownership = await ownership_of(connection, part, fence=delivery.token)
            if ownership is Ownership.TAKEN:
                raise LeaseLost(f"{part.key} belongs to a newer delivery")
            if ownership is Ownership.OVER:
                return await self._nothing_to_end(connection, delivery, part, settlement)
            cycle = await cycles.lock_cycle(connection, part.cycle_id)
            end = PartEnd(
                state=PartState.NOT_YET if not_yet else PartState.FAILED,
                at=now,
                reason=settlement.reason,
                requests=requests,
                failure_class=failed_as,
            )
            await ledger.end_part(connection, part, end)
            if settlement.ending is Ending.DEAD_LETTER:
                await self._keep_letter(connection, delivery, settlement, part, cycle)
            await _close_what_is_in_vain(connection, cycle, part, end)
            ready = await ledger.unblock(connection, part.cycle_id)
        event = EventName.DEAD_LETTERED if settlement.ending is Ending.DEAD_LETTER else EventName.PART_FAILED
        await self._reporter.part_failed(part, cycle.trading_day, settlement.reason, event=event, not_yet=not_yet)
        return [part_message(other, cycle.trading_day) for other in ready]

    async def _nothing_to_end(
        self, connection: Connection, delivery: Delivery, part: PartId, settlement: Settlement
    ) -> list[Outgoing]:
        """The part has ended already, or never was: settle the entry, and send what may have been lost with a crash.

        Not LeaseLost: an entry that is handed back whenever it cannot be recorded comes back for ever.
        """
        cycle = await cycles.find_cycle(connection, part.cycle_id)
        if settlement.ending is Ending.DEAD_LETTER:
            await self._keep_letter(connection, delivery, settlement, part, cycle)
            await self._reporter.refused(settlement.reason)
        if cycle is None or cycle.state is not CycleState.RUNNING:
            return []
        return await ready_messages(connection, cycle)

    async def _keep_letter(
        self, connection: Connection, delivery: Delivery, settlement: Settlement, part: PartId, cycle: Cycle | None
    ) -> None:
        letter = _letter_of(delivery, settlement, now=self._services.now())
        if cycle is None:  # of no part that there is: anybody may write such
            await dead_letters.keep_example(connection, letter, About(task=part.task, part=part.part))
        else:
            about = About(trading_day=cycle.trading_day, task=part.task, part=part.part)
            await dead_letters.keep(connection, letter, about)


async def _close_what_is_in_vain(connection: Connection, cycle: Cycle, part: PartId, end: PartEnd) -> None:
    """A key that is refused is refused to all parts that ask; a cycle without its plan or its judgement is none.

    Whoever is at work ends his part himself: his transaction may wait for the cycle that is locked here.
    """
    if end.failure_class is FailureClass.KEY_REFUSED:
        asking = Closing(state=PartState.SUPERSEDED, at=end.at, but=TaskName.CYCLE, running=False)
        await close_parts(connection, [cycle], asking)
    if part.task == TaskName.CYCLE and part.part in WITHOUT_WHICH_NO_CYCLE:
        await close_parts(connection, [cycle], Closing(state=PartState.SUPERSEDED, at=end.at, running=False))
        await end_cycles(connection, [cycle], CycleState.FAILED, now=end.at, reason=end.reason)
