"""Judges how a delivery stopped, and has that recorded: from a failure to the settlement that is performed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from consumer.delivery.errors import DataRejected, PoisonedEntry
from consumer.delivery.settle import Ending, Settlement, Tries, describe, outcome_of, settle

if TYPE_CHECKING:
    from consumer.delivery.entries import Delivery, Outgoing
    from consumer.delivery.handler import Handler, Surroundings, WorkerOptions

# For so long a ledger that does not answer may hold a slot; the lease is kept meanwhile.
RECORD_WITHIN_S = 30.0


class Judge:
    """The judge of one executor."""

    def __init__(self, handler: Handler, options: WorkerOptions, surroundings: Surroundings) -> None:
        self._handler = handler
        self._options = options
        self._random = surroundings.random
        self._now = surroundings.now

    def refusal(self, delivery: Delivery) -> DataRejected | None:
        """Why the work is not even begun: counted and looked at before anything of it is run."""
        if delivery.entry.oversize:
            return DataRejected(delivery.entry.oversize)
        deliveries = delivery.deliveries + delivery.work.lost
        if deliveries > self._options.max_deliveries:
            return PoisonedEntry(f"{deliveries} deliveries, none of which ended: it may kill its consumer")
        return None

    async def judge(
        self, delivery: Delivery, successors: list[Outgoing], failure: BaseException | None
    ) -> tuple[Settlement, list[Outgoing]]:
        """Return how the delivery ends, and what is sent with that."""
        settlement = msgspec.structs.replace(self._settlement(failure, delivery), at=self._now())
        if failure is None or settlement.ending in (Ending.RELEASE, Ending.ABANDON):
            return settlement, successors
        return await self._record(delivery, settlement, failure)

    def _settlement(self, failure: BaseException | None, delivery: Delivery) -> Settlement:
        work = delivery.work
        tries = Tries(attempt=work.attempt, waits=work.waits, most=self._options.max_attempts)
        return settle(failure, tries, classify=self._handler.classify, random=self._random)

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
        return msgspec.structs.replace(self._settlement(unrecorded, delivery), reason=reason), []
