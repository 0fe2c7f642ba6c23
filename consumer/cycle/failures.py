"""Decides how each failure of a part is treated, and writes into the ledger how its work stopped.

A dead letter is kept in the transaction that ends its part. What fails here is tried again rather than forgotten.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg
from redis.exceptions import RedisError

from consumer import this_machine
from consumer.cycle import opening
from consumer.cycle.messages import part_message
from consumer.delivery.errors import LeaseLost
from consumer.delivery.executor import dead_letter
from consumer.delivery.settle import Ending, Policy, Settlement
from consumer.massive.errors import (
    BadRequest,
    FlatFilesUnusable,
    KeyRejected,
    NotEntitled,
    NotYetPublished,
    ProviderUnavailable,
)
from consumer.postgres import cycles, dead_letters, ledger
from consumer.postgres.ledger import PartId
from consumer.postgres.pool import CONNECTION_ERRORS, CONTENTION_ERRORS
from consumer.tasks.part import InputMissing
from contract.messages import TaskMessage, TaskName, UndecodableMessage, decode_task
from contract.reports import EventName
from market.calendar_errors import CalendarError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

    from consumer.cycle.plan_learning import PlanLearner
    from consumer.cycle.reporting import Reporter
    from consumer.delivery.entries import Delivery, Outgoing
    from consumer.postgres.cycles import Cycle
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import Services
    from contract.reports import DeadLetter


class VendorAway(Exception):
    """Other parts of this pass gave up on the vendor already: this one ends without asking."""


def policy_of(failure: BaseException) -> Policy:
    """Return how *failure* is treated; the table in docs/delivery.md says the same in words."""
    match failure:
        case NotYetPublished() | KeyRejected() | NotEntitled() | VendorAway() | InputMissing() | FlatFilesUnusable():
            return Policy.END
        case BadRequest() | CalendarError():
            return Policy.REJECT
        case ProviderUnavailable():
            return Policy.RETRY_THEN_END  # the cycle waits, and its next pass asks again: nobody has to see to it
        case _ if isinstance(failure, LocalTrouble) or this_machine.is_of_this_machine(failure):
            return Policy.RETRY_THEN_END  # once it is cured the next cycle finds what lacks
        case _ if isinstance(failure, (*CONNECTION_ERRORS, *CONTENTION_ERRORS, RedisError, OSError)):
            return Policy.RETRY_FREELY  # an OSError that is none of this machine's own: a server that is away
        case _:
            return Policy.RETRY


class LocalTrouble(Exception):
    """A file, a disk or a limit of this machine; the text names it and the cure. No server is away."""


@contextlib.contextmanager
def local_trouble_named() -> Iterator[None]:
    """Tell an error of this machine from a server's absence, which is waited for without end."""
    try:
        yield
    except OSError as error:
        if not this_machine.is_of_this_machine(error):
            raise
        raise LocalTrouble(this_machine.in_words(error)) from error


def _message_of(delivery: Delivery) -> TaskMessage | None:
    """What the entry asks for; nothing where it cannot be read, or is too large to be believed."""
    if delivery.entry.oversize:
        return None
    try:
        return decode_task(delivery.entry.fields)
    except UndecodableMessage:
        return None


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
                await self._give_up(delivery, settlement, trading_day=message.trading_day, task=message.task)
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
        running = [one for one in await cycles.unended_cycles(self._services.pool) if one.state == "running"]
        return [
            part_message(part, cycle.trading_day)
            for cycle in running
            for part in await ledger.dispatchable(self._services.pool, cycle.cycle_id)
        ]

    async def _give_up(self, delivery: Delivery, settlement: Settlement, **work: Any) -> None:
        letter = dead_letter(delivery, settlement.reason, at=settlement.at or self._services.now())
        async with self._services.pool.acquire() as connection, connection.transaction():
            await dead_letters.keep_example(connection, letter, **work)
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
        not_yet = isinstance(failure, NotYetPublished)
        async with self._services.pool.acquire() as connection, connection.transaction():
            standing = await ledger.standing_of(connection, part, fence=delivery.token)
            if standing is ledger.Standing.TAKEN:
                raise LeaseLost(f"{part.key} belongs to a newer delivery")
            if standing is ledger.Standing.OVER:
                return await self._nothing_to_end(connection, delivery, part, settlement)
            cycle = await cycles.lock_cycle(connection, part.cycle_id)
            await ledger.end_part(
                connection,
                part,
                state="not_yet" if not_yet else "failed",
                now=now,
                reason=settlement.reason,
                requests=requests,
                retryable=isinstance(failure, ProviderUnavailable | VendorAway),
            )
            if settlement.ending is Ending.DEAD_LETTER:
                await self._keep_letter(connection, delivery, settlement, part, cycle)
            if isinstance(failure, KeyRejected):
                await ledger.cancel_waiting_parts(connection, part.cycle_id, now=now, but=opening.PLAN.task)
            if part.task == TaskName.CYCLE:
                await ledger.fail_cycle(connection, part.cycle_id, now=now, reason=settlement.reason)
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
        if cycle is None or cycle.state != "running":
            return []
        waiting = await ledger.dispatchable(connection, part.cycle_id)
        return [part_message(other, cycle.trading_day) for other in waiting]

    async def _keep_letter(
        self, connection: Connection, delivery: Delivery, settlement: Settlement, part: PartId, cycle: Cycle | None
    ) -> None:
        letter = dead_letter(delivery, settlement.reason, at=settlement.at or self._services.now())
        if cycle is None:  # of no part that there is: anybody may write such
            await dead_letters.keep_example(connection, letter, task=part.task, part=part.part)
        else:
            day = cycle.trading_day
            await dead_letters.keep(connection, letter, trading_day=day, task=part.task, part=part.part)
